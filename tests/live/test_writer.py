"""The writer's guarantees on a real server, one after the other; what breaks the network is in tests/faults."""

from __future__ import annotations

import asyncio
import gc
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, Message, NotFoundError, StoreClosedError, WriteError
from agentstore.connection.dial import dial
from agentstore.connection.sql import Sql, sql
from agentstore.local.client.acquire import acquire
from agentstore.schema.plan import drop_database
from agentstore.settings import resolve_target
from tests.builders import at, call, commit, message, session
from tests.faults.proxy import Fault, Proxy
from tests.servers import Server

LONG = Fault("stall_answer", seconds=3600.0)


@asynccontextmanager
async def behind_a_proxy(
    server: Server, database: str, **options: Any
) -> AsyncIterator[tuple[AsyncClickHouseStore, Proxy]]:
    """A store that reaches the server through a proxy."""
    found = resolve_target(server.dsn, {"database": database})
    address: dict[str, Any]
    if found.local_path:
        endpoint = await acquire(found.local_path)
        address = {"host": endpoint.host, "port": endpoint.port, "user": endpoint.user, "password": endpoint.password}
    else:
        address = {"host": found.host, "port": found.native_port, "user": found.user, "password": found.password}
    async with Proxy((str(address["host"]), int(str(address["port"])))) as proxy:
        address |= {"host": "127.0.0.1", "port": proxy.port, "local_path": ""}
        async with AsyncClickHouseStore(found, **address, **options) as store:
            yield store, proxy


@asynccontextmanager
async def altered(server: Server, change: Sql) -> AsyncIterator[AsyncClickHouseStore]:
    """A store on a database of its own, one of whose tables was changed."""
    name = f"agentstore_test_{uuid.uuid4().hex[:12]}"
    options = resolve_target(server.dsn, {"database": name})
    async with AsyncClickHouseStore(options) as store:
        await store.ensure_schema()
        connection = await dial(options, name)
        try:
            await connection.fetch(change, {}, 60)
            yield store
        finally:
            await connection.fetch(drop_database(name), {}, 60)
            await connection.close()


@pytest.fixture
async def picky(server: Server) -> AsyncIterator[AsyncClickHouseStore]:
    """A store whose server refuses a batch of messages if one of them has a long source_id (code 131)."""
    async with altered(server, sql("ALTER TABLE messages MODIFY COLUMN source_id FixedString(8)")) as store:
        yield store


def poison(ordinal: int) -> Message:
    """A message that the server of ``picky`` refuses."""
    return message(ordinal, source_id="longer than eight")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # what it looks at has no event
            await asyncio.sleep(0.005)


async def contents(store: AsyncClickHouseStore, org: str, id: str) -> list[str]:
    return [one.content for one in await store.get_session_messages(org, id)]


async def is_published(store: AsyncClickHouseStore, org: str, id: str) -> bool:
    try:
        await store.get_session(org, id)
    except NotFoundError:
        return False
    return True


# --- 1. acknowledged = committed ------------------------------------------------------------------------------------


async def test_what_was_acknowledged_is_there(store: AsyncClickHouseStore, org: str) -> None:
    async def write(id: str) -> None:
        await store.write_session(org, session(id), [message(n, id) for n in range(3)], [call(0, tool_use_id="t")])
        assert await contents(store, org, id) == [id] * 3
        assert len(await store.get_session_tool_calls(org, id)) == 1
        assert await is_published(store, org, id)

    await asyncio.gather(*(write(f"s{n}") for n in range(20)))


async def test_concurrent_calls_share_their_inserts(store: AsyncClickHouseStore, org: str) -> None:
    await asyncio.gather(*(store.write_session(org, session(f"s{n}"), [message(0)]) for n in range(50)))
    figures = store.statistics()["messages"]
    assert figures.rows_written == 50
    assert figures.batches_written < 10
    assert figures.largest_batch_rows > 10


async def test_submitted_writes_are_awaited_later(store: AsyncClickHouseStore, org: str) -> None:
    receipts = [store.submit_session(org, session(f"s{n}"), [message(0, f"s{n}")]) for n in range(200)]
    assert not any(receipt.done() for receipt in receipts)
    for receipt in receipts:
        assert await receipt is receipt
    assert [await contents(store, org, f"s{n}") for n in (0, 99, 199)] == [["s0"], ["s99"], ["s199"]]


async def test_a_failed_receipt_nobody_awaits_is_logged_and_counted(
    picky: AsyncClickHouseStore, org: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "agentstore.write"):
        picky.submit_session(org, session("s"), [poison(0)])
        await picky.flush()
        await until(lambda: gc.collect() >= 0 and picky.statistics()["messages"].unobserved_failures == 1)
    assert [record.getMessage() for record in caplog.records if "nobody awaited" in record.getMessage()]


# --- 2. order -------------------------------------------------------------------------------------------------------


async def test_a_session_that_is_seen_is_complete(store: AsyncClickHouseStore, org: str) -> None:
    """A reader looks all the time; the first sight of a session, and every later one, has all of it."""
    seen, done = set(), asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            for found in (await store.list_sessions(org)).sessions:
                if found.id not in seen:
                    seen.add(found.id)
                    assert len(await store.get_session_messages(org, found.id)) == 4
                    assert len(await store.get_session_tool_calls(org, found.id)) == 3
                    assert len(await store.get_session_git_links(org, found.id)) == 1

    async def write(id: str) -> None:
        link = store.submit_git_links(org, [commit(id, "abc1234")])
        calls = [call(0, tool_use_id=f"t{n}") for n in range(3)]
        await store.write_session(org, session(id), [message(n) for n in range(4)], calls)
        await link

    reader = asyncio.create_task(read())
    for wave in range(3):
        await asyncio.gather(*(write(f"s{wave}-{n}") for n in range(8)))
    await until(lambda: len(seen) == 24 or reader.done())
    done.set()
    await reader


async def test_the_last_write_of_a_task_wins_however_it_was_made(store: AsyncClickHouseStore, org: str) -> None:
    for n in range(30):
        store.submit_session(org, session("s", display_name=f"submitted {n}"), [message(0, f"submitted {n}")])
    await store.write_session(org, session("s", display_name="written"), [message(0, "written")])
    assert await contents(store, org, "s") == ["written"]
    assert (await store.get_session(org, "s")).display_name == "written"
    last = [store.submit_session(org, session("s", display_name=f"{n}"), [message(0, f"{n}")]) for n in range(30)]
    await store.flush()
    assert all(receipt.done() for receipt in last)
    assert await contents(store, org, "s") == ["29"]


async def test_replaces_can_be_submitted_in_a_row(store: AsyncClickHouseStore, org: str) -> None:
    first = store.submit_session(org, session("s"), [message(n, "old") for n in range(5)])
    second = store.submit_session(org, session("s"), [message(n, "new") for n in range(3)], replace=True)
    third = store.submit_session(org, session("s"), [message(1, "newest")], replace=True)
    fourth = store.submit_session(org, session("s"), [message(2, "more")])
    async with asyncio.timeout(30):
        for receipt in (first, second, third, fourth):
            await receipt
    assert await contents(store, org, "s") == ["newest", "more"]


async def test_a_replace_keeps_what_it_writes_though_its_key_is_not_valid_text(
    store: AsyncClickHouseStore, org: str
) -> None:
    for _ in range(2):
        await store.write_session(org, session("s"), [], [call(0, tool_use_id="a\ud800")], replace=True)
    assert [one.tool_use_id for one in await store.get_session_tool_calls(org, "s")] == ["a\ufffd"]


async def test_a_refused_write_lets_nothing_overtake_what_was_submitted_before_it(
    store: AsyncClickHouseStore, org: str
) -> None:
    old = store.submit_session(org, session("s"), [message(n, "old") for n in range(8000)])
    bad = store.submit_session(org, session("bad"), [message(-1)])
    cancelled = store.submit_session(org, session("cancelled"), [message(0)])
    new = store.submit_session(org, session("s"), [message(0, "new")])
    cancelled.task.cancel()
    with pytest.raises(InvalidArgumentError):
        await bad
    assert not old.done()
    await old
    await new
    found = await contents(store, org, "s")
    assert (found[0], found[1], len(found)) == ("new", "old", 8000)
    assert not await is_published(store, org, "cancelled")


# --- 3. no loss, no double: also tests/faults -----------------------------------------------------------------------


async def test_an_insert_whose_answer_was_lost_is_stored_once(server: Server, database: str, org: str) -> None:
    async with behind_a_proxy(server, database) as (store, proxy):
        fates = iter([Fault("cut_answer"), Fault("cut", at_byte=40), Fault("refuse", code=241), None])
        proxy.on_insert = lambda table: next(fates, None) if table == "messages" else None
        await store.write_session(org, session("s"), [message(0, "once"), message(1, "once")])
        figures = store.statistics()["messages"]
        assert len(proxy.faults) >= 2
        assert (figures.rows_written, figures.batches_written, figures.retries) == (2, 1, len(proxy.faults))
        assert await contents(store, org, "s") == ["once", "once"]


async def test_at_the_deadline_each_call_gets_its_own_error(server: Server, database: str, org: str) -> None:
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5) as (store, proxy):
        proxy.on_insert = lambda table: LONG
        calls = [store.write_session(org, session(f"s{n}"), [message(n)]) for n in range(3)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        for n, error in enumerate(errors):
            assert isinstance(error, WriteError), error
            assert (error.table, error.keys, error.retriable) == ("messages", ((org, f"s{n}", n),), True)
            assert [other.table for other in error.others] == ["sessions"]
        proxy.heal()
        assert not await is_published(store, org, "s0")


# --- 4. poison ------------------------------------------------------------------------------------------------------


async def test_only_the_callers_of_bad_rows_fail(picky: AsyncClickHouseStore, org: str) -> None:
    bad = {3: [1], 11: [0, 2], 12: [4]}

    async def write(n: int) -> BaseException | None:
        rows = [poison(i) if i in bad.get(n, ()) else message(i) for i in range(5)]
        try:
            await picky.write_session(org, session(f"s{n}"), rows)
        except WriteError as error:
            return error
        return None

    outcomes = await asyncio.gather(*(write(n) for n in range(20)))
    for n, outcome in enumerate(outcomes):
        assert await is_published(picky, org, f"s{n}") is (n not in bad)
        assert len(await contents(picky, org, f"s{n}")) == 5 - len(bad.get(n, ()))
        if isinstance(outcome, WriteError):
            assert outcome.keys == tuple((org, f"s{n}", i) for i in bad[n])
            assert not outcome.retriable
        else:
            assert n not in bad
    figures = picky.statistics()["messages"]
    assert (figures.rows_written, figures.rejected_rows, figures.failed_rows) == (96, 4, 0)


async def test_a_violated_constraint_is_such_a_refusal(server: Server, org: str) -> None:
    async with altered(server, sql("ALTER TABLE messages ADD CONSTRAINT c CHECK content != 'bad'")) as store:
        good = store.submit_session(org, session("good"), [message(0, "good")])
        bad = store.submit_session(org, session("bad"), [message(0, "bad"), message(1, "good")])
        await good
        with pytest.raises(WriteError) as caught:
            await bad
        assert caught.value.keys == ((org, "bad", 0),)
        assert await contents(store, org, "good") == ["good"]
        assert await contents(store, org, "bad") == ["good"]


async def test_one_bad_row_in_many_megabytes_is_found(picky: AsyncClickHouseStore, org: str) -> None:
    rows = [message(n, "x" * 5000) for n in range(4000)]
    rows[2345] = poison(2345)
    with pytest.raises(WriteError) as caught:
        await picky.write_session(org, session("s"), rows)
    assert caught.value.keys == ((org, "s", 2345),)
    assert len(await picky.get_session_messages(org, "s")) == 3999


async def test_a_session_is_not_published_when_its_rows_are_refused_and_nobody_waits(
    picky: AsyncClickHouseStore, org: str
) -> None:
    writing = asyncio.create_task(picky.write_session(org, session("s"), [poison(0)]))
    await until(lambda: picky.statistics()["sessions"].waiting_rows == 1)
    writing.cancel()
    await asyncio.wait([writing])
    await picky.flush()
    assert not await is_published(picky, org, "s")
    assert picky.statistics()["sessions"].rejected_rows == 1


# --- 5. bounded -----------------------------------------------------------------------------------------------------


async def test_what_waits_is_bounded_and_callers_wait(server: Server, database: str, org: str) -> None:
    async with behind_a_proxy(server, database, waiting_rows=10, batch_rows=5) as (store, proxy):
        held = asyncio.Event()
        proxy.on_insert = lambda table: LONG if not held.is_set() else None
        receipts = [store.submit_session(org, session(f"s{n}"), [message(0), message(1)]) for n in range(30)]
        await until(lambda: store.statistics()["messages"].waiting_rows == 10)
        for _ in range(100):
            await asyncio.sleep(0)
        assert store.statistics()["messages"].waiting_rows == 10
        assert store.statistics()["messages"].accepted_rows == 10
        held.set()
        proxy.cut_all()
        for receipt in receipts:
            await receipt
        assert store.statistics()["messages"].rows_written == 60


async def test_a_call_larger_than_the_bounds_works(server: Server, database: str, org: str) -> None:
    options: dict[str, Any] = {"waiting_rows": 50, "batch_rows": 20, "waiting_bytes": 20_000, "batch_bytes": 10_000}
    async with AsyncClickHouseStore(server.dsn, database=database, **options) as store:
        await store.write_session(org, session("s"), [message(n, "x" * 100) for n in range(500)])
        await store.write_session(org, session("t"), [message(0, "x" * 100_000)])
        assert len(await store.get_session_messages(org, "s")) == 500
        assert len((await contents(store, org, "t"))[0]) == 100_000


# --- 6. flushing ----------------------------------------------------------------------------------------------------


async def test_flush_does_not_linger_and_waits_for_all_before_it(server: Server, database: str, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=database, linger_milliseconds=3_600_000) as store:
        receipts = [store.submit_session(org, session(f"s{n}"), [message(0)]) for n in range(5)]
        async with asyncio.timeout(30):
            await store.flush()
        assert all(receipt.done() for receipt in receipts)
        assert set(store.statistics()["messages"].flush_reasons) == {"flush"}
        assert set(store.statistics()["sessions"].flush_reasons) <= {"flush"}


# --- 7. cancellation ------------------------------------------------------------------------------------------------


async def test_a_cancelled_write_leaves_the_others_whole(store: AsyncClickHouseStore, org: str) -> None:
    writing = [
        asyncio.create_task(store.write_session(org, session(f"s{n}"), [message(i) for i in range(10)]))
        for n in range(30)
    ]
    await until(lambda: store.statistics()["messages"].accepted_rows > 0)
    for one in writing[::3]:
        one.cancel()
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    await store.flush()
    for n, outcome in enumerate(outcomes):
        assert outcome is None or isinstance(outcome, asyncio.CancelledError)
        if outcome is None or await is_published(store, org, f"s{n}"):
            assert len(await store.get_session_messages(org, f"s{n}")) == 10


# --- 8. shutdown ----------------------------------------------------------------------------------------------------


async def test_closing_sends_what_was_accepted_or_submitted(server: Server, database: str, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=database, linger_milliseconds=3_600_000) as store:
        receipts = [store.submit_session(org, session(f"s{n}"), [message(0, f"s{n}")]) for n in range(20)]
    for receipt in receipts:
        assert receipt.done()
        await receipt
    with pytest.raises(StoreClosedError):
        store.submit_session(org, session("late"))
    with pytest.raises(StoreClosedError):
        await store.write_session(org, session("late"))
    async with AsyncClickHouseStore(server.dsn, database=database) as reader:
        assert (await reader.list_sessions(org)).total == 20


async def test_closing_fails_what_the_server_does_not_take(server: Server, database: str, org: str) -> None:
    async with behind_a_proxy(server, database, close_timeout_seconds=0.2) as (store, proxy):
        proxy.on_insert = lambda table: LONG
        writing = [asyncio.create_task(store.write_session(org, session(f"s{n}"), [message(0)])) for n in range(5)]
        await until(lambda: len(proxy.inserts) > 0 and store.statistics()["messages"].accepted_rows == 5)
        await asyncio.gather(store.aclose(), store.aclose())
        for outcome in await asyncio.gather(*writing, return_exceptions=True):
            assert isinstance(outcome, WriteError), outcome
            assert "closed" in str(outcome)


async def test_closing_tells_those_who_wait_for_room(server: Server, database: str, org: str) -> None:
    async with behind_a_proxy(server, database, close_timeout_seconds=0.2, waiting_rows=4) as (store, proxy):
        proxy.on_insert = lambda table: LONG
        writing = [asyncio.create_task(store.write_session(org, session(f"s{n}"), [message(0)])) for n in range(12)]
        await until(lambda: store.statistics()["messages"].accepted_rows == 4)
        await store.aclose()
        outcomes = await asyncio.gather(*writing, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [WriteError] * 4 + [StoreClosedError] * 8


async def test_closing_that_is_cancelled_fails_what_is_left_and_leaves_nothing(
    server: Server, database: str, org: str
) -> None:
    before = len(asyncio.all_tasks())
    async with behind_a_proxy(server, database, close_timeout_seconds=3600.0) as (store, proxy):
        proxy.on_insert = lambda table: LONG
        writing = asyncio.create_task(store.write_session(org, session("s"), [message(0)]))
        receipt = store.submit_session(org, session("t"), [message(0)])
        await until(lambda: len(proxy.inserts) > 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await store.aclose()
        with pytest.raises(WriteError):
            await writing
        with pytest.raises(WriteError):
            await receipt
    assert len(asyncio.all_tasks()) == before


# --- 9. the loop stays free -----------------------------------------------------------------------------------------


async def test_a_large_call_lets_others_run_while_it_is_encoded(store: AsyncClickHouseStore, org: str) -> None:
    """Counted, not timed: benchmarks/writer.py has the milliseconds."""
    turns, done = 0, asyncio.Event()

    async def count() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    def rows() -> Any:
        for n in range(20_000):
            given.append(turns)
            yield Message(ordinal=n, role="user", content="text", timestamp=at())

    given: list[int] = []
    counting = asyncio.create_task(count())
    await store.write_session(org, session("s"), rows())
    done.set()
    await counting
    assert given[-1] - given[0] >= 19  # once for each thousand


# --- 10. statistics -------------------------------------------------------------------------------------------------


async def test_statistics_are_a_frozen_snapshot(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0), message(1)])
    figures = store.statistics()["messages"]
    assert (figures.table, figures.accepted_rows, figures.rows_written, figures.batches_written) == (
        "messages",
        2,
        2,
        1,
    )
    assert (figures.waiting_rows, figures.waiting_bytes, figures.current_batch_rows) == (0, 0, 0)
    assert sum(figures.flush_reasons.values()) == 1
    with pytest.raises(AttributeError):
        figures.retries = 5  # type: ignore[misc]  # what is to fail
    await store.write_session(org, session("s"), [message(2)])
    assert figures.rows_written == 2
    assert store.statistics()["messages"].rows_written == 3
