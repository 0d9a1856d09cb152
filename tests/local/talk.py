"""Talking to a server in this event loop: through asynch, or byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from asynch.proto.connection import Connection as Client

from agentstore.local.protocol.blocks import EMPTY_BLOCK
from agentstore.local.protocol.wire import text, varint
from agentstore.local.server.server import LocalServer

DEADLINE = 20.0
ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
HELLO = b"\x00" + text("test") + varint(1) + varint(1) + varint(54453) + text("") + text("default") + text("")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 (what is waited for happens outside)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(server: LocalServer, **options: Any) -> AsyncIterator[Client]:
    client = Client(host="127.0.0.1", port=server.port, **options)
    await client.connect()
    try:
        yield client
    finally:
        await client.disconnect()


async def execute(client: Client, sql: str, *args: Any, **options: Any) -> Any:
    return await client.execute(sql, *args, **options)


async def query_alone(server: LocalServer, sql: str) -> Any:
    async with connected(server) as client:
        return await execute(client, sql)


class Raw:
    """A client that sends what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, server: LocalServer, *packets: bytes) -> Raw:
        raw = cls(*await asyncio.open_connection("127.0.0.1", server.port))
        raw.writer.write(b"".join(packets))
        return raw

    async def all(self) -> bytes:
        """Everything the server sends until it closes the connection."""
        async with asyncio.timeout(DEADLINE):
            data = await self.reader.read()
        await self.close()
        return data

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


def query_packet(sql: str, query_id: str = "", settings: bytes = b"") -> bytes:
    info = b"\x01" + text("") * 2 + text("0.0.0.0:0") + bytes(8) + b"\x01" + text("") * 3 + varint(1) * 3
    info += text("") + varint(0) + varint(0) + b"\x00" + varint(0) * 3
    return b"\x01" + text(query_id) + info + settings + text("") + text("") + varint(2) + varint(0) + text(sql)


NO_TABLES = b"\x02" + text("") + EMPTY_BLOCK


def uint8_block(name: str, values: bytes) -> bytes:
    body = varint(1) + varint(len(values)) + text(name) + text("UInt8") + values
    return b"\x02" + text("") + EMPTY_BLOCK[:-2] + body


async def working(server: LocalServer) -> Any:
    # Not what its thread does: while a result is not read, that does nothing.
    await until(lambda: any(c.authenticated and not c._idle for c in server._connections))
    connection = next(iter(server._connections))
    await until(lambda: bool(server._engine.running(connection._queries.tag)))
    return connection


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[LocalServer]:
    """A server with small limits, ended at once afterwards."""
    server = LocalServer(path / "db", handshake_timeout_seconds=1.0, max_packet_bytes=1 << 26)
    await server.start()
    try:
        yield server
    finally:
        await server.aclose(grace_seconds=0)


@asynccontextmanager
async def served(path: Path, **options: Any) -> AsyncIterator[LocalServer]:
    """A server as people start it, ended at once afterwards."""
    server = LocalServer(path / "db", **options)
    await server.start()
    try:
        yield server
    finally:
        await server.aclose(grace_seconds=0)
