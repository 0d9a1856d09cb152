"""Nothing starves the rest: writes, small reads, heavy reads and pings each have connections that they can rely on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from agentstore import (
    AsyncClickHouseStore,
    ConfigError,
    ConnectionFailedError,
    ConnectOptions,
    InvalidArgumentError,
    OperationTimeoutError,
    PoolTimeoutError,
    SearchQuery,
    StoreClosedError,
)
from agentstore.connection.turns import Turns
from tests.builders import message, session
from tests.live.relay import address_of, relaying, until
from tests.live.test_tenancy import ALL_READS
from tests.servers import Server

HEAVY = {
    "search",
    "usage_by_user",
    "activity_heatmap",
    "tool_usage_distribution",
    "daily_activity",
    "token_usage_by_model",
    "cost_by",
    "summary",
}
LIGHT = set(ALL_READS) - HEAVY


@pytest.fixture
async def options(server: Server, database: str) -> ConnectOptions:
    return await address_of(server, database=database, pool_size=2, pool_timeout_seconds=0.05)


@pytest.fixture
async def own(options: ConnectOptions) -> AsyncIterator[AsyncClickHouseStore]:
    async with AsyncClickHouseStore(options) as store:
        await store.ensure_schema()
        yield store


@contextlib.asynccontextmanager
async def reads_taken(store: AsyncClickHouseStore) -> AsyncIterator[None]:
    """All connections of the reads are in use, as by slow reads that go on and on."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(store.options.pool_size):
            await stack.enter_async_context(store._open_pool._lease())
        yield


@contextlib.asynccontextmanager
async def heavy_taken(store: AsyncClickHouseStore) -> AsyncIterator[None]:
    """As many searches and analytics are under way as may be."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(store.options.heavy_size):
            await stack.enter_async_context(store._heavy._turns.turn())
        yield


async def test_writes_need_no_connection_of_the_reads(own: AsyncClickHouseStore, org: str) -> None:
    async with reads_taken(own):
        await own.write_session(org, session("s"), [message(0, "needle")])
        receipts = [own.submit_session(org, session(f"s{n}"), [message(0)]) for n in range(20)]
        await asyncio.gather(*receipts)
        await own.delete_sessions(org, ["s0"])
        assert (await own.purge_sessions(org, ["s1"])).session_ids == ["s1"]
        with pytest.raises(PoolTimeoutError) as caught:
            await own.list_sessions(org)
    assert str(caught.value) == (
        "all 2 connections were in use for 0.05 s; 0 more calls wait for one (pool_size=2, pool_timeout_seconds=0.05)"
    )
    assert caught.value.retriable
    assert not caught.value.outcome_unknown
    assert (await own.list_sessions(org)).total == 19


@pytest.mark.parametrize("method", sorted(LIGHT))
async def test_a_small_read_does_not_wait_behind_heavy_ones(own: AsyncClickHouseStore, org: str, method: str) -> None:
    await own.write_session(org, session("s"), [message(0)])
    async with heavy_taken(own):
        found = await ALL_READS[method](own, org, "x")
    assert await ALL_READS[method](own, org, "x") == found


@pytest.mark.parametrize("method", sorted(HEAVY))
async def test_a_heavy_read_waits_for_its_turn(own: AsyncClickHouseStore, org: str, method: str) -> None:
    async with heavy_taken(own):
        with pytest.raises(PoolTimeoutError, match="all 1 turns for searches, analytics and iterators") as caught:
            await ALL_READS[method](own, org, "x")
    assert caught.value.hint == "pool_heavy_size=1, pool_size=2, pool_timeout_seconds=0.05"
    await ALL_READS[method](own, org, "x")


async def test_an_iterator_holds_its_turn_only_while_it_reads(own: AsyncClickHouseStore, org: str) -> None:
    await own.write_session(org, session("s"), [message(0), message(1)])
    iterators: list[Any] = [own.iter_messages(org), own.iter_sessions(org)]
    for iterator in iterators:
        await anext(iterator)
    async with heavy_taken(own):
        for iterator in (own.iter_messages(org), own.iter_sessions(org)):
            with pytest.raises(PoolTimeoutError, match="iterators"):
                await anext(iterator)
    await own.search(org, SearchQuery(query="message"))
    for iterator in iterators:
        await iterator.aclose()


async def test_twenty_searches_leave_connections_to_the_rest(options: ConnectOptions, org: str) -> None:
    async with relaying(msgspec.structs.replace(options, pool_size=6, pool_timeout_seconds=60.0)) as (relay, through):
        async with AsyncClickHouseStore(through) as store:
            await store.ensure_schema()
            await store.write_session(org, session("s"), [message(n, f"needle {n}") for n in range(50)])
            before = relay.accepted
            found = await asyncio.gather(*(store.search(org, SearchQuery(query="needle")) for _ in range(20)))
            assert {page.total for page in found} == {50}
            assert relay.accepted - before <= store.options.heavy_size == 3
        await until(lambda: relay.open == 0)


async def test_who_gives_up_waiting_leaves_no_turn_behind(own: AsyncClickHouseStore, org: str) -> None:
    async with heavy_taken(own):
        tasks = [asyncio.create_task(own.search(org, SearchQuery(query="x"))) for _ in range(10)]
        await until(lambda: own._heavy._turns._slots.statistics().tasks_waiting == 10)
        for task in tasks[:5]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * 5 + [PoolTimeoutError] * 5
    for _ in range(own.options.heavy_size + 1):
        await own.search(org, SearchQuery(query="x"))


async def test_turns_come_in_the_order_of_asking() -> None:
    turns, order = Turns(1, wait_seconds=60, what="turns", hint=""), []

    async def take(number: int) -> None:
        async with turns.turn():
            order.append(number)

    async with turns.turn():
        tasks = [asyncio.create_task(take(number)) for number in range(10)]
        await until(lambda: turns._slots.statistics().tasks_waiting == 10)
    await asyncio.gather(*tasks)
    assert order == list(range(10))


async def test_a_ping_waits_behind_nothing(own: AsyncClickHouseStore) -> None:
    async with reads_taken(own), heavy_taken(own):
        for seconds in await asyncio.gather(*(own.ping(timeout_seconds=60) for _ in range(20))):
            assert 0 < seconds < 60


async def test_a_ping_says_what_is_wrong(options: ConnectOptions) -> None:
    async with relaying(options) as (relay, through):
        async with AsyncClickHouseStore(through) as store:
            await store.ping()
            relay.lead_to("127.0.0.1", 1)
            await relay.cut()
            with pytest.raises(ConnectionFailedError):
                await store.ping()
            relay.lead_to(*relay.home)
            await store.ping()
            relay.passing.clear()
            await relay.cut()
            with pytest.raises(OperationTimeoutError, match=r"did not answer a ping within 0.1 s"):
                await store.ping(timeout_seconds=0.1)
            relay.passing.set()
            await store.ping(timeout_seconds=60)
            bad: Any
            for bad in (0, -1, "1", None, float("nan")):
                with pytest.raises(InvalidArgumentError, match="timeout_seconds"):
                    await store.ping(timeout_seconds=bad)
        with pytest.raises(StoreClosedError):
            await store.ping()
        await until(lambda: relay.open == 0)


@pytest.mark.parametrize(("size", "given", "heavy"), [(1, 0, 1), (2, 0, 1), (3, 0, 1), (8, 0, 4), (8, 7, 7), (1, 1, 1)])
def test_how_many_heavy_reads(size: int, given: int, heavy: int) -> None:
    assert ConnectOptions(pool_size=size, pool_heavy_size=given).heavy_size == heavy


@pytest.mark.parametrize(("size", "given"), [(8, 8), (8, -1), (2, 2), (1, 2)])
def test_heavy_reads_may_not_take_all(size: int, given: int) -> None:
    with pytest.raises(ConfigError, match="pool_heavy_size"):
        ConnectOptions(pool_size=size, pool_heavy_size=given)
