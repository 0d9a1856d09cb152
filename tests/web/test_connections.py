"""Clients that send nothing, or not all, or read nothing are not waited for; answers that take long are."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from agentstore.web.access.headers import POLICY
from agentstore.web.connections import Connection
from agentstore.web.serving import listening

POLICY_SAID = f"content-security-policy: {POLICY}\r\n".encode()
LARGE = b"x" * 32 * 1024 * 1024


class Short(Connection):
    seconds = 0.2
    stuck_seconds = 0.2


class Few(Connection):
    most = 2


class Patient(Connection):
    stuck_seconds = 0.5


class App:
    """Reads a request to its end, and answers when it is told to."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request" and message.get("more_body"):
            pass
        await self.may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


class Flood:
    """Answers with more than a connection holds: at once, or piece by piece until it is told to end."""

    def __init__(self, *, is_stream: bool = False) -> None:
        self.is_stream = is_stream
        self.may_end = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        length = [] if self.is_stream else [(b"content-length", str(len(LARGE)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        if not self.is_stream:
            await send({"type": "http.response.body", "body": LARGE})
            return
        while not self.may_end.is_set():
            await send({"type": "http.response.body", "body": LARGE[: 2**20], "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"end"})


@contextlib.asynccontextmanager
async def running(app: Any, connection: type[Connection] = Short) -> AsyncIterator[int]:
    """The port of a server with connections of little patience."""
    with contextlib.closing(listening("127.0.0.1", 0)) as sock:
        server = Server(uvicorn.Config(app, http=connection, ws="none", lifespan="off", log_config=None))
        task = asyncio.create_task(server.serve(sockets=[sock]))
        yield sock.getsockname()[1]
        server.should_exit = True
        await task


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT",
    ],
)
async def test_a_request_that_does_not_come_whole_ends_its_connection(sent: bytes) -> None:
    async with running(App()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        said = await reader.read()
        assert said.endswith(b"ok") == (b"GET / HT" in sent[1:])
        writer.close()


async def test_an_answer_may_take_longer_than_a_request() -> None:
    app = App()
    app.may_end.clear()
    async with running(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        # One that came later was ended already.
        silent, other = await asyncio.open_connection("127.0.0.1", port)
        assert await silent.read() == b""
        app.may_end.set()
        assert (await reader.read()).endswith(b"ok")
        for one in (writer, other):
            one.close()


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_answer_that_nobody_reads_ends_its_connection(is_stream: bool) -> None:
    lost = asyncio.Event()

    class Watched(Short):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()
            app.may_end.set()

    app = Flood(is_stream=is_stream)
    async with running(app, Watched) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(30):
                await lost.wait()


async def test_one_that_is_read_may_take_as_long_as_it_likes() -> None:
    app = Flood(is_stream=True)
    async with running(app, Patient) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        loop = asyncio.get_running_loop()
        until = loop.time() + 4 * Patient.stuck_seconds
        while loop.time() < until:
            assert await reader.read(2**20)
        app.may_end.set()
        # The end of its last piece.
        last = b""
        while piece := await reader.read(2**20):
            last = last[-20:] + piece
        assert last.endswith(b"3\r\nend\r\n0\r\n\r\n")
        writer.close()


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000])
async def test_what_is_no_request_is_refused_with_the_policy(sent: bytes) -> None:
    async with running(App()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 400 ")
        assert all(line in said for line in (POLICY_SAID, b"nosniff\r\n", b"no-referrer\r\n"))
        assert said.endswith(b"\r\n\r\nInvalid HTTP request received.")
        writer.close()


async def test_too_many_connections_are_told_so_with_the_policy() -> None:
    async with running(App(), Few) as port:
        first = await asyncio.open_connection("127.0.0.1", port)
        first[1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await first[0].readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
        second = await asyncio.open_connection("127.0.0.1", port)
        second[1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        said = await second[0].read()
        assert said.startswith(b"HTTP/1.1 503 ")
        assert all(line in said for line in (POLICY_SAID, b"nosniff\r\n", b"no-referrer\r\n", b"retry-after: 2\r\n"))
        for _, writer in (first, second):
            writer.close()


async def test_a_fault_of_the_gate_is_told_with_the_policy(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("secret")

    async with running(broken) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 500 ")
        assert POLICY_SAID in said
        assert b"secret" not in said
        writer.close()
    assert "secret" in caplog.text
