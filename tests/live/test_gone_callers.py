"""A read whose caller goes away stops on the server, however it goes; nothing of it is left, and the next one works."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from agentstore import AsyncClickHouseStore, ConnectionFailedError, SearchQuery, StoreClosedError
from agentstore.connection import pool as pool_module
from agentstore.connection.dial import dial
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, sql
from agentstore.read.concurrent import gather_both
from agentstore.settings import resolve_target
from tests.builders import message, session
from tests.faults.proxy import Proxy
from tests.live.relay import address_of, relaying, until
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = 50_000
# The server sleeps after each granule, of 256 rows: the corpus takes more than a minute, and the 5000 rows that an
# iterator looks at first 20 seconds where it sleeps a second, its longest. What is gone before has not come to its end.
DEADLINE_SECONDS = 15.0
ROWS_PER_SECOND, SLOWEST = 600, 1
NOWHERE = SearchQuery(query="zq")
# What the server and the turns do does not depend on the loop; how a connection ends does, and is tested under both.
one_loop = pytest.mark.asyncio(loop_factories=["asyncio"])
Read = Callable[[AsyncClickHouseStore, str], Awaitable[Any]]


def hold_back(patch: pytest.MonkeyPatch, org: str, rows_per_second: int = ROWS_PER_SECOND) -> None:
    """From now on the server takes its time for every statement about the organisation, as with a far larger one."""
    fetch = NativeConnection.fetch
    more = {
        "max_execution_speed": rows_per_second,
        "timeout_before_checking_execution_speed": 0,
        "max_block_size": 256,
        "max_threads": 1,
    }

    async def slow(self: NativeConnection, query: Sql, settings: Mapping[str, Any], timeout: float) -> Any:
        return await fetch(self, query, {**settings, **more} if org in query.text else settings, timeout)

    patch.setattr(NativeConnection, "fetch", slow)


@pytest.fixture(scope="module")
def corpus(server: Server, database: str) -> str:
    """An organisation with one session of many messages."""
    org = f"org-{uuid.uuid4().hex[:12]}"
    rows = sql(
        "INSERT INTO messages (org_id, session_id, ordinal, role, content)"
        " SELECT {org}, 's', number, 'user', 'needle' FROM numbers({rows})",
        org=org,
        rows=ROWS,
    )

    async def write() -> None:
        async with AsyncClickHouseStore(server.dsn, database=database) as store:
            await store.write_session(org, session("s", user_message_count=1))
            await store._open_pool.execute(rows)

    asyncio.run(write())
    return org


@pytest.fixture
def slow(corpus: str) -> Iterator[str]:
    """The corpus, on which every statement takes long."""
    with pytest.MonkeyPatch.context() as patch:
        hold_back(patch, corpus)
        yield corpus


class Processes:
    """What the server runs for an organisation, asked for on a connection of its own."""

    def __init__(self, connection: NativeConnection, marker: str) -> None:
        self._connection = connection
        # Taken apart, so that the question is none of the statements that it asks for.
        self._query = sql(
            "SELECT query_id, read_rows FROM system.processes WHERE position(query, concat({one}, {two})) > 0",
            one=marker[:4],
            two=marker[4:],
        )

    async def seen(self) -> dict[str, int]:
        """The statements that run, and how many rows each has read."""
        return dict(zip(*(await self._connection.fetch(self._query, {}, timeout=60) or [(), ()]), strict=True))

    async def appear(self, count: int = 1) -> None:
        """Returns when so many run and have read more than a session: they are in the middle of its messages."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                found = await self.seen()
                if len(found) == count and min(found.values()) > 1:
                    return

    async def end(self) -> None:
        """Returns when none runs; fails when that takes long."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await self.seen():
                pass


@contextlib.asynccontextmanager
async def watching(server: Server, marker: str) -> AsyncIterator[Processes]:
    connection = await dial(resolve_target(server.dsn, {"database": "default"}), "default")
    try:
        yield Processes(connection, marker)
    finally:
        await connection.close()


@pytest.fixture
async def processes(server: Server, corpus: str) -> AsyncIterator[Processes]:
    async with watching(server, corpus) as found:
        yield found


@pytest.fixture
async def own(server: Server, database: str) -> AsyncIterator[AsyncClickHouseStore]:
    async with AsyncClickHouseStore(server.dsn, database=database, pool_size=3, pool_heavy_size=2) as store:
        yield store


async def search_words(store: AsyncClickHouseStore, org: str) -> Any:
    return await store.search(org, SearchQuery(query="zq", mode="words"))


async def analyse(store: AsyncClickHouseStore, org: str) -> Any:
    return await store.token_usage_by_model(org)


async def works(store: AsyncClickHouseStore, turns: int = 2) -> None:
    """Nothing is held any more: all turns are free, no connection is in use, and reads are answered."""
    assert "leased=0" in repr(store._open_pool)
    assert store._heavy._turns._slots.value == turns
    org = f"org-{uuid.uuid4().hex[:12]}"
    await store.write_session(org, session("s", user_message_count=1), [message(0, "a needle")])
    pages = await asyncio.gather(*(store.search(org, SearchQuery(query="needle")) for _ in range(turns + 1)))
    assert [page.total for page in pages] == [1] * (turns + 1)


# --- ways to go ---------------------------------------------------------------------------------------------------


async def gone_by_task(read: Awaitable[Any], sign: Callable[[], Awaitable[Any]]) -> None:
    task = asyncio.ensure_future(read)
    await sign()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def gone_by_timeout(read: Awaitable[Any], sign: Callable[[], Awaitable[Any]]) -> None:
    async def limited() -> None:
        async with limit:
            await read

    limit = asyncio.timeout(None)
    task = asyncio.create_task(limited())
    await sign()
    limit.reschedule(asyncio.get_running_loop().time())
    with pytest.raises(TimeoutError):
        await task


async def gone_by_scope(read: Awaitable[Any], sign: Callable[[], Awaitable[Any]]) -> None:
    async def scoped() -> None:
        with scope:
            await read

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(scoped)
        await sign()
        scope.cancel()
    assert scope.cancelled_caught


WAYS = [gone_by_task, gone_by_timeout, gone_by_scope]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_search_stops_when_its_caller_goes(
    own: AsyncClickHouseStore, slow: str, processes: Processes, way: Callable[..., Awaitable[None]]
) -> None:
    await way(own.search(slow, NOWHERE), processes.appear)
    await processes.end()
    await works(own)


@one_loop
@pytest.mark.parametrize("read", [search_words, analyse], ids=lambda read: read.__name__)
async def test_other_heavy_reads_stop_too(
    own: AsyncClickHouseStore, slow: str, processes: Processes, read: Read
) -> None:
    await gone_by_task(read(own, slow), processes.appear)
    await processes.end()
    await works(own)


@one_loop
async def test_an_iterator_stops_too(
    own: AsyncClickHouseStore, corpus: str, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_back(monkeypatch, corpus, SLOWEST)
    await gone_by_task(anext(own.iter_messages(corpus)), processes.appear)
    await processes.end()
    await works(own)


async def test_what_runs_when_the_store_is_closed_stops(
    own: AsyncClickHouseStore, slow: str, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_DRAIN_SECONDS", 0.05)
    task = asyncio.create_task(own.search(slow, NOWHERE))
    await processes.appear()
    await own.aclose()
    with pytest.raises((ConnectionFailedError, StoreClosedError)):
        await task
    await processes.end()


async def test_a_search_whose_connection_is_cut_stops(
    server: Server, database: str, slow: str, processes: Processes
) -> None:
    options = await address_of(server, database=database)
    async with relaying(options) as (relay, through), AsyncClickHouseStore(through) as store:
        task = asyncio.create_task(store.search(slow, NOWHERE))
        await processes.appear()
        relay.lead_to("127.0.0.1", 1)  # or the search would go on with a new connection
        await relay.cut()
        with pytest.raises(ConnectionFailedError):
            await task
        await processes.end()
        relay.lead_to(*relay.home)
        await works(store, store.options.heavy_size)


PROGRAM = """
import asyncio, sys
import pytest
from agentstore import AsyncClickHouseStore
from tests.live.test_gone_callers import NOWHERE, hold_back

async def main(dsn, database, org):
    async with AsyncClickHouseStore(dsn, database=database) as store:
        with pytest.MonkeyPatch.context() as patch:
            hold_back(patch, org)
            await store.search(org, NOWHERE)

asyncio.run(main(*sys.argv[1:]))
"""


@one_loop
async def test_a_search_of_a_process_that_is_killed_stops(
    server: Server, database: str, corpus: str, processes: Processes
) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, server.dsn, database, corpus, cwd=ROOT)
    try:
        await processes.appear()
    finally:
        child.kill()
        await child.wait()
    await processes.end()


async def test_who_goes_does_not_wait_for_a_server_that_reads_nothing(server: Server, database: str) -> None:
    """Neither does closing its connection: what is unsent is dropped."""
    options = await address_of(server, database=database)
    async with Proxy((options.host, options.native_port)) as proxy:
        through = msgspec.structs.replace(options, host="127.0.0.1", port=proxy.port)
        async with AsyncClickHouseStore(through) as store:
            await store.ping()
            pool = store._open_pool
            task = asyncio.create_task(pool.fetch(sql("SELECT {text}", text="x" * (32 << 20))))

            def is_stuck() -> bool:
                return any(leased._wire.writer.writer.transport.get_write_buffer_size() for leased in pool._leased)

            await until(lambda: bool(pool._leased))
            proxy.hang()
            await until(is_stuck)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=DEADLINE_SECONDS)
            assert done
            assert task.cancelled()
            assert repr(pool) == "<Pool idle=0 leased=0>"
            proxy.heal()
            await works(store, store.options.heavy_size)


# --- several at once ----------------------------------------------------------------------------------------------


async def test_two_statements_of_one_read_both_stop(own: AsyncClickHouseStore, server: Server) -> None:
    """Of two that compute, and never wait."""
    marker = uuid.uuid4().hex
    endless = sql("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number, {marker}) = 1", marker=marker)
    async with watching(server, marker) as processes:
        both = gather_both(lambda: own._heavy.fetch(endless), lambda: own._heavy.fetch(endless))
        await gone_by_task(both, lambda: processes.appear(2))
        await processes.end()
    await works(own)


@one_loop
async def test_many_searches_at_once_all_stop(own: AsyncClickHouseStore, slow: str, processes: Processes) -> None:
    """Those that run, and those that wait for their turn, of which the server never hears."""
    tasks = [asyncio.create_task(own.search(slow, NOWHERE)) for _ in range(6)]
    await processes.appear(2)
    await until(lambda: own._heavy._turns._slots.statistics().tasks_waiting == 4)
    for task in reversed(tasks):  # the waiting ones first: a turn that becomes free would be given to one of them
        task.cancel()
    assert {type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)} == {asyncio.CancelledError}
    await processes.end()
    await works(own)


@one_loop
async def test_who_waits_for_a_turn_and_goes_leaves_no_trace(
    server: Server, database: str, slow: str, processes: Processes
) -> None:
    async with AsyncClickHouseStore(server.dsn, database=database, pool_size=2) as store:
        first = asyncio.create_task(store.search(slow, NOWHERE))
        await processes.appear()

        async def waits() -> None:
            await until(lambda: store._heavy._turns._slots.statistics().tasks_waiting == 1)

        await gone_by_task(store.search(slow, NOWHERE), waits)
        await processes.appear(1)  # the first one goes on, alone
        await gone_by_task(first, processes.appear)
        await processes.end()
        await works(store, 1)
