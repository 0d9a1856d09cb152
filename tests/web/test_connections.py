"""Clients that send nothing, or not all, are not waited for; answers that take long are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from agentstore.faces.listening import listening
from agentstore.web.connections import Connection


class Short(Connection):
    seconds = 0.2


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


@contextlib.asynccontextmanager
async def running(app: App) -> AsyncIterator[int]:
    """The port of a server with connections of little patience."""
    with contextlib.closing(listening("127.0.0.1", 0)) as sock:
        server = Server(uvicorn.Config(app, http=Short, ws="none", lifespan="off", log_config=None))
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
