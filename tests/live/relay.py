"""A TCP relay in front of the server: it counts connections, cuts them, and goes deaf."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from agentstore.local.client.acquire import acquire
from agentstore.settings import ConnectOptions, resolve_target
from tests.servers import Server


async def address_of(server: Server, **overrides: Any) -> ConnectOptions:
    """The server by host, port and password, whatever its DSN."""
    options = resolve_target(server.dsn, {"database": "default", **overrides})
    if not options.local_path:
        return options
    found = await acquire(options.local_path)
    return msgspec.structs.replace(
        options, local_path="", host=found.host, port=found.port, user=found.user, password=found.password
    )


class Relay:
    """Counts what goes through it. ``cut()`` ends all connections at once, as a server that is restarted does."""

    def __init__(self, host: str, port: int) -> None:
        self.home = self._target = (host, port)
        self._open: set[asyncio.Task[None]] = set()
        self.accepted = 0
        self.most_at_once = 0
        self.port = 0
        self.passing = asyncio.Event()
        """Cleared: connections are accepted and hear nothing until it is set."""
        self.passing.set()

    def lead_to(self, host: str, port: int) -> None:
        """Where connections accepted from now on lead."""
        self._target = (host, port)

    @property
    def open(self) -> int:
        """Connections that both sides still hold."""
        return len(self._open)

    async def cut(self) -> None:
        """End all connections, and return when they are gone."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        self.accepted += 1
        self.most_at_once = max(self.most_at_once, self.open)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):  # the end of a connection is no news here
                await self.passing.wait()
                there, back = await asyncio.open_connection(*self._target)
                try:
                    await _first(_copy(reader, back), _copy(there, writer))
                finally:
                    back.transport.abort()
        finally:
            writer.transport.abort()
            self._open.discard(task)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()


async def _first(*jobs: Any) -> None:
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def relaying(options: ConnectOptions) -> AsyncIterator[tuple[Relay, ConnectOptions]]:
    """A relay to the server of these options, and the options that lead through it."""
    relay = Relay(options.host, options.native_port)
    listener = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = listener.sockets[0].getsockname()[1]
    try:
        yield relay, msgspec.structs.replace(options, host="127.0.0.1", port=relay.port)
    finally:
        listener.close()
        await relay.cut()
        await listener.wait_closed()


async def until(condition: Any, seconds: float = 20.0) -> None:
    """Returns when the condition holds; fails when it does not within the time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is watched belongs to others and tells nobody
            await asyncio.sleep(0.005)
