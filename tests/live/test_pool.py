"""Connections: shared, bounded, replaced when they die, and gone when the store is."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator

import msgspec
import pytest

from agentstore import (
    AgentStoreError,
    AsyncClickHouseStore,
    ConnectionFailedError,
    ConnectOptions,
    OperationTimeoutError,
    QueryError,
    StoreClosedError,
)
from agentstore.connection.dial import dial, new_pool
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, sql
from tests.builders import message, session
from tests.live.patience import in_the_end
from tests.live.relay import Relay, address_of, relaying, until
from tests.servers import Server

ONE = sql("SELECT 1")
SLOW = sql("SELECT sleep(0.3)")


@pytest.fixture
async def relayed(server: Server, database: str) -> AsyncIterator[tuple[Relay, ConnectOptions]]:
    async with relaying(await address_of(server, database=database, pool_size=3)) as found:
        yield found
        await until(lambda: found[0].open == 0)  # every test leaves no connection behind


@pytest.fixture
async def pool(relayed: tuple[Relay, ConnectOptions]) -> AsyncIterator[Pool]:
    pool = new_pool(relayed[1])
    yield pool
    await pool.aclose()
    assert repr(pool) == "<Pool idle=0 leased=0 closed>"


@pytest.fixture
def relay(relayed: tuple[Relay, ConnectOptions]) -> Relay:
    return relayed[0]


async def test_one_connection_serves_one_after_the_other(pool: Pool, relay: Relay) -> None:
    for _ in range(10):
        assert await pool.fetch(ONE) == [(1,)]
    assert (relay.accepted, repr(pool)) == (1, "<Pool idle=1 leased=0>")


async def test_never_more_connections_than_its_size(pool: Pool, relay: Relay) -> None:
    results = await asyncio.gather(*(pool.fetch(SLOW if n < 3 else ONE) for n in range(30)))
    assert len(results) == 30
    assert (relay.accepted, relay.most_at_once) == (3, 3)
    assert repr(pool) == "<Pool idle=3 leased=0>"


async def test_an_idle_connection_that_died_is_replaced(pool: Pool, relay: Relay) -> None:
    await asyncio.gather(*(pool.fetch(SLOW) for _ in range(3)))
    await relay.cut()
    for _ in range(5):
        assert await pool.fetch(ONE) == [(1,)]
    assert relay.open == 1


async def test_a_ping_tells_the_living_from_the_dead(relayed: tuple[Relay, ConnectOptions]) -> None:
    relay, options = relayed
    connection = await dial(options, "default")
    assert await connection.ping()
    assert connection.is_alive()
    await relay.cut()
    assert not await connection.ping()
    assert not connection.is_alive()
    await connection.close()
    await connection.close()


async def test_a_read_whose_connection_is_lost_is_tried_once_more(pool: Pool, relay: Relay) -> None:
    reading = asyncio.create_task(pool.fetch(sql("SELECT sleep(1), 7")))
    await until(lambda: "leased=1" in repr(pool))
    await relay.cut()
    assert await reading == [(0,), (7,)]
    assert relay.accepted == 2


async def test_a_read_that_is_lost_twice_says_so(pool: Pool, relay: Relay) -> None:
    reading = asyncio.create_task(pool.fetch(sql("SELECT sleep(2)")))
    for attempt in (1, 2):
        await until(lambda wanted=attempt: relay.accepted == wanted and "leased=1" in repr(pool))
        await relay.cut()
    with pytest.raises(ConnectionFailedError) as caught:
        await reading
    assert caught.value.retriable
    assert await pool.fetch(ONE) == [(1,)]


async def test_a_refused_read_keeps_its_connection(pool: Pool, relay: Relay) -> None:
    for _ in range(3):
        with pytest.raises(QueryError) as caught:
            await pool.fetch(sql("SELECT nothing FROM nowhere"))
        assert (caught.value.code, caught.value.name) == (60, "UNKNOWN_TABLE")
        assert caught.value.query_id
        assert not caught.value.retriable
    with pytest.raises(QueryError) as caught:
        await pool.fetch(Sql("SELECT ) garbage 'unclosed"))
    assert (caught.value.code, caught.value.name) == (62, "SYNTAX_ERROR")
    assert await pool.fetch(ONE) == [(1,)]
    assert relay.accepted == 1


async def test_a_failure_in_the_middle_of_an_answer(pool: Pool, relay: Relay) -> None:
    with pytest.raises(QueryError, match="now it fails"):
        await pool.fetch(sql("SELECT throwIf(number = 200000, 'now it fails') FROM numbers(1000000)"))
    assert await pool.fetch(ONE) == [(1,)]


async def test_an_answer_of_many_blocks_arrives_whole(pool: Pool) -> None:
    [numbers] = await pool.fetch(sql("SELECT number FROM numbers(300000)"))
    assert list(numbers) == list(range(300_000))
    assert await pool.fetch(sql("SELECT number FROM numbers(0)")) in ([], [()])


async def test_no_answer_in_time(relayed: tuple[Relay, ConnectOptions]) -> None:
    pool = new_pool(msgspec.structs.replace(relayed[1], query_timeout_seconds=0.1))
    with pytest.raises(OperationTimeoutError, match=r"no answer within 0.1 s"):
        await pool.fetch(sql("SELECT sleep(2)"))
    pool._query_timeout = 60.0  # a busy machine may need longer than that for a new connection
    assert await pool.fetch(ONE) == [(1,)]
    assert relayed[0].accepted == 2
    await pool.aclose()


async def test_cancelled_reads_give_their_place_back(pool: Pool, relay: Relay) -> None:
    for _ in range(3):
        tasks = [asyncio.create_task(pool.fetch(sql("SELECT sleep(2)"))) for _ in range(6)]
        await until(lambda: "leased=3" in repr(pool))
        for task in tasks:
            task.cancel()
        assert [await outcome(task) for task in tasks] == ["CancelledError"] * 6
        assert repr(pool) == "<Pool idle=0 leased=0>"
        await until(lambda: relay.open == 0)
    assert await asyncio.gather(*(pool.fetch(ONE) for _ in range(6))) == [[(1,)]] * 6


async def outcome(task: asyncio.Task[object]) -> str:
    try:
        await task
    except BaseException as error:
        return type(error).__name__
    return "done"


async def test_closing_lets_running_reads_end_and_refuses_waiting_ones(pool: Pool) -> None:
    running = [asyncio.create_task(pool.fetch(SLOW)) for _ in range(3)]
    waiting = asyncio.create_task(pool.fetch(ONE))
    await until(lambda: "leased=3" in repr(pool))
    await pool.aclose()
    assert await asyncio.gather(*running) == [[(0,)]] * 3
    for refused in (waiting, pool.fetch(ONE)):
        with pytest.raises(StoreClosedError):
            await refused


async def test_closing_waits_for_a_connection_that_is_being_made_and_uses_it_no_more(pool: Pool, relay: Relay) -> None:
    relay.passing.clear()
    reading = asyncio.create_task(pool.fetch(ONE))
    await until(lambda: relay.accepted == 1)
    closing = asyncio.create_task(pool.aclose())
    await until(lambda: "closed" in repr(pool))
    assert not closing.done()
    relay.passing.set()
    await closing
    with pytest.raises(StoreClosedError):
        await reading


async def test_a_server_that_cannot_be_reached_is_not_waited_for_twice(relayed: tuple[Relay, ConnectOptions]) -> None:
    relay, options = relayed
    pool = new_pool(msgspec.structs.replace(options, connect_timeout_seconds=0.1))
    relay.passing.clear()
    with pytest.raises(ConnectionFailedError, match=r"no answer within 0.1 s"):
        await pool.fetch(ONE)
    assert relay.accepted == 1
    relay.passing.set()
    await pool.aclose()


async def test_a_machine_that_tcp_finds_gone_is_a_lost_connection(pool: Pool, relay: Relay) -> None:
    """Keepalive ends a connection with the system's ETIMEDOUT, which is no deadline of ours: the read is repeated."""
    await pool.fetch(ONE)
    reading = asyncio.create_task(pool.fetch(sql("SELECT sleep(0.3), 7")))
    await until(lambda: pool._leased)
    [connection] = pool._leased
    await until(lambda: connection._wire.is_query_executing)
    connection._wire.reader.reader.set_exception(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))
    assert await reading == [(0,), (7,)]
    assert relay.accepted == 2


async def test_closing_twice_at_once(pool: Pool) -> None:
    await pool.fetch(ONE)
    await asyncio.gather(pool.aclose(), pool.aclose())


async def test_a_store_whose_server_closes_every_connection_goes_on(
    relayed: tuple[Relay, ConnectOptions], org: str
) -> None:
    relay, options = relayed
    async with AsyncClickHouseStore(options) as store:
        for round in range(5):
            await store.write_session(org, session("s"), [message(round)])
            await relay.cut()
            assert len(await store.get_session_messages(org, "s")) == round + 1
            await relay.cut()


async def test_a_store_without_its_server_says_so_and_recovers(relayed: tuple[Relay, ConnectOptions], org: str) -> None:
    relay, options = relayed
    async with AsyncClickHouseStore(msgspec.structs.replace(options, write_timeout_seconds=0.3)) as store:
        relay.lead_to("127.0.0.1", 1)
        await relay.cut()
        with pytest.raises(ConnectionFailedError):
            await store.list_sessions(org)
        with pytest.raises(AgentStoreError) as caught:
            await store.write_session(org, session("s"), [message(0)])
        assert caught.value.retriable
        relay.lead_to(*relay.home)
        await in_the_end(lambda: store.write_session(org, session("s"), [message(0)]))
        assert (await store.list_sessions(org)).total == 1
