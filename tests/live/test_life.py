"""The life of a store: ways to open and close it, from any task, and what it says when it is not open."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from agentstore import (
    AsyncClickHouseStore,
    AuthenticationError,
    ConnectionFailedError,
    ConnectOptions,
    Message,
    NotFoundError,
    SchemaError,
    StoreClosedError,
)
from tests.builders import message, session
from tests.live.conftest import drop
from tests.live.relay import address_of, relaying, until
from tests.live.test_tenancy import ALL_READS, WRITES
from tests.servers import Server

PASSWORD = "hunter2-äöü-Zq9"


@pytest.fixture
async def options(server: Server, database: str) -> ConnectOptions:
    return await address_of(server, database=database)


async def use(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"))
    assert (await store.get_session(org, "s")).id == "s"


async def test_three_ways_to_open(server: Server, database: str, options: ConnectOptions, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=database) as store:
        await use(store, org)
    store = AsyncClickHouseStore(options)
    assert await store.open() is store
    await use(store, org)
    await store.aclose()
    store = await AsyncClickHouseStore.connect(server.dsn, database=database, pool_size=1)
    await use(store, org)
    await store.aclose()


async def test_each_step_in_a_task_of_its_own(server: Server, database: str, org: str) -> None:
    store = AsyncClickHouseStore(server.dsn, database=database)
    await asyncio.create_task(store.open())
    await asyncio.create_task(use(store, org))
    await asyncio.gather(*(asyncio.create_task(use(store, f"{org}-{n}")) for n in range(5)))
    await asyncio.create_task(store.aclose())
    entered = AsyncClickHouseStore(server.dsn, database=database)
    await asyncio.create_task(entered.__aenter__())
    await asyncio.create_task(use(entered, org))
    await asyncio.create_task(entered.__aexit__(None, None, None))


async def test_two_stores_interleaved(server: Server, database: str, org: str) -> None:
    first = await AsyncClickHouseStore.connect(server.dsn, database=database)
    second = await AsyncClickHouseStore.connect(server.dsn, database=database)
    await first.aclose()
    await use(second, org)
    await second.aclose()


async def test_opening_twice_is_refused_and_harms_nothing(store: AsyncClickHouseStore, org: str) -> None:
    with pytest.raises(StoreClosedError, match="cannot be opened: it is open"):
        await store.open()
    with pytest.raises(StoreClosedError):
        async with store:
            pytest.fail("entered twice")
    await use(store, org)
    results = await asyncio.gather(*(store.open() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreClosedError] * 3


async def test_opening_twice_at_once_opens_once(server: Server, database: str, org: str) -> None:
    store = AsyncClickHouseStore(server.dsn, database=database)
    results = await asyncio.gather(store.open(), store.open(), return_exceptions=True)
    assert sorted(isinstance(result, StoreClosedError) for result in results) == [False, True]
    await use(store, org)
    await store.aclose()


@pytest.mark.parametrize("name", [*WRITES, *ALL_READS, "flush", "ensure_schema", "reset_database"])
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_every_method_needs_an_open_store(server: Server, database: str, org: str, name: str) -> None:
    store = AsyncClickHouseStore(server.dsn, database=database)

    async def call() -> None:
        case = WRITES.get(name) or ALL_READS.get(name)
        args = (database,) if name == "reset_database" else ()
        await (case(store, org, "mark") if case else getattr(store, name)(*args))

    with pytest.raises(StoreClosedError, match="it is new"):
        await call()
    await store.open()
    await store.aclose()
    with pytest.raises(StoreClosedError, match="it is closed"):
        await call()
    with pytest.raises(StoreClosedError, match="it is closed"):
        await store.open()
    await store.aclose()


async def test_closing_while_it_opens_leaves_nothing_open(options: ConnectOptions) -> None:
    async with relaying(options) as (relay, through):
        relay.passing.clear()  # however slowly this task comes back, the store is not open by then
        store = AsyncClickHouseStore(through)
        opening = asyncio.create_task(store.open())
        await until(lambda: relay.accepted)
        await store.aclose()
        relay.passing.set()
        with pytest.raises(StoreClosedError):
            await opening
        await until(lambda: relay.open == 0)
        assert "closed" in repr(store)


async def test_a_call_still_being_encoded_when_the_store_is_closed_leaves_no_task(
    server: Server, database: str, org: str
) -> None:
    """It is the store's first write, so it would look at the server before it finds that it is not accepted."""
    store = await AsyncClickHouseStore.connect(server.dsn, database=database, batch_rows=1)
    open_still = True

    def endless() -> Iterator[Message]:  # encoded one by one, a turn of the loop for each
        for n in itertools.takewhile(lambda _: open_still, itertools.count()):
            yield message(n)

    tasks = asyncio.all_tasks()
    writing = asyncio.create_task(store.write_session(org, session("s"), endless()))
    await asyncio.sleep(0)
    await store.aclose()
    assert not writing.done()
    open_still = False
    async with asyncio.timeout(30):
        while not writing.done():
            assert asyncio.all_tasks() - tasks <= {writing}
            await asyncio.sleep(0)
    with pytest.raises(StoreClosedError, match="before the rows were accepted"):
        await writing


async def test_cancelled_while_it_opens_it_can_be_opened_again(options: ConnectOptions, org: str) -> None:
    async with relaying(options) as (relay, through):
        store = AsyncClickHouseStore(through)
        steps = 0
        while await cancelled_after(steps, store):
            await until(lambda: relay.open == 0)
            steps += 4
        assert steps > 4
        await use(store, org)
        await store.aclose()
        await until(lambda: relay.open == 0)


async def cancelled_after(steps: int, store: AsyncClickHouseStore) -> bool:
    """Open the store and cancel that after so many turns of the loop; False where it was open by then."""
    opening = asyncio.create_task(store.open())
    for _ in range(steps):
        await asyncio.sleep(0)
    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opening
    return opening.cancelled()


async def test_a_wrong_password_is_named_and_never_shown(
    options: ConnectOptions, org: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = msgspec.structs.replace(options, password=PASSWORD)
    store = AsyncClickHouseStore(wrong)
    with pytest.raises(AuthenticationError) as caught:
        await store.open()
    error: BaseException | None = caught.value
    assert not caught.value.retriable
    assert f"{options.host}:{options.port}" in str(error)
    while error is not None:
        assert PASSWORD not in f"{error!s} {error!r} {error.args}"
        error = error.__cause__ or error.__context__
    assert PASSWORD not in caplog.text
    assert PASSWORD not in f"{store!r} {store} {wrong!r} {wrong}"
    with pytest.raises(StoreClosedError):
        await use(store, org)


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """A port where somebody takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def unreachable(**options: Any) -> ConnectionFailedError:
    with pytest.raises(ConnectionFailedError) as caught:
        await AsyncClickHouseStore.connect(ConnectOptions(password=PASSWORD, **options))
    assert PASSWORD not in f"{caught.value} {caught.value!r}"
    assert "cannot reach" in str(caught.value)
    return caught.value


async def test_nobody_there(closed_port: int) -> None:
    error = await unreachable(host="127.0.0.1", port=closed_port)
    assert f"127.0.0.1:{closed_port}" in str(error)
    assert error.retriable


async def test_no_such_host() -> None:
    await unreachable(host="no-such-host.invalid")


async def test_somebody_silent(silent_port: int) -> None:
    error = await unreachable(host="127.0.0.1", port=silent_port, connect_timeout_seconds=0.2)
    assert "0.2 s" in str(error)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0", b"", b"\xff" * 100, b"\x02" + b"\xff" * 9]
)
async def test_somebody_who_speaks_something_else(answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(speak, "127.0.0.1", 0)
    try:
        await unreachable(host="127.0.0.1", port=listener.sockets[0].getsockname()[1], connect_timeout_seconds=5)
    finally:
        listener.close()
        await listener.wait_closed()


async def test_a_failed_open_can_be_tried_again(options: ConnectOptions, org: str) -> None:
    async with relaying(msgspec.structs.replace(options, port=1)) as (relay, through):
        store = AsyncClickHouseStore(through)
        with pytest.raises(ConnectionFailedError):
            await store.open()
        relay.lead_to(options.host, options.native_port)
        await store.open()
        await use(store, org)
        await store.aclose()


async def test_the_database_is_created_and_its_name_quoted(server: Server, fresh_database: str, org: str) -> None:
    name = f"{fresh_database} `x` 'y' -- é"
    async with AsyncClickHouseStore(server.dsn, database=name) as store:
        await store.ensure_schema()
        await use(store, org)
        await store.reset_database(name)
        with pytest.raises(NotFoundError):
            await store.get_session(org, "s")
    async with AsyncClickHouseStore(server.dsn, database=name) as store:
        await drop(server, name)
        with pytest.raises(SchemaError, match="ensure_schema"):
            await store.get_session(org, "s")
