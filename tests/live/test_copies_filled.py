"""A database without the narrow copies gets them while others write to it: none of its rows is left out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, SchemaError
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, identifier, sql
from agentstore.protocols import Columns
from agentstore.schema import migrate
from agentstore.schema.plan import Migration, load_migrations
from agentstore.write.narrow import NARROW
from tests.live.connections import connected
from tests.live.copies import differences
from tests.servers import Server

MIGRATIONS = load_migrations()
BEFORE = 9
NEW = [one.version for one in MIGRATIONS[BEFORE:]]
(FACTS,) = [one for one in MIGRATIONS if one.name == "facts"]
FILLED = {statement.text for statement in FACTS.statements()}


@pytest.fixture
async def old(server: Server, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NativeConnection]:
    """A database as it was before, with rows of several versions in several parts, and floors."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store, connected(store) as connection:
        with monkeypatch.context() as older:
            older.setattr(migrate, "load_migrations", lambda: MIGRATIONS[:BEFORE])
            await store.ensure_schema()
        for statement in itertools.islice(written(), 12):
            await connection.fetch(statement, {}, 60)
        floors = "INSERT INTO session_floors (org_id, scope, session_id) VALUES ('o', 'content', 's0')"
        await connection.fetch(Sql(floors), {}, 60)
        yield connection


def written() -> Iterator[Sql]:
    """What a process of the older library sends, without end: new rows, rows again, and tombstones."""
    for number in itertools.count():
        names = {"id": f"s{number % 5}", "new": f"new{number}", "number": number, "gone": int(number % 3 == 2)}
        names["usage"] = '{"reasoning_output_tokens":3}'
        for text in (
            "INSERT INTO messages (org_id, session_id, ordinal, model, token_usage, output_tokens, source_id, _deleted)"
            " SELECT 'o', id, number % 3, 'm', {usage}, {number}, if(number % 2, '', id), {gone}"
            " FROM (SELECT arrayJoin([{id}, {new}]) AS id, number FROM numbers(4))",
            "INSERT INTO tool_calls (org_id, session_id, message_ordinal, tool_use_id, tool_name, is_error, _deleted)"
            " SELECT 'o', arrayJoin([{id}, {new}]), 0, 't', 'Bash', {number} % 2, {gone}",
            "INSERT INTO git_links (org_id, session_id, commit_sha, link_type, confidence, _deleted)"
            " SELECT 'o', arrayJoin([{id}, {new}]), 'abcdef1', 'commit', 'high', {gone}",
            "INSERT INTO sessions (org_id, id, message_count, user_message_count, display_name, started_at, _deleted)"
            " SELECT 'o', arrayJoin([{id}, {new}]), {number}, {number} % 2, concat('of ', toString({number})),"
            " if({number} % 4, now64(6), NULL), {gone}",
        ):
            yield sql(text, **names)


class Between:
    """Carries out statements, and what somebody else sends before each; ends with an error after some of them."""

    def __init__(self, connection: NativeConnection, *, ends_after: int = 10**9) -> None:
        self._connection = connection
        self._others = written()
        self._left = ends_after

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        return await self._connection.fetch(query, settings or {}, 60)

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        if query.text in FILLED:
            for other in itertools.islice(self._others, 4):
                await self._connection.fetch(other, {}, 60)
            if not self._left:
                raise SchemaError("ended here")
            self._left -= 1
        await self._connection.fetch(query, settings or {}, timeout_seconds or 60)


async def counts(store: AsyncClickHouseStore) -> list[tuple[str, int]]:
    found = []
    async with connected(store) as connection:
        for copy in NARROW:
            query = sql("SELECT count() FROM {copy} FINAL", copy=identifier(copy.name))
            ((count,),) = await connection.fetch(query, {}, 60)
            found.append((copy.name, count))
    return found


async def test_what_others_write_between_the_statements_is_copied(
    server: Server, fresh_database: str, old: NativeConnection
) -> None:
    assert await migrate.ensure_schema(Between(old)) == NEW
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        assert await differences(store) == []
        assert all(count for _, count in await counts(store))


async def test_a_migration_that_ends_after_any_statement_is_finished_by_the_next(
    server: Server, fresh_database: str, old: NativeConnection
) -> None:
    for done in range(len(FILLED)):
        with pytest.raises(SchemaError, match="ended here"):
            await migrate.ensure_schema(Between(old, ends_after=done))
    assert await migrate.ensure_schema(Between(old)) == NEW[1:]
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        assert await differences(store) == []
        before = await counts(store)
        for statement in FACTS.statements():  # as two processes that apply it at once would
            await old.fetch(statement, {}, 60)
        assert await differences(store) == []
        assert await counts(store) == before


async def test_copies_that_are_being_filled_are_not_read(
    server: Server, fresh_database: str, old: NativeConnection
) -> None:
    """Who reads meanwhile would take them for a store with little in it."""
    for done in range(len(FILLED) - 1):
        with pytest.raises(SchemaError, match="ended here"):
            await migrate.ensure_schema(Between(old, ends_after=done))
        async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
            reads: list[Callable[[], Awaitable[object]]] = [
                lambda: store.list_sessions("o"),
                lambda: store.list_users("o"),
                lambda: store.list_projects("o"),
                lambda: store.list_agents("o"),
                lambda: store.get_session("o", "new1"),
                lambda: store.get_sessions("o", ["new1"]),
                lambda: store.usage_by_user("o"),
                lambda: store.activity_heatmap("o"),
                lambda: store.daily_activity("o"),
                lambda: store.tool_usage_distribution("o"),
                lambda: store.token_usage_by_model("o"),
                lambda: store.summary("o"),
            ]
            for read in reads:
                with pytest.raises(SchemaError, match="older than this library"):
                    await read()
    await migrate.ensure_schema(Between(old))
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        assert (await store.list_sessions("o")).total
        assert (await store.summary("o")).totals.session_count


async def test_what_was_under_way_before_there_was_a_view_is_copied(
    server: Server, fresh_database: str, old: NativeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An insert that begins before the views are made does not know them, and may end after the copies are filled."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store, connected(store) as slow:
        held = Sql(
            "INSERT INTO messages (org_id, session_id, ordinal)"
            " SELECT 'o', 'held', number + sleepEachRow(0.02) FROM numbers(300)"
        )
        apply, missing = migrate._apply, list[str]()

        async def beside(executor: Any, migration: Migration, cluster: str) -> None:
            if migration != FACTS:
                await apply(executor, migration, cluster)
                return
            begun = asyncio.create_task(slow.fetch(held, {"max_block_size": 100}, 60))
            await under_way(old)
            await apply(executor, migration, cluster)
            if begun.done():
                pytest.skip("on this machine the migration takes longer than the insert")
            await begun
            missing.extend(await differences(store))

        monkeypatch.setattr(migrate, "_apply", beside)
        assert await store.ensure_schema() == NEW
        assert missing != []
        assert await differences(store) == []


async def under_way(connection: NativeConnection) -> None:
    running: Any = 0
    async with asyncio.timeout(60):
        while not running:
            query = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO messages%sleep%'"
            ((running,),) = await connection.fetch(Sql(query), {}, 60)
