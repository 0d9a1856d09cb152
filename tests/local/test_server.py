"""The server's promises: who gets in, what bad bytes do, and how it ends."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from asynch.errors import ServerException
from clickhouse_driver import Client as Driver

from agentstore.local.protocol import packets as protocol
from agentstore.local.protocol.blocks import EMPTY_BLOCK, header_block
from agentstore.local.protocol.wire import text, varint
from agentstore.local.server import server as server_module
from agentstore.local.server.channel import Channel
from agentstore.local.server.server import LocalServer
from agentstore.local.session.session import Session
from tests.local.conftest import ServerThread
from tests.local.talk import (
    DEADLINE,
    ENDLESS,
    HELLO,
    NO_TABLES,
    Raw,
    connected,
    execute,
    query_alone,
    query_packet,
    running,
    uint8_block,
    until,
    working,
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with running(tmp_path) as started:
        yield started


# Who gets in.


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.org", ""])
def test_other_machines_need_a_password(host: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="password"):
        LocalServer(tmp_path, host=host)
    assert "secret" not in repr(LocalServer(tmp_path, host=host, password="secret"))


@pytest.mark.parametrize(("user", "password"), [("default", ""), ("nobody", ""), ("default", "wrong"), ("", "")])
async def test_wrong_credentials_get_one_exception_and_no_more(server: LocalServer, user: str, password: str) -> None:
    server._host = protected(server)
    hello = b"\x00" + text("test") + varint(1) + varint(1) + varint(54453) + text("") + text(user) + text(password)
    raw = await Raw.connect(server, hello, b"\x04", query_packet("SELECT 1"), NO_TABLES)
    answer = await raw.all()
    assert answer[:5] == b"\x02" + (516).to_bytes(4, "little")
    assert answer.endswith(b"\x00" + b"\x00")
    assert answer.count(b"AUTHENTICATION_FAILED") == 1
    assert b"secret" not in answer
    assert server.connection_count == 0


def protected(server: LocalServer) -> Any:
    assert server._host is not None
    return replace(server._host, password="secret")


async def test_unknown_database_is_refused_at_the_handshake(server: LocalServer) -> None:
    with pytest.raises(ServerException) as caught:
        async with connected(server, database="nosuch"):
            raise AssertionError("connected")
    assert caught.value.code == 81


async def test_a_client_that_says_nothing_is_let_go(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO[:-3])
    assert await raw.all() == b""


@pytest.mark.parametrize("packet", [b"\x01", b"\x63", b"\xff\x7f", b"\xff" * 9 + b"\x01"])
async def test_a_conversation_begins_with_hello(
    server: LocalServer, packet: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    raw = await Raw.connect(server, packet)
    assert b"DB::Exception: Unexpected packet" in await raw.all()
    assert not caplog.text


async def test_http_is_told_so(server: LocalServer) -> None:
    raw = await Raw.connect(server, b"GET / HTTP/1.1\r\n\r\n")
    assert (await raw.all()).startswith(b"HTTP/1.0 400")


async def test_connection_count_and_idleness(server: LocalServer) -> None:
    def state() -> tuple[int, bool]:
        since = server.idle_since
        return server.connection_count, since is not None and since <= asyncio.get_running_loop().time()

    assert state() == (0, True)
    async with connected(server):
        async with connected(server):
            await until(lambda: state() == (2, False))
        await until(lambda: state() == (1, False))
    await until(lambda: state() == (0, True))


# Bad bytes.

BROKEN = [
    b"\xff" * 20,
    b"\x63",
    b"\x07",
    HELLO,
    b"\x02" + text("") + EMPTY_BLOCK,
    b"\x01" + b"\xff" * 9 + b"\x01",
    query_packet("SELECT 1")[:-1] + b"\xff\xff\xff\xff\x7f",
    query_packet("SELECT 1") + b"\x02" + text("") + EMPTY_BLOCK[:-2] + b"\xff\xff\xff\x7f\x01",
    query_packet("SELECT 1") + b"\x02" + text("") + EMPTY_BLOCK[:-2] + b"\x01\x01" + text("a") + text("Foo"),
    query_packet("SELECT 1") + b"\x04",
    b"\x05" + b"\xff" * 5 + b"\x01",
]


@pytest.mark.parametrize("packet", BROKEN)
async def test_a_broken_packet_ends_its_connection_with_an_error(server: LocalServer, packet: bytes) -> None:
    raw = await Raw.connect(server, HELLO, packet + b"\xff" * 30)
    answer = await raw.all()
    assert answer[:12] == b"\x00\x0aClickHouse"
    assert b"DB::Exception" in answer
    assert await query_alone(server, "SELECT 1") == [(1,)]


async def test_random_garbage_never_ends_the_server(server: LocalServer) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    session = HELLO + query_packet("INSERT INTO t VALUES") + NO_TABLES + uint8_block("a", b"\x01\x02") + NO_TABLES
    for _ in range(60):
        data = bytearray(session)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        start = 0 if chance.random() < 0.5 else len(HELLO)
        raw = await Raw.connect(server, HELLO if start else b"", bytes(data[start:]), chance.randbytes(50))
        raw.writer.write_eof()
        await raw.all()
    await until(lambda: not server._connections)
    assert await query_alone(server, "SELECT 1") == [(1,)]


# Ending.


async def test_closing_leaves_nothing_behind(tmp_path: Path) -> None:
    threads, tasks = threading.active_count(), len(asyncio.all_tasks())
    for _ in range(2):
        server = LocalServer(tmp_path / "db")
        await server.start()
        idle = await Raw.connect(server, HELLO)
        busy = await Raw.connect(server, HELLO, query_packet(ENDLESS), NO_TABLES)
        await until(lambda s=server: s.connection_count == 2)  # type: ignore[misc]
        await until(lambda s=server: any(s._engine.running(c._queries.tag) for c in s._connections))  # type: ignore[misc]
        port = server.port
        await server.aclose(grace_seconds=0.1)
        await asyncio.gather(idle.all(), busy.all(), return_exceptions=True)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: threading.active_count() <= threads)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def test_a_client_that_waits_long_hears_that_the_query_runs(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO, query_packet("SELECT sleepEachRow(1.5) FROM numbers(1)"), NO_TABLES)
    await raw.reader.readuntil(b"agentstore\x02")
    async with asyncio.timeout(DEADLINE):
        assert await raw.reader.readexactly(6) == protocol.progress(54453, 0, 0)
    await raw.close()


async def test_a_fault_of_the_server_itself_ends_one_connection(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(server) as other:
        with monkeypatch.context() as patch:
            patch.setattr("agentstore.local.server.query_runner.analyse", lambda sql: 1 / 0)
            raw = await Raw.connect(server, HELLO, query_packet("SELECT 1"), NO_TABLES)
            assert b"internal error" in await raw.all()
        assert "ZeroDivisionError" in caplog.text
        assert await execute(other, "SELECT 1") == [(1,)]


async def test_closing_leaves_no_connection_that_was_just_being_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket is accepted already, and the server is told of the connection in the next turn of the loop."""
    made: list[Channel] = []

    class Seen(Channel):
        def __init__(self, on_open: Callable[[Channel], None]) -> None:
            super().__init__(on_open)
            made.append(self)

    monkeypatch.setattr(server_module, "Channel", Seen)
    server = LocalServer(tmp_path / "db")
    await server.start()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        async with asyncio.timeout(DEADLINE):
            while not made:  # noqa: ASYNC110 (each turn of the loop counts)
                await asyncio.sleep(0)
        assert not server._connections
        await server.aclose(grace_seconds=0)
        assert not server._connections
        client.setblocking(False)
        async with asyncio.timeout(DEADLINE):
            assert await asyncio.get_running_loop().sock_recv(client, 1) == b""


async def test_a_login_that_is_under_way_when_the_server_closes_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answered, it would promise that what the client sends next is read."""
    begun, may_end, begin = threading.Event(), threading.Event(), Session.open

    def held(self: Session, database: str) -> None:
        begun.set()
        assert may_end.wait(DEADLINE)
        begin(self, database)

    monkeypatch.setattr(Session, "open", held)
    server = LocalServer(tmp_path / "db")
    await server.start()
    raw = await Raw.connect(server, HELLO)
    await until(begun.is_set)
    closing = asyncio.create_task(server.aclose(grace_seconds=DEADLINE))
    await until(lambda: server._is_closed)
    may_end.set()
    assert await raw.all() == b""
    await closing


async def test_closing_lets_a_running_query_end(tmp_path: Path) -> None:
    server = LocalServer(tmp_path / "db")
    await server.start()
    raw = await Raw.connect(server, HELLO, query_packet("SELECT sleep(1), 'was let end'"), NO_TABLES)
    await working(server)
    began = time.monotonic()
    await server.aclose(grace_seconds=DEADLINE)
    assert b"was let end" in await raw.all()
    assert time.monotonic() - began < DEADLINE


async def test_what_was_acknowledged_is_there_at_the_next_start(tmp_path: Path) -> None:
    for count in range(3):
        server = LocalServer(tmp_path / "db")
        await server.start()
        async with connected(server) as client:
            await execute(client, "CREATE TABLE IF NOT EXISTS t (a UInt8) ORDER BY a")
            assert await execute(client, "SELECT count() FROM t") == [(count,)]
            await execute(client, "INSERT INTO t VALUES", [(count,)])
        await server.aclose()


async def test_a_port_in_use_leaves_nothing_open(tmp_path: Path) -> None:
    threads = threading.active_count()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = LocalServer(tmp_path / "db", port=taken.getsockname()[1])
        with pytest.raises(OSError, match="address already in use"):
            await server.start()
    await until(lambda: threading.active_count() <= threads)


def test_a_server_under_uvloop(tmp_path: Path) -> None:
    with ServerThread(tmp_path / "db", new_loop=uvloop.new_event_loop) as server:
        client = Driver("127.0.0.1", port=server.port, compression="lz4")
        client.execute("CREATE TABLE t (a UInt64, s String) ORDER BY a")
        client.execute("INSERT INTO t VALUES", [(number, "x" * 1000) for number in range(20_000)])
        assert sum(a for a, _ in client.execute_iter("SELECT a, s FROM t")) == 20_000 * 19_999 // 2
        client.disconnect()


def test_the_first_bytes_of_a_header_are_not_a_whole_block() -> None:
    assert header_block([("a", "UInt8")]) == b"\x01\x00\x01a\x05UInt8"
    assert protocol.END_OF_STREAM == b"\x05"
