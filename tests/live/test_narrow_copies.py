"""The narrow copies (ddl/0011) after what may go wrong: views that fail, repetitions, purges cut short, late copies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, WriteError
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, identifier, sql
from agentstore.errors import QueryError
from agentstore.write.mending import Mender
from agentstore.write.narrow import NARROW, Narrow
from agentstore.write.sweep import sweep
from tests.builders import call, commit, message, session
from tests.faults.proxy import Fault
from tests.live.connections import connected
from tests.live.copies import differences
from tests.live.relay import until
from tests.live.test_profiles import opened
from tests.live.test_purge_edges import contents
from tests.live.test_writer import behind_a_proxy
from tests.servers import Server

every_copy = pytest.mark.parametrize("copy", NARROW, ids=lambda copy: copy.name)


@pytest.fixture
async def own(server: Server, fresh_database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """A store on a database of its own: its tables are altered."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        yield store


async def fetch(store: AsyncClickHouseStore, query: Sql) -> list[tuple[Any, ...]]:
    async with connected(store) as connection:
        return list(zip(*await connection.fetch(query, {}, 60), strict=True))


async def write(store: AsyncClickHouseStore, id: str, org: str = "o") -> None:
    messages = [message(n, f"secret {n}", model="m", output_tokens=1) for n in range(3)]
    await store.write_session(org, session(id, first_message="secret"), messages, [call(1), call(2)])
    await store.write_git_links(org, [commit(id, "abcd123")])


async def copied(store: AsyncClickHouseStore, id: str, org: str = "o") -> dict[str, int]:
    """Rows of a session in each copy that are no tombstones, of all versions."""
    query = "SELECT count() FROM {copy} WHERE org_id = {org} AND {theirs} AND _deleted = 0"
    found = {}
    for copy in NARROW:
        ((count,),) = await fetch(store, sql(query, copy=identifier(copy.name), org=org, theirs=copy.of_sessions([id])))
        found[copy.name] = count
    return found


@every_copy
async def test_a_purge_that_ends_in_the_middle_is_finished_by_the_next(
    own: AsyncClickHouseStore, monkeypatch: pytest.MonkeyPatch, copy: Narrow
) -> None:
    await write(own, "s")
    await write(own, "stays")
    execute = Pool.execute

    async def refused(self: Pool, statement: Sql, settings: Mapping[str, Any] | None = None, **options: Any) -> Any:
        if statement.text.startswith(f"ALTER TABLE `{copy.name}` DELETE"):
            raise QueryError("in this test", code=1)
        return await execute(self, statement, settings, **options)

    with monkeypatch.context() as broken:
        broken.setattr(Pool, "execute", refused)
        with pytest.raises(WriteError, match=f"may still be in parts of {copy.name}"):
            await own.purge_sessions("o", ["s"])
    assert (await copied(own, "s"))[copy.name] > 0
    assert "secret 0" in await contents(own, "o")  # of the other session
    await own.purge_sessions("o", ["s"])
    assert set((await copied(own, "s")).values()) == {0}
    assert all((await copied(own, "stays")).values())


async def test_a_copy_that_arrives_after_its_row_was_purged_is_swept_with_the_floor(own: AsyncClickHouseStore) -> None:
    """As where a view is held up between the row and its copy: the row is erased, and nothing says it was there."""
    await write(own, "s")
    late = {}
    for copy in NARROW:
        await fetch(
            own, sql("CREATE TABLE {late} AS {copy}", late=identifier(f"late_{copy.name}"), copy=identifier(copy.name))
        )
        await fetch(
            own,
            sql(
                "INSERT INTO {late} SELECT * FROM {copy}",
                late=identifier(f"late_{copy.name}"),
                copy=identifier(copy.name),
            ),
        )
        late[copy.name] = (await copied(own, "s"))[copy.name]
    await own.purge_sessions("o", ["s"])
    for copy in NARROW:
        await fetch(
            own,
            sql(
                "INSERT INTO {copy} SELECT * FROM {late}",
                late=identifier(f"late_{copy.name}"),
                copy=identifier(copy.name),
            ),
        )
    assert await copied(own, "s") == late
    while await sweep(own._open_pool, older_than_seconds=0):
        pass
    for copy in NARROW:
        query = sql(
            "SELECT count() FROM {copy} FINAL WHERE {theirs}",
            copy=identifier(copy.name),
            theirs=copy.of_sessions(["s"]),
        )
        assert await fetch(own, query) == [(0,)], copy.name


# --- inserts --------------------------------------------------------------------------------------------------------


@every_copy
async def test_a_write_goes_on_until_its_copy_is_stored(own: AsyncClickHouseStore, copy: Narrow) -> None:
    await write(own, "before")
    name = identifier(copy.name)
    await fetch(own, sql("SYSTEM STOP MERGES {copy}", copy=name))
    limit = sql("ALTER TABLE {copy} MODIFY SETTING parts_to_delay_insert = 1, parts_to_throw_insert = 1", copy=name)
    await fetch(own, limit)
    writing = asyncio.create_task(write(own, "s"))
    await until(lambda: own.statistics()[copy.of.name].retries > 1)
    assert not writing.done()
    await fetch(own, sql("ALTER TABLE {copy} RESET SETTING parts_to_delay_insert, parts_to_throw_insert", copy=name))
    await writing
    assert await differences(own) == []


@pytest.mark.parametrize("forgotten", [False, True])
async def test_what_is_sent_again_counts_once(server: Server, own: AsyncClickHouseStore, forgotten: bool) -> None:
    """Also where the server has forgotten by then that it knows the block, and stores it once more."""
    async with behind_a_proxy(server, own.options.database, write_timeout_seconds=60) as (store, proxy):
        if forgotten:
            for table in ("sessions", "messages", "tool_calls", "git_links"):
                setting = "ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0"
                await fetch(own, sql(setting, table=identifier(table)))
        seen = set[str]()

        def once(table: str) -> Fault | None:
            if table in seen:
                return None
            seen.add(table)
            return Fault("late_cut", seconds=0.0)

        proxy.on_insert = once
        await write(store, "s")
        await proxy.release_late()
        assert {"sessions", "messages", "tool_calls", "git_links"} <= seen
    assert await differences(own) == []
    assert set((await counted(own)).values()) == {1, 2, 3}


async def counted(store: AsyncClickHouseStore) -> dict[str, int]:
    found = {}
    for copy in NARROW:
        ((count,),) = await fetch(store, sql("SELECT count() FROM {copy} FINAL", copy=identifier(copy.name)))
        found[copy.name] = count
    return found


async def test_an_insert_of_several_blocks_is_copied_whole(own: AsyncClickHouseStore) -> None:
    messages = [message(n, f"{n} " * 2000, session_id="s") for n in range(3000)]
    await own.write_batch("o", [session("s")], messages)
    assert (await counted(own))["message_facts"] == 3000
    assert await differences(own) == []


@pytest.mark.parametrize(
    "settings",
    [
        "materialized_views_ignore_errors = 1",
        "deduplicate_blocks_in_dependent_materialized_views = 0",
        "parallel_view_processing = 1",
        "use_async_executor_for_materialized_views = 1",
        "min_insert_block_size_rows_for_materialized_views = 1, min_insert_block_size_bytes_for_materialized_views = 1",
        "insert_deduplicate = 0, optimize_on_insert = 0, max_insert_block_size = 2, max_block_size = 2",
    ],
)
async def test_a_copy_that_fails_fails_the_insert_whatever_a_profile_says(
    server: Server, own: AsyncClickHouseStore, profile: list[str], settings: str
) -> None:
    profile.append(settings)
    await fetch(own, sql("SYSTEM STOP MERGES message_facts"))
    async with opened(server, own.options.database, write_timeout_seconds=60) as store:
        await write(store, "before")
        await fetch(
            own, sql("ALTER TABLE message_facts MODIFY SETTING parts_to_delay_insert = 1, parts_to_throw_insert = 1")
        )
        writing = asyncio.create_task(write(store, "s"))
        await until(lambda: writing.done() or store.statistics()["messages"].retries > 1)
        assert not writing.done()
        await fetch(own, sql("ALTER TABLE message_facts RESET SETTING parts_to_delay_insert, parts_to_throw_insert"))
        await writing
    assert await differences(own) == []


async def test_a_view_that_refuses_a_row_takes_no_other_with_it(own: AsyncClickHouseStore) -> None:
    """Ours refuse none; somebody may have made another. The row is stored by then, so nobody is told that it is not."""
    await fetch(own, sql("CREATE TABLE strict (n UInt8) ENGINE = MergeTree ORDER BY n"))
    await fetch(
        own, sql("CREATE MATERIALIZED VIEW strict_view TO strict AS SELECT throwIf(content = 'bad') AS n FROM messages")
    )
    texts = ["good", "bad", *["good"] * 6]
    writes = [own.write_session("o", session(f"s{n}"), [message(0, text)]) for n, text in enumerate(texts)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [index for index, outcome in enumerate(outcomes) if outcome is not None] == [1]
    assert isinstance(outcomes[1], WriteError)
    assert "are not known to be stored" in str(outcomes[1])
    for n in (0, *range(2, 8)):
        assert [one.content for one in await own.get_session_messages("o", f"s{n}")] == ["good"]
    await fetch(own, sql("DROP TABLE strict_view SYNC"))
    await Mender(own._open_pool).mend()
    assert await differences(own) == []
