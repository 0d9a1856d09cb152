"""Who wrote last, and what is gone: the findings about versions, removals and purges, each in a few steps.

Stores that share a server, packets that arrive late, clocks that stepped, and texts on the disk. The random schedules
of tests/faults have the rest.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import lz4.block
import msgspec
import pytest
import zstandard

from agentstore import (
    AsyncClickHouseStore,
    MessagePin,
    OriginalPart,
    SessionDelete,
    SessionPurgedError,
    SessionStar,
    SourceFile,
    WriteError,
)
from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.protocols import Columns
from agentstore.write import store_numbers, versions
from agentstore.write.looptime import loop_time
from agentstore.write.narrow import NARROW
from agentstore.write.sweep import sweep
from tests.builders import at, call, commit, message, session, touch
from tests.faults.proxy import Fault, Proxy
from tests.live.connections import connected
from tests.live.copies import differences
from tests.live.patience import in_the_end, swallowed
from tests.live.relay import address_of, until
from tests.live.snapshot import snapshot
from tests.live.test_writer import behind_a_proxy, contents, is_published
from tests.servers import Server

HOUR = 3600
LATE = Fault("late", seconds=3600.0)
LATE_CUT = Fault("late_cut", seconds=3600.0)


@pytest.fixture
async def own(server: Server, fresh_database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """A store on a database of its own: what is stored ahead there disturbs nobody else's clock."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        yield store
        assert await differences(store) == []


@asynccontextmanager
async def others(store: AsyncClickHouseStore, count: int = 1) -> AsyncIterator[list[AsyncClickHouseStore]]:
    """More stores on the same database."""
    opened = [AsyncClickHouseStore(store.options) for _ in range(count)]
    try:
        await asyncio.gather(*(one.open() for one in opened))
        yield opened
    finally:
        await asyncio.gather(*(one.aclose() for one in opened))


async def execute(store: AsyncClickHouseStore, *statements: Sql) -> None:
    async with connected(store) as connection:
        for statement in statements:
            await connection.fetch(statement, {}, 60)


async def rows(store: AsyncClickHouseStore, query: Sql) -> list[tuple[object, ...]]:
    async with connected(store) as connection:
        return list(zip(*await connection.fetch(query, {}, 60), strict=True))


def swallow(proxy: Proxy, table: str, fault: Fault = LATE) -> None:
    """The network takes the next attempts to insert into the table, and delivers them when it is told to."""
    proxy.on_insert = lambda into: fault if into == table else None


# --- late attempts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [LATE, LATE_CUT])
async def test_a_late_attempt_does_not_undo_a_later_write_of_another_store(
    server: Server, database: str, store: AsyncClickHouseStore, org: str, fault: Fault
) -> None:
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5) as (first, proxy):
        await in_the_end(lambda: first.write_session(org, session("s")))
        swallow(proxy, "messages", fault)
        one = session("s", display_name="v1")
        await swallowed(proxy, lambda: first.write_session(org, one, [message(0, "v1")]))
        await store.write_session(org, session("s", display_name="v2"), [message(0, "v2")])
        assert await proxy.release_late() > 0
        assert await contents(store, org, "s") == ["v2"]
        delivered = proxy.delivered_late
        swallow(proxy, "sessions", fault)
        await swallowed(proxy, lambda: first.write_session(org, session("s", display_name="v3")))
        await store.write_session(org, session("s", display_name="v4"))
        assert await proxy.release_late() > delivered
        assert (await store.get_session(org, "s")).display_name == "v4"


async def test_a_late_attempt_does_not_bring_back_what_was_deleted_meanwhile(
    server: Server, database: str, org: str
) -> None:
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5) as (store, proxy):
        link, star = commit("s", "abcd123"), SessionStar(session_id="s", user_id="u", created_at=at())
        await in_the_end(lambda: store.write_session(org, session("s")))
        swallow(proxy, "messages")
        rows, calls = [message(0, "secret")], [call(0, input_json="secret")]
        await swallowed(proxy, lambda: store.write_session(org, session("s"), rows, calls))
        swallow(proxy, "git_links")
        await swallowed(proxy, lambda: store.write_git_links(org, [link]))
        swallow(proxy, "session_stars")
        await swallowed(proxy, lambda: store.write_session_stars(org, [star]))
        proxy.heal()
        await in_the_end(lambda: store.delete_sessions(org, ["s"]))
        before = await snapshot(store, org, ["s"])
        assert await proxy.release_late() >= 3
        assert await snapshot(store, org, ["s"]) == before
        await in_the_end(lambda: store.write_session(org, session("s")))
        assert await contents(store, org, "s") == []
        assert await store.get_session_tool_calls(org, "s") == []
        assert (await store.get_session(org, "s")).commit_count == 0


async def test_a_late_replace_does_not_take_away_what_was_written_after_it(
    server: Server, database: str, store: AsyncClickHouseStore, org: str
) -> None:
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5) as (first, proxy):
        old, replaced = [message(n, "old") for n in range(3)], [message(0, "replaced")]
        await in_the_end(lambda: first.write_session(org, session("s"), old))
        swallow(proxy, "session_floors")
        await swallowed(proxy, lambda: first.write_session(org, session("s"), replaced, replace=True))
        await store.write_session(org, session("s"), [message(2, "after")])
        assert await proxy.release_late() > 0
    assert [(one.ordinal, one.content) for one in await store.get_session_messages(org, "s")] == [
        (0, "replaced"),
        (2, "after"),
    ]


async def test_an_attempt_that_is_late_and_its_repetition_are_stored_once(
    server: Server, database: str, org: str
) -> None:
    async with behind_a_proxy(server, database) as (store, proxy):
        await execute(store, sql("SYSTEM STOP MERGES messages"))
        try:
            fates = iter([LATE_CUT, LATE_CUT])
            proxy.on_insert = lambda table: next(fates, None) if table == "messages" else None
            await store.write_session(org, session("s"), [message(0, "once")])
            assert await proxy.release_late() == 2
            stored = await rows(store, sql("SELECT content FROM messages WHERE org_id = {org}", org=org))
            assert stored == [("once",)]
        finally:
            await execute(store, sql("SYSTEM START MERGES messages"))


# --- clocks ---------------------------------------------------------------------------------------------------------


async def store_ahead(store: AsyncClickHouseStore, org: str, id: str, seconds: int = HOUR) -> None:
    """A session with a message as a server whose clock is ahead would have stored them."""
    await execute(
        store,
        sql(
            "INSERT INTO messages (org_id, session_id, ordinal, content, _version)"
            " SELECT {org}, {id}, 0, 'ahead', toUnixTimestamp64Nano(now64(9)) + {ahead}",
            org=org, id=id, ahead=seconds * 10**9,
        ),
        sql(
            "INSERT INTO sessions (org_id, id, display_name, user_message_count, _version)"
            " SELECT {org}, {id}, 'ahead', 1, toUnixTimestamp64Nano(now64(9)) + {ahead}",
            org=org, id=id, ahead=seconds * 10**9,
        ),
    )  # fmt: skip


async def writes_take_effect(store: AsyncClickHouseStore, org: str) -> None:
    """Of three sessions with rows that are ahead: written, replaced, deleted; a reader sees it all."""
    await store.write_session(org, session("written", display_name="now"), [message(0, "now")])
    await store.write_session(org, session("replaced", display_name="now"), [message(1, "now")], replace=True)
    await store.delete_sessions(org, ["deleted"])
    for id in ("written", "replaced"):
        assert (await store.get_session(org, id)).display_name == "now"
        assert await contents(store, org, id) == ["now"]
    assert not await is_published(store, org, "deleted")
    assert await contents(store, org, "deleted") == []


async def test_rows_of_a_server_that_is_ahead_shadow_nothing_of_a_new_store(
    own: AsyncClickHouseStore, org: str
) -> None:
    for id in ("written", "replaced", "deleted"):
        await store_ahead(own, org, id)
    await writes_take_effect(own, org)


@pytest.mark.parametrize("why", ["age", "wall clock", "new connection"])
async def test_an_open_store_looks_again_and_rises_above_them(
    own: AsyncClickHouseStore, org: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own._writer is not None
    await own.write_session(org, session("before"))
    for id in ("written", "replaced", "deleted"):
        await store_ahead(own, org, id)
    if why == "age":  # as if it had looked some seconds ago
        looked_at = own._writer.versions._looked_at
        assert looked_at is not None
        own._writer.versions._looked_at = looked_at - versions._AWAITED_AFTER
    elif why == "wall clock":
        wall = SimpleNamespace(time_ns=lambda: time.time_ns() - HOUR * 10**9)
        monkeypatch.setattr(versions, "time", wall)
    else:
        own._writer.versions.reconnected()
    await writes_take_effect(own, org)


async def test_a_look_that_was_due_is_made_beside_the_writes(own: AsyncClickHouseStore, org: str) -> None:
    assert own._writer is not None
    learner = own._writer.versions
    await own.write_session(org, session("before"))
    await store_ahead(own, org, "written")
    assert learner._looked_at is not None
    learner._looked_at = due = learner._looked_at - versions._RENEWED_AFTER
    await own.write_session(org, session("between"))  # does not wait for it
    await until(lambda: learner._looked_at != due)
    await own.write_session(org, session("written", display_name="now"))
    assert (await own.get_session(org, "written")).display_name == "now"


async def test_stores_that_are_ahead_keep_the_order_of_their_calls(own: AsyncClickHouseStore, org: str) -> None:
    """They looked at different moments, so one is further ahead: each looks again before it writes."""
    await store_ahead(own, org, "ahead")
    async with others(own) as (other,):
        for store in (own, other):
            await store.write_session(org, session("before"))
            await store.write_session(org, session("before"))  # on connections that are there
        for turn in range(3):
            for store, name in ((own, f"own {turn}"), (other, f"other {turn}")):
                assert store._writer is not None
                clock = store._writer.versions._clock
                clock._ahead -= 10**9 if store is other else 0  # as if it had looked two seconds before
                clock._last -= 10**9 if store is other else 0
                await store.write_session(org, session("s", display_name=name))
                assert (await own.get_session(org, "s")).display_name == name


async def test_a_write_waits_for_two_looks_no_longer_than_for_one(
    own: AsyncClickHouseStore, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are ahead, so it waits for the look that is under way and then for one of its own; neither is answered."""
    await store_ahead(own, org, "ahead")
    await own.write_session(org, session("before"))
    assert own._writer is not None
    learner, executor, answered, passed = own._writer.versions, own._open_pool, asyncio.Event(), 0.0

    async def fetch(query: Sql) -> Columns:
        await answered.wait()
        answered.clear()
        return await executor.fetch(query)

    monkeypatch.setattr(learner, "_executor", SimpleNamespace(fetch=fetch))
    monkeypatch.setattr(versions, "loop_time", lambda: loop_time() + passed)
    monkeypatch.setattr(versions, "_LOOK_SECONDS", HOUR)
    first = learner._begin_look()
    waiting = asyncio.create_task(learner.ready(4 * HOUR))
    await asyncio.sleep(0)
    passed = float(HOUR)  # all of its time, and only now the first one is answered
    answered.set()
    async with asyncio.timeout(30):
        await waiting
    assert first.done()
    assert learner._look is not first
    assert not learner._begin_look().done()


async def test_a_look_reads_no_rows_where_none_is_ahead(own: AsyncClickHouseStore, org: str) -> None:
    """So it does not grow with the tables: by the server's plan, of parts just written and of merged ones."""
    for first in (0, 10_000):
        rows_of_it = [message(n, "x") for n in range(first, first + 10_000)]
        await own.write_session(org, session(f"s{first}"), rows_of_it, replace=True)
    now = time.time_ns() + 3600 * 10**9
    for _ in range(2):
        estimate = sql("EXPLAIN ESTIMATE {look}", look=versions.look_statement(now, 0))
        assert sum(int(str(row[3])) for row in await rows(own, estimate)) == 0
        everything = sql("EXPLAIN ESTIMATE {look}", look=versions.look_statement(0, 0))
        assert sum(int(str(row[3])) for row in await rows(own, everything)) >= 20_000
        await execute(own, sql("OPTIMIZE TABLE messages FINAL"))


async def test_a_store_whose_server_is_behind_is_above_what_it_sees(own: AsyncClickHouseStore, org: str) -> None:
    """A replica whose clock is two hours behind: the look at the rows has to save what is written there."""
    async with others(own) as (behind,):
        assert behind._writer is not None
        clock = behind._writer.versions._clock
        learn = clock.learn
        clock.learn = lambda server, **times: learn(server - 2 * HOUR * 10**9, **times)  # type: ignore[method-assign]
        clock._offset = None
        await behind._writer.versions.learn()
        for id in ("written", "replaced", "deleted"):
            await own.write_session(org, session(id, display_name="own"), [message(0, "own")])
        await writes_take_effect(behind, org)


async def delayed(source: asyncio.StreamReader, sink: asyncio.StreamWriter, seconds: float) -> None:
    """Copies what comes, each piece ``seconds`` after it came, without holding up the next one."""
    loop = asyncio.get_running_loop()
    while data := await source.read(65536):
        loop.call_later(seconds, sink.write, data)


@asynccontextmanager
async def far_away(store: AsyncClickHouseStore, there: float, back: float) -> AsyncIterator[AsyncClickHouseStore]:
    """A store whose packets take so long to the server, and back."""
    address = (
        await address_of(Server(f"local:{store.options.local_path}", lambda: None))
        if store.options.local_path
        else store.options
    )
    pumps: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(address.host, address.native_port)
        pumps.append(asyncio.create_task(delayed(reader, server_writer, there)))
        pumps.append(asyncio.create_task(delayed(server_reader, writer, back)))
        try:
            await asyncio.wait(pumps[-2:], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (writer, server_writer):
                one.transport.abort()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = listener.sockets[0].getsockname()[1]
        options = msgspec.structs.replace(address, host="127.0.0.1", port=port, database=store.options.database)
        async with AsyncClickHouseStore(options) as far:
            yield far
    finally:
        listener.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        await listener.wait_closed()


@pytest.mark.parametrize(("there", "back"), [(0.0, 0.2), (0.2, 0.0), (0.1, 0.1)])
async def test_stores_near_and_far_write_one_after_the_other(
    own: AsyncClickHouseStore, org: str, there: float, back: float
) -> None:
    """Of calls that follow each other the last one is read, whichever store learned the time from slow answers."""
    async with far_away(own, there, back) as far:
        for n in range(3):
            for name, store in (("near", own), ("far", far)):
                await store.write_session(org, session("s", display_name=f"{name} {n}"))
                assert (await own.get_session(org, "s")).display_name == f"{name} {n}"


async def test_two_stores_never_draw_the_same_version(own: AsyncClickHouseStore) -> None:
    async with others(own, 50) as opened:
        learners = [store._writer.versions for store in opened if store._writer is not None]
        await asyncio.gather(*(learner.ready(30.0) for learner in learners))
        assert len({learner._id for learner in learners}) == 50
        drawn = [learner.draw()[0] for _ in range(200) for learner in learners]
        assert len(set(drawn)) == len(drawn)


async def test_a_number_that_is_held_is_not_given_again(own: AsyncClickHouseStore) -> None:
    """Claims made one after the other while all others are held, from as few numbers as there are claims."""
    pool = own._open_pool
    claimed = [await store_numbers.claim(pool) for _ in range(20)]
    assert len({id for id, _ in claimed}) == len({token for _, token in claimed}) == 20


# --- replaces -------------------------------------------------------------------------------------------------------


async def test_overlapping_replaces_of_two_stores_end_as_one_of_the_two(store: AsyncClickHouseStore, org: str) -> None:
    async with others(store) as (other,):
        for n in range(20):
            # Rows that the other one does not mention, and rows that both do.
            first, second = range(40), range(20, 60)
            await asyncio.gather(
                store.write_session(
                    org, session("s", display_name=f"a{n}"), [message(i, f"a{n}") for i in first],
                    [call(i, tool_use_id="t", input_json=f"a{n}") for i in first], replace=True,
                ),
                other.write_session(
                    org, session("s", display_name=f"b{n}"), [message(i, f"b{n}") for i in second],
                    [call(i, tool_use_id="t", input_json=f"b{n}") for i in second], replace=True,
                ),
            )  # fmt: skip
            name = (await store.get_session(org, "s")).display_name
            expected = first if name == f"a{n}" else second
            found = await store.get_session_messages(org, "s")
            assert [(one.ordinal, one.content) for one in found] == [(i, name) for i in expected]
            calls = await other.get_session_tool_calls(org, "s")
            assert [(one.message_ordinal, one.input_json) for one in calls] == [(i, name) for i in expected]


# --- flush, cancellation --------------------------------------------------------------------------------------------


async def test_flush_waits_for_a_batch_whose_caller_was_told(server: Server, database: str, org: str) -> None:
    async with behind_a_proxy(server, database, write_timeout_seconds=0.3) as (store, _):
        assert store._writer is not None
        batcher = store._writer._batchers["messages"]
        begun, held = asyncio.Event(), asyncio.Event()
        inserted = batcher._sink.insert

        async def insert(*arguments: object) -> None:  # an attempt that goes on when its caller has been told
            begun.set()
            with anyio.CancelScope(shield=True):
                await held.wait()
            await inserted(*arguments)  # type: ignore[arg-type]  # as it was called

        batcher._sink = SimpleNamespace(insert=insert)
        while not begun.is_set():  # on a busy machine its time may be up before
            with pytest.raises(WriteError):
                await store.write_session(org, session("s"), [message(0)])
        flushing = asyncio.create_task(store.flush())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not flushing.done()
        held.set()
        await flushing
        assert store.statistics()["messages"].waiting_rows == 0


async def test_a_cancelled_call_larger_than_the_room_is_stored_whole(server: Server, database: str, org: str) -> None:
    options: dict[str, Any] = {"waiting_rows": 500, "batch_rows": 250}
    async with AsyncClickHouseStore(server.dsn, database=database, **options) as store:
        old, new = [message(n, "old") for n in range(5000)], [message(n, "new") for n in range(5000)]
        await store.write_session(org, session("s", display_name="old"), old)
        writing = asyncio.create_task(store.write_session(org, session("s", display_name="new"), new))
        await until(lambda: store.statistics()["messages"].accepted_rows > 5000)
        assert store.statistics()["messages"].accepted_rows < 10_000
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await store.flush()
        assert set(await contents(store, org, "s")) == {"new"}
        assert (await store.get_session(org, "s")).display_name == "new"


# --- sweeping -------------------------------------------------------------------------------------------------------


async def test_a_sweep_changes_nothing_that_is_read_and_empties_the_floors(own: AsyncClickHouseStore) -> None:
    orgs, ids = ["one", "two"], [f"s{n}" for n in range(6)]
    for org in orgs:
        for id in ids:
            await own.write_session(org, session(id), [message(n, f"e {n}") for n in range(4)], [call(0), call(1)])
            await own.write_git_links(org, [commit(id, "abcd123")])
            await own.write_session_stars(org, [SessionStar(session_id=id, created_at=at())])
            await own.write_message_pins(org, [MessagePin(session_id=id, created_at=at())])
        await own.delete_sessions(org, ids[:2])
        await own.write_session(org, session("s1"), [message(3, "e again")])
        await own.write_session(org, session("s2"), [message(1, "e rest")], [call(1)], replace=True)
        await own.write_session(org, session("s3"), replace=True)
    before = [await snapshot(own, org, ids) for org in orgs]
    floors = sql("SELECT count() FROM session_floors FINAL WHERE scope != 'purged'")
    assert await rows(own, floors) != [(0,)]
    while await sweep(own._open_pool, older_than_seconds=0):
        pass
    assert await rows(own, floors) == [(0,)]
    assert [await snapshot(own, org, ids) for org in orgs] == before
    assert await differences(own) == []  # the tombstones were copied as well
    for org in orgs:  # what was swept away does not hide what is written from now on
        await own.write_session(org, session("s0"), [message(0, "e new")])
        assert await contents(own, org, "s0") == ["e new"]


# --- purging --------------------------------------------------------------------------------------------------------

# Letters in a row that nothing else contains: short enough to be one token of the text indexes.
MARK = "\u2603zq"
# Tables with rows of sessions that hold no text.
HASHES_ONLY = {"message_sources", "git_link_facts"}


async def write_everywhere(store: AsyncClickHouseStore, org: str, id: str, **fields: object) -> None:
    """Text of a session in every table that takes some, in several parts, rewritten and merged."""
    text = f"{MARK} {id} " * 20
    for _ in range(3):
        await store.write_session(
            org,
            session(id, first_message=text, display_name=text, project_name=text, **fields),
            [message(n, text, token_usage=text, model=text, source_id=f"{id}-{n}") for n in range(10)],
            [call(0, tool_use_id=f"t{n}", tool_name=text, input_json=text, result_content=text) for n in range(3)],
        )
        await store.write_git_links(org, [commit(id, "abcd123", user_id=text)])
        await store.write_file_touches(org, [touch(id, text.strip(), moved_to=text)])
        await store.write_session_stars(org, [SessionStar(session_id=id, user_id=text, created_at=at())])
        await store.write_message_pins(org, [MessagePin(session_id=id, note=text, created_at=at())])
        await store.write_session_deletes(org, [SessionDelete(session_id=id, user_id=text, created_at=at())])
        packed = text.encode()
        await store.write_originals(org, [OriginalPart(original_id=f"o-{id}", session_id=id, data=packed)])
        file = SourceFile(path=text, root=text, session_ids=(id,), original_id=f"o-{id}", state=packed, facts=packed)
        await store.write_source_files(org, [file])


async def tables_with_sessions(store: AsyncClickHouseStore) -> dict[str, str]:
    """Every table that has a session's id or its hash, as the server knows them, and the column; or several ids."""
    found = await rows(
        store,
        sql(
            "SELECT table, min(name) FROM system.columns"
            " WHERE database = currentDatabase() AND table NOT LIKE '%\\_view' AND table != 'writers'"
            " AND name IN ('id', 'session', 'session_id', 'session_ids') GROUP BY table"
        ),
    )
    return {str(table): str(column) for table, column in found}


def of_sessions(column: str, ids: Iterable[str]) -> Sql:
    """The condition that such a column is about one of the sessions."""
    if column == "session":
        return join(" OR ", [sql("session = reinterpretAsUInt128(sipHash128({id}))", id=id) for id in ids])
    return sql("{column} IN {ids}", column=identifier(column), ids=tuple(ids))


async def texts_left(store: AsyncClickHouseStore, org: str, ids: Iterable[str]) -> dict[str, int]:
    """Rows of the sessions by table that have text: read from the parts as they are, tombstones and all versions."""
    left = {}
    for table, column in (await tables_with_sessions(store)).items():
        columns = await rows(
            store,
            sql(
                "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table}"
                " AND type IN ('String', 'LowCardinality(String)', 'Array(String)')",
                table=table,
            ),
        )
        marked = join(
            " OR ",
            [
                sql("position(toString({column}), {mark}) > 0", column=identifier(str(name)), mark=MARK)
                for (name,) in columns
            ],
        )
        query = sql(
            "SELECT count() FROM {table} WHERE org_id = {org} AND ({theirs}) AND ({marked})"
            " SETTINGS apply_mutations_on_fly = 0, use_skip_indexes = 0",
            table=identifier(table), org=org, theirs=of_sessions(column, ids), marked=marked,
        )  # fmt: skip
        ((count,),) = await rows(store, query)
        left[table] = int(str(count))
    return left


DECOMPRESS: dict[int, Callable[[bytes, int], bytes]] = {
    0x02: lambda data, size: data,
    0x82: lambda data, size: bytes(lz4.block.decompress(data, uncompressed_size=size)),
    0x90: lambda data, size: zstandard.ZstdDecompressor().decompress(data, max_output_size=size),
}


async def files_with_mark(store: AsyncClickHouseStore) -> set[str]:
    """Names of files of active parts that hold the mark, as they are or where they are compressed."""
    paths = await rows(store, sql("SELECT table, path FROM system.parts WHERE active AND database = currentDatabase()"))
    found = set()
    for table, path in ((table, Path(str(path))) for table, path in paths):
        assert path.is_dir(), path
        for file in path.iterdir():
            raw = file.read_bytes()
            if MARK.encode() in raw or MARK.encode() in b"".join(decompressed(raw)):
                found.add(f"{table}/{file.name}")
    return found


def decompressed(raw: bytes) -> Iterator[bytes]:
    """The blocks of a compressed file: checksum, method, both sizes, data. What is no such file has none."""
    position = 0
    while position + 25 <= len(raw):
        method, packed, size = struct.unpack_from("<BII", raw, position + 16)
        if method not in DECOMPRESS or not 9 <= packed <= len(raw) - position - 16:
            return
        yield DECOMPRESS[method](raw[position + 25 : position + 16 + packed], size)
        position += 16 + packed


async def test_a_purge_leaves_no_text_in_any_table_that_has_a_sessions_id(own: AsyncClickHouseStore, org: str) -> None:
    await write_everywhere(own, org, "root")
    await write_everywhere(own, org, "child", parent_session_id="root", relationship_type="subagent")
    await write_everywhere(own, org, "grandchild", parent_session_id="child")
    await write_everywhere(own, org, "fork", parent_session_id="root", relationship_type="fork")
    purged = ["root", "child", "grandchild"]
    before = await texts_left(own, org, purged)
    assert {table for table, count in before.items() if not count} == HASHES_ONLY
    fork = await snapshot(own, org, ["fork"])
    result = await own.purge_sessions(org, ["root"])
    assert sorted(result.session_ids) == sorted(purged)
    assert set((await texts_left(own, org, purged)).values()) == {0}
    for copy in NARROW:  # but for the tombstones of the sessions themselves: also of what holds hashes only
        query = "SELECT count() FROM {copy} WHERE org_id = {org} AND ({theirs}) AND _deleted = 0"
        theirs = of_sessions(copy.key[0], purged)
        assert await rows(own, sql(query, copy=identifier(copy.name), org=org, theirs=theirs)) == [(0,)]
    kept = await texts_left(own, org, ["fork"])
    # That one repeats the names of a subagent's root, and of copies; the fork is neither.
    assert all(kept[table] for table in before if before[table] and table != "session_floors")
    after = await snapshot(own, org, ["fork"])
    assert {name: after[name] for name in after if "fork" in name} == {n: fork[n] for n in fork if "fork" in n}
    for id in purged:
        assert not await is_published(own, org, id)
        assert await contents(own, org, id) == []
        with pytest.raises(SessionPurgedError) as refused:
            await own.write_session(org, session(id), [message(0, "again")])
        assert refused.value.session_ids == (id,)


async def test_a_purge_takes_the_text_out_of_the_files(own: AsyncClickHouseStore, org: str) -> None:
    """What was found in columns and text indexes before the purge, byte by byte and decompressed, is gone after it.

    This looks at the files of active parts. It says nothing of inactive ones, nor of blocks that the file system freed.
    """
    if not own.options.local_path:
        pytest.skip("the server's files are on another machine")
    await write_everywhere(own, org, "gone")
    await own.write_session(org, session("stays"), [message(0, "plain")])
    tables = await tables_with_sessions(own)
    await execute(own, *(sql("OPTIMIZE TABLE {table} FINAL", table=identifier(table)) for table in tables))
    found = await files_with_mark(own)
    assert {name.split("/")[0] for name in found} == {*tables} - {"session_floors", *HASHES_ONLY}
    for index in ("messages/skp_idx_content_text", "tool_calls/skp_idx_input_text", "tool_calls/skp_idx_result_text"):
        assert any(name.startswith(index) for name in found), index
    await own.purge_sessions(org, ["gone"])
    assert await files_with_mark(own) == set()
    assert await contents(own, org, "stays") == ["plain"]


async def test_a_late_attempt_does_not_bring_back_a_purged_session(server: Server, database: str, org: str) -> None:
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5) as (store, proxy):
        await in_the_end(lambda: store.write_session(org, session("s")))
        swallow(proxy, "messages")
        await swallowed(proxy, lambda: store.write_session(org, session("s"), [message(0, "secret")]))
        proxy.heal()
        await in_the_end(lambda: store.purge_sessions(org, ["s"]))
        assert await proxy.release_late() > 0
        assert await contents(store, org, "s") == []
        await in_the_end(lambda: store.restore_sessions(org, ["s"]))
        await in_the_end(lambda: store.write_session(org, session("s"), [message(1, "new")]))
        assert await contents(store, org, "s") == ["new"]


async def test_another_store_refuses_a_purged_session_when_it_has_looked(store: AsyncClickHouseStore, org: str) -> None:
    async with others(store, 2) as (writing, idle):
        assert writing._writer is not None
        await writing.write_session(org, session("s"), [message(0)])
        await store.purge_sessions(org, ["s"])
        for other in (writing, idle):
            if other is writing:  # as if its look were some seconds old
                looked_at = writing._writer.versions._looked_at
                assert looked_at is not None
                writing._writer.versions._looked_at = looked_at - versions._AWAITED_AFTER
            for write in (
                other.write_session(org, session("s"), [message(0)]),
                other.write_batch(org, [session("t")], [message(0, session_id="s")]),
                other.write_git_links(org, [commit("s", "abcd123")]),
                other.write_session_stars(org, [SessionStar(session_id="s")]),
            ):
                with pytest.raises(SessionPurgedError):
                    await write
            await other.delete_sessions(org, ["s"])  # removing it once more is no writing
            await other.write_session(org, session("t"))
        assert not await is_published(store, org, "s")


async def test_a_restored_session_can_be_written_by_every_store(store: AsyncClickHouseStore, org: str) -> None:
    async with others(store, 2) as (restoring, later):
        await store.write_session(org, session("s"), [message(0, "old"), message(1, "old")])
        await store.purge_sessions(org, ["s"])
        with pytest.raises(SessionPurgedError):
            await restoring.write_session(org, session("s"))
        await restoring.restore_sessions(org, ["s"])
        await restoring.write_session(org, session("s"), [message(0, "new")])
        await later.write_session(org, session("s"), [message(2, "later")])
        # The one that purged learns of it with its next look.
        assert store._writer is not None
        store._writer.versions._expired = True
        await store.write_session(org, session("s"), [message(3, "latest")])
        assert await contents(store, org, "s") == ["new", "later", "latest"]
