"""A database of an older version, with rows in it, brought to the newest: nothing lost, everything found, indexed."""

from __future__ import annotations

import asyncio

import pytest

from agentstore import AsyncClickHouseStore, NotFoundError, SearchQuery, SessionFilter
from agentstore.connection.sql import Sql, literal, sql
from agentstore.read.search import parts
from agentstore.schema import migrate
from agentstore.schema.plan import load_migrations
from tests.builders import at, message, session
from tests.live.connections import connected
from tests.live.copies import differences
from tests.servers import Server

MIGRATIONS = load_migrations()
OLDER = [migration.version for migration in MIGRATIONS[:-1]]


@pytest.fixture(params=OLDER)
def version(request: pytest.FixtureRequest) -> int:
    """A version that databases in the world may have."""
    return int(request.param)


async def test_a_database_with_rows_is_upgraded_in_place(
    server: Server, fresh_database: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        with monkeypatch.context() as old:
            old.setattr(migrate, "load_migrations", lambda: MIGRATIONS[:version])
            before = await store.ensure_schema()
        assert before == [one.version for one in MIGRATIONS[:version] if one.version in before]
        await write(store)
        applied = await store.ensure_schema()
        assert await store.ensure_schema() == []
        await settled(store, indexed=2 in applied)
        await check_codec(store, named=5 in (*before, *applied))
        await check(store)
        await store.write_session("o", session("s9", started_at=at(9)), [message(0, "ÄRGER after the upgrade")])
        await store.write_session("o", session("s1", started_at=at(1)), [message(0, "no ärger now")], replace=True)
        assert [one.content for one in await store.get_session_messages("o", "s1")] == ["no ärger now"]
        assert [hit.session_id for hit in (await store.search("o", SearchQuery(query="ärger"))).results] == ["s9", "s1"]
        assert await differences(store) == []


async def test_what_was_stored_before_counts_once_from_now_on(server: Server, fresh_database: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        with pytest.MonkeyPatch.context() as old:
            old.setattr(migrate, "load_migrations", lambda: MIGRATIONS[:5])
            await store.ensure_schema()
        await write(store)
        async with connected(store) as connection:
            await connection.fetch(sql("INSERT INTO messages (org_id, session_id, ordinal, role, content, source_id)"
                                       " SELECT 'o', 's1', 2, 'user', 'shared', 'x'"), {}, timeout=60)  # fmt: skip
        await store.ensure_schema()
        # Of the subagent that was there; the root has none of its own.
        assert sum(one.total_output_tokens for one in await store.usage_by_user("o")) == 7
        await store.write_session(
            "o",
            session("copy", parent_session_id="s1", relationship_type="fork", message_count=2),
            [message(0, "shared", source_id="x"), message(1, "own", source_id="y")],
        )
        # The subagents that were there know their root: it takes them along.
        await store.delete_sessions("o", ["s1"])
        assert sum(one.total_output_tokens for one in await store.usage_by_user("o")) == 0
        await store.write_session("o", session("s1"), [message(0, "shared", source_id="x")])
        copy = await store.get_session("o", "copy")
        assert (copy.copied_message_count, copy.origin_session_id) == (1, "s1")
        assert (await store.search("o", SearchQuery(query="shared"))).total == 1


async def test_usage_that_was_stored_before_has_its_columns(server: Server, fresh_database: str) -> None:
    spent = {"cache_write_tokens": 9, "output_tokens": 8}
    usages = [
        '{"cache_creation":{"ephemeral_1h_input_tokens":5},"service_tier":"Batch","output_tokens_details":'
        '{"thinking_tokens":6},"server_tool_use":{"web_search_requests":3}}',
        '{"reasoning_output_tokens":100}',
        "no JSON",
        "",
    ]
    expected = [(5, 6, "batch", 3, 0), (0, 8, "", 0, 0), (0, 0, "", 0, 0), (0, 0, "", 0, 0)]
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        with pytest.MonkeyPatch.context() as old:
            old.setattr(migrate, "load_migrations", lambda: MIGRATIONS[:9])
            await store.ensure_schema()
        async with connected(store) as connection:
            for number, usage in enumerate(usages):
                row = {"session_id": "s", "ordinal": number, "token_usage": usage, **spent}
                await connection.fetch(_insert("messages", row), {}, timeout=60)
        await store.ensure_schema()
        for _ in ("at once", "once they are rewritten"):
            for table in ("messages", "message_facts"):
                assert await _usage(store, table) == expected
            await settled(store, indexed=False)


async def _usage(store: AsyncClickHouseStore, table: str) -> list[tuple[object, ...]]:
    columns = sql(
        "SELECT cache_write_1h_tokens, reasoning_tokens, service_tier, web_searches, reported_cost_nanodollars"
        " FROM {table} FINAL ORDER BY ordinal",
        table=Sql(table),
    )
    async with connected(store) as connection:
        return list(zip(*await connection.fetch(columns, {}, timeout=60), strict=True))


def _insert(table: str, row: dict[str, object]) -> Sql:
    return sql(
        "INSERT INTO {table} (org_id, {names}) SELECT 'o', {values}",
        table=Sql(table),
        names=Sql(", ".join(row)),
        values=Sql(", ".join(map(literal, row.values()))),
    )


async def write(store: AsyncClickHouseStore) -> None:
    """Rows as the library wrote them before it sent versions: the server's time filled them in, insert by insert."""
    rows: list[tuple[str, dict[str, object]]] = [
        *_session("s1", "Ärger with the quokka", started_at=at(1)),
        ("tool_calls", {"session_id": "s1", "message_ordinal": 0, "tool_use_id": "t", "input_json": "the Wombat"}),
        ("messages", {"session_id": "s1", "ordinal": 1, "role": "user", "content": "rewritten"}),
        ("messages", {"session_id": "s1", "ordinal": 1, "role": "user", "content": "quokka again"}),
        *_session("child", "a quokka below", relationship_type="subagent"),
        *_session("fork", parent_session_id="s1", relationship_type="fork"),
        *_session("orphan", parent_session_id="s1", total_output_tokens=7),
        *_session("silent", user_message_count=0),
        *_session("marked", "a marked quokka"),
        ("session_deletes", {"session_id": "marked"}),
        *_session("gone", "a quokka that went"),
        ("sessions", {"id": "gone", "_deleted": 1}),
        ("messages", {"session_id": "gone", "ordinal": 0, "_deleted": 1}),
        ("git_links", {"session_id": "s1", "commit_sha": "abcdef12", "link_type": "commit", "confidence": "high"}),
    ]
    async with connected(store) as connection:
        for table, row in rows:
            settings = {"materialize_skip_indexes_on_insert": 0}
            await connection.fetch(_insert(table, row), settings, timeout=60)


def _session(id: str, text: str = "", **fields: object) -> list[tuple[str, dict[str, object]]]:
    messages = [("messages", {"session_id": id, "ordinal": 0, "role": "user", "content": text})] if text else []
    return [*messages, ("sessions", {"id": id, "user_message_count": 1, **fields})]


async def check(store: AsyncClickHouseStore) -> None:
    page = await store.list_sessions("o")
    assert [(one.id, one.commit_count) for one in page.sessions] == [("s1", 1), ("fork", 0)]
    assert page.total == 2
    everybody = await store.list_sessions("o", SessionFilter(include_subagents=True, include_deleted=True))
    assert {one.id for one in everybody.sessions} == {"s1", "fork", "child", "orphan", "marked"}
    found = await store.search("o", SearchQuery(query="QUOKKA"))
    assert [(hit.session_id, hit.ordinal) for hit in found.results] == [("s1", 0), ("s1", 1)]
    assert [hit.role for hit in (await store.search("o", SearchQuery(query="wombat"))).results] == ["tool"]
    assert [one.content for one in await store.get_session_messages("o", "s1")] == [
        "Ärger with the quokka",
        "quokka again",
    ]
    with pytest.raises(NotFoundError):
        await store.get_session("o", "gone")


async def check_codec(store: AsyncClickHouseStore, *, named: bool) -> None:
    """The texts' codec does not depend on the server's default, which was LZ4 where it cannot be named."""
    async with connected(store) as connection:
        tables = sql(
            "SELECT position(create_table_query, 'default_compression_codec = \\'LZ4\\'') > 0 FROM system.tables"
            " WHERE database = currentDatabase() AND name IN ('messages', 'tool_calls')"
        )
        assert await connection.fetch(tables, {}, timeout=60) == [(named, named)]


async def settled(store: AsyncClickHouseStore, *, indexed: bool) -> None:
    """Wait until the rows written before are rewritten, and see that their parts are indexed where that is new."""
    async with connected(store) as connection, asyncio.timeout(60):
        running = 1
        while running:
            columns = await connection.fetch(
                sql("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"),
                {},
                timeout=60,
            )
            running = columns[0][0]
        if indexed:
            state = parts.read_answer(await connection.fetch(parts.query(), {}, timeout=60))
            assert state.has_indexes
            assert (state.sizes["messages"].unindexed, state.sizes["tool_calls"].unindexed) == ((), ())
