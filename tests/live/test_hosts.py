"""Several hosts that hold the same database: one that refuses, hangs or dies is passed over, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, AuthenticationError, ConnectionFailedError, ConnectOptions
from agentstore.connection import failover, hosts
from agentstore.connection.dial import dial
from agentstore.connection.driver import NativeConnection
from agentstore.connection.hosts import Address, Hosts
from agentstore.connection.pool import Pool
from agentstore.connection.sql import sql
from tests.builders import message, session
from tests.faults.proxy import Fault, Proxy
from tests.live.connections import connected
from tests.live.relay import address_of, until
from tests.servers import Server

# Long enough that a test ends in its own limit where a host uses up the time of the others.
FOREVER = 3600.0
SLOW = sql("SELECT sleep(0.3)")


@dataclass
class Two:
    """Two proxies in front of the one server, which look like replicas, and options that name both in this order."""

    first: Proxy
    second: Proxy
    options: ConnectOptions

    def __iter__(self) -> Any:
        return iter((self.first, self.second))

    def store(self, **options: Any) -> AsyncClickHouseStore:
        return AsyncClickHouseStore(msgspec.structs.replace(self.options, **options))


@pytest.fixture
async def two(server: Server, database: str) -> AsyncIterator[Two]:
    address = await address_of(server, database=database)
    target = (address.host, address.native_port)
    async with Proxy(target) as first, Proxy(target, twin=first) as second:
        options = msgspec.structs.replace(
            address,
            host=f"127.0.0.1:{first.port},127.0.0.1:{second.port}",
            port=0,
            host_order="in_order",
            connect_timeout_seconds=FOREVER,
            query_timeout_seconds=FOREVER,
        )
        yield Two(first, second, options)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy this machine is: no host that lives is passed over for being slow, none that failed is back soon."""
    monkeypatch.setattr(hosts, "FIRST_TRY_SECONDS", 5.0)
    monkeypatch.setattr(hosts, "FIRST_REST_SECONDS", 120.0)
    monkeypatch.setattr(hosts, "LONGEST_REST_SECONDS", 120.0)


def ports_of(pool: Pool) -> set[int]:
    """Where the idle connections lead."""
    return {connection._wire.port for connection in pool._idle}


def all_ports_of(store: AsyncClickHouseStore) -> set[int]:
    """Where the idle connections of a store lead: those of its reads and those of its writer."""
    return ports_of(store._open_lanes.reads) | ports_of(store._open_lanes.writes)


def store_hosts(pool: Pool) -> Hosts:
    """What the pool's connections know of their hosts."""
    return next(iter(pool._idle)).peer._failover.hosts  # type: ignore[union-attr,no-any-return]


async def idle_on_first(store: AsyncClickHouseStore, two: Two, count: int) -> Pool:
    """A pool with so many idle connections, all to the first host."""
    pool = store._open_pool
    await asyncio.gather(*(pool.fetch(SLOW) for _ in range(count)))
    assert ports_of(pool) == {two.first.port}
    assert len(pool._idle) == count
    return pool


# --- connecting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["refuse", "cut", "stall"])
async def test_a_host_that_does_not_answer_is_passed_over(
    two: Two, fate: Literal["refuse", "cut", "stall"], org: str
) -> None:
    two.first.on_connect = lambda: fate
    async with asyncio.timeout(60), two.store() as store:
        await store.write_session(org, session("s"), [message(0)])
        assert len(await store.get_session_messages(org, "s")) == 1
        assert all_ports_of(store) == {two.second.port}


async def test_a_port_that_nobody_listens_on_is_passed_over(two: Two, org: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]},127.0.0.1:{two.second.port}"
        async with asyncio.timeout(60), two.store(host=host) as store:
            assert (await store.list_sessions(org)).total == 0


async def test_where_no_host_answers_the_error_names_each(two: Two) -> None:
    two.first.on_connect = lambda: "stall"
    two.second.on_connect = lambda: "refuse"
    with pytest.raises(ConnectionFailedError, match=f":{two.first.port}.*:{two.second.port}") as caught:
        await two.store(connect_timeout_seconds=0.2).open()
    assert caught.value.retriable
    assert two.options.password not in str(caught.value)


async def test_where_all_hosts_stall_the_error_tells_how_long_each_was_waited_for(two: Two) -> None:
    for proxy in two:
        proxy.on_connect = lambda: "stall"
    with pytest.raises(ConnectionFailedError, match=r"no answer within 0.2\d? s.*no answer within") as caught:
        await two.store(connect_timeout_seconds=0.5).open()
    assert "0.01 s" not in str(caught.value)


async def test_hosts_that_all_rest_are_tried_at_once(two: Two, org: str) -> None:
    for proxy in two:
        proxy.die()
    pool = two.store()
    with pytest.raises(ConnectionFailedError):
        await pool.open()
    known = failover.Failover(two.options)
    with pytest.raises(ConnectionFailedError):
        await known.connect("default")
    assert not any(known.hosts.is_trusted(address) for address in known.hosts._failures)
    two.second.heal()
    connection = await known.connect("default")  # at once, whatever the rests
    await connection.close()


@pytest.mark.usefixtures("unhurried")
async def test_a_refused_password_is_not_tried_elsewhere(two: Two) -> None:
    seen = []
    two.second.on_connect = lambda: seen.append(1) or ""  # type: ignore[func-returns-value]
    with pytest.raises(AuthenticationError):
        await two.store(password="wrong").open()
    assert seen == []


async def test_in_random_order_a_store_stays_with_one_host_and_many_use_both(two: Two, org: str) -> None:
    seen = set()
    for _ in range(40):  # both come up but for one time in 2 ** 39
        async with two.store(host_order="random") as store:
            await store.write_session(org, session("s"), [message(0)])
            await asyncio.gather(*(store.get_session(org, "s") for _ in range(5)))
            ports = all_ports_of(store)
        assert len(ports) == 1
        seen |= ports
        if len(seen) == 2:
            break
    assert seen == {two.first.port, two.second.port}


async def test_all_addresses_of_a_name_are_tried(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is deaf, as a machine behind a firewall that says nothing: the loop itself waits there for ever."""

    async def look_up(address: object, seconds: float) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()

    deaf = await asyncio.start_server(hear, "127.0.0.2", two.first.port)
    monkeypatch.setattr(failover, "_look_up", look_up)
    async with asyncio.timeout(60), two.store(host=f"replicas.example:{two.first.port}") as store:
        connection = store._open_lanes.writes._idle[0]
        assert connection._wire.address == "127.0.0.1"
        assert connection._wire.host == "replicas.example"
    deaf.close()


@pytest.mark.usefixtures("unhurried")
async def test_a_host_whose_connection_cannot_be_made_ready_is_passed_over(two: Two) -> None:
    prepared = []

    async def prepare(connection: NativeConnection, address: Address) -> None:
        prepared.append(address.host.port)
        if len(prepared) == 1:
            two.first.die()
        await connection.fetch(sql("SELECT 1"), {}, FOREVER)

    connection = await failover.Failover(two.options, prepare).connect("default")
    assert prepared == [two.first.port, two.second.port]
    await connection.close()


async def test_a_host_that_shakes_hands_and_answers_nothing_is_passed_over(two: Two) -> None:
    prepared = []

    async def prepare(connection: NativeConnection, address: Address) -> None:
        prepared.append(address.host.port)
        if len(prepared) == 1:
            await asyncio.sleep(FOREVER)

    options = msgspec.structs.replace(two.options, connect_timeout_seconds=4.0)
    async with asyncio.timeout(60):
        connection = await failover.Failover(options, prepare).connect("default")
    assert prepared == [two.first.port, two.second.port]
    await connection.close()
    async with asyncio.timeout(60):
        prepared.clear()
        one = msgspec.structs.replace(options, host=f"127.0.0.1:{two.first.port}", connect_timeout_seconds=0.5)
        with pytest.raises(ConnectionFailedError, match="answered no question within"):
            await failover.Failover(one, prepare).connect("default")


async def test_a_name_that_is_not_found_is_passed_over(two: Two) -> None:
    async with asyncio.timeout(60), two.store(host=f"nowhere.invalid,127.0.0.1:{two.second.port}") as store:
        assert all_ports_of(store) == {two.second.port}
    with pytest.raises(ConnectionFailedError, match=r"cannot reach nowhere\.invalid:9000"):
        await two.store(host="nowhere.invalid").open()


async def test_the_sockets_are_kept_alive(two: Two) -> None:
    connection = await dial(two.options, "default")
    found = connection._wire.writer.writer.get_extra_info("socket")
    assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if hasattr(socket, "TCP_KEEPIDLE"):
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
    await connection.close()


# --- a host that ends ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("ends", ["die", "hang"])
async def test_reads_go_on_while_one_of_two_hosts_ends(two: Two, ends: str, org: str) -> None:
    """Under load of both kinds: no read fails, no write is lost, and nothing is stored twice."""
    slowest, acknowledged, over = 0.0, list[int](), asyncio.Event()

    async def read(store: AsyncClickHouseStore) -> None:
        nonlocal slowest
        while not over.is_set():
            began = time.monotonic()
            await store.get_session_messages(org, "s")
            slowest = max(slowest, time.monotonic() - began)

    async def write(store: AsyncClickHouseStore, first: int) -> None:
        for number in range(first, first + 20):
            await store.write_session(org, session("s", user_message_count=1), [message(number)])
            acknowledged.append(number)
            if len(acknowledged) == 20:
                getattr(two.first, ends)()

    async with asyncio.timeout(90), two.store(pool_size=6, write_timeout_seconds=60.0) as store:
        async with asyncio.TaskGroup() as readers:
            for _ in range(6):
                readers.create_task(read(store))
            async with asyncio.TaskGroup() as writers:
                for first in (0, 100, 200, 300):
                    writers.create_task(write(store, first))
            over.set()
        assert all_ports_of(store) == {two.second.port}
        assert len(acknowledged) == 80
        found = [one.ordinal for one in await store.get_session_messages(org, "s")]
        assert found == sorted(acknowledged)
    print(f"{ends}: the slowest read took {slowest:.2f} s")


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("ends", ["die", "hang"])
async def test_a_batch_that_was_under_way_is_stored_once(two: Two, ends: str, org: str) -> None:
    """The first host has committed it, or has it half, when it ends; the second gets the same block and token."""
    fault = Fault("stall_answer" if ends == "hang" else "cut_answer", seconds=FOREVER)

    def at_insert(table: str) -> Fault | None:
        if table == "messages":
            asyncio.get_running_loop().call_soon(two.first.hang if ends == "hang" else two.first.die)
            return fault
        return None

    async with asyncio.timeout(60), two.store(write_timeout_seconds=FOREVER) as store:
        async with connected(store) as connection:
            await connection.fetch(sql("SYSTEM STOP MERGES messages"), {}, 30)
        two.first.on_insert = at_insert
        try:
            await store.write_session(org, session("s"), [message(n) for n in range(20)])
            rows = await store._open_pool.fetch(
                sql("SELECT count(), uniqExact(ordinal) FROM messages WHERE org_id = {org}", org=org)
            )
        finally:
            async with connected(store) as connection:
                await connection.fetch(sql("SYSTEM START MERGES messages"), {}, 30)
        assert rows == [(20,), (20,)]
        assert two.second.inserts[:1] == ["messages"]
        assert store.statistics()["messages"].retries == 1


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("code", [242, 999, 236, 243])
async def test_a_batch_that_one_host_cannot_take_now_goes_to_another(two: Two, code: int, org: str) -> None:
    """A replica that lost its keeper is read-only, for as long as that takes."""
    two.first.on_insert = lambda table: Fault("refuse", code=code)
    async with asyncio.timeout(60), two.store(write_timeout_seconds=FOREVER) as store:
        await store.write_session(org, session("s"), [message(0)])
        assert len(await store.get_session_messages(org, "s")) == 1
        assert len(two.first.faults) == 1
        assert two.second.inserts[:1] == ["messages"]


@pytest.mark.usefixtures("unhurried")
async def test_an_insert_that_waits_for_anothers_quorum_stays_with_its_host(two: Two, org: str) -> None:
    """Every replica says so while another insert has its quorum not yet: none of them is to be left alone for it."""
    two.first.on_insert = lambda table: None if two.first.faults else Fault("refuse", code=286)
    async with asyncio.timeout(60), two.store(write_timeout_seconds=FOREVER) as store:
        await store.write_session(org, session("s"), [message(0)])
        assert len(two.first.faults) == 1
        assert two.second.inserts == []
        assert all_ports_of(store) == {two.first.port}


@pytest.mark.usefixtures("unhurried")
async def test_idle_connections_to_a_host_that_hangs_cost_one_wait_together(two: Two) -> None:
    async with asyncio.timeout(60), two.store() as store:
        pool = await idle_on_first(store, two, 6)
        two.first.hang()
        assert await pool.fetch(sql("SELECT 1")) == [(1,)]
        [address] = store_hosts(pool)._failures
        failed = store_hosts(pool)._failures[address].count
        assert await asyncio.gather(*(pool.fetch(SLOW) for _ in range(6))) == [[(0,)]] * 6
        assert ports_of(pool) == {two.second.port}
        assert store_hosts(pool)._failures[address].count == failed


@pytest.mark.usefixtures("unhurried")
async def test_a_host_that_only_takes_long_is_left_to_it(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "PROBE_SECONDS", 30.0)  # it does answer, however busy this machine is
    async with asyncio.timeout(60), two.store() as store:
        pool = await idle_on_first(store, two, 1)
        assert await pool.fetch(sql("SELECT sleep(1.5), 7")) == [(0,), (7,)]
        assert ports_of(pool) == {two.first.port}
        assert len(pool._idle) == 1


@pytest.mark.usefixtures("unhurried")
async def test_where_no_other_host_answers_nothing_is_given_up(two: Two) -> None:
    async with asyncio.timeout(60), two.store() as store:
        pool = await idle_on_first(store, two, 1)
        two.second.die()
        two.first.hang()
        reading = asyncio.create_task(pool.fetch(sql("SELECT 7")))
        [connection] = await leased(pool)
        assert connection.peer is not None
        assert not await connection.peer.gives_up()
        two.first.heal()
        assert await reading == [(7,)]


async def leased(pool: Pool) -> list[NativeConnection]:
    await until(lambda: pool._leased)
    return list(pool._leased)


@pytest.mark.usefixtures("unhurried")
async def test_a_cancelled_read_leaves_no_watch_behind(two: Two) -> None:
    before = len(asyncio.all_tasks())
    async with asyncio.timeout(60), two.store() as store:
        pool = await idle_on_first(store, two, 1)
        two.first.hang()
        two.second.hang()
        reading = asyncio.create_task(pool.fetch(sql("SELECT 7")))
        await until(lambda: any(task.get_name() == "agentstore-watch" for task in asyncio.all_tasks()))
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        assert not any(task.get_name() == "agentstore-watch" for task in asyncio.all_tasks())
        for proxy in two:
            proxy.heal()
    for proxy in two:
        proxy.cut_all()
    await until(lambda: len(asyncio.all_tasks()) == before)
