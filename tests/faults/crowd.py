"""Sixty clients of all kinds against one server, in a process of their own: ``crowd.py PORT SECONDS SEED``.

They read, or do not; they stop in the middle of a packet, send bombs and garbage, kill queries and go away. Prints what
was done, and what went wrong with the well-behaved ones, as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import zstandard
from asynch.proto.connection import Connection as Client

from agentstore.local.protocol.blocks import EMPTY_BLOCK
from agentstore.local.protocol.compression import HEADER, CompressionMethod, checksum, compress
from agentstore.local.protocol.wire import text, varint
from tests.faults.server import PASSWORD
from tests.local.talk import ENDLESS, HELLO, NO_TABLES, query_packet

MIB = 1 << 20
LOGIN = HELLO[: -len(text(""))] + text(PASSWORD)
LARGE = "SELECT number, repeat('x', 1000) FROM numbers(100000000)"
INSERT = "INSERT INTO FUNCTION null('s String') VALUES"


class Crowd:
    def __init__(self, port: int, seconds: float, seed: int) -> None:
        self._port = port
        self._end = time.monotonic() + seconds
        self._random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []

    async def run(self) -> None:
        kinds: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self.fast, 20), (self.slow, 12), (self.half_open, 8), (self.bombing, 10), (self.killing, 10),
        ]  # fmt: skip
        await asyncio.gather(*(self._again(kind) for kind, count in kinds for _ in range(count)))

    async def _again(self, kind: Callable[[], Awaitable[None]]) -> None:
        name = kind.__name__
        while time.monotonic() < self._end:
            try:
                await kind()
            except (OSError, EOFError) as error:
                if name == "fast":
                    self.failures.append(repr(error))
            self.done[name] += 1

    async def fast(self) -> None:
        client = Client(host="127.0.0.1", port=self._port, password=PASSWORD, compression=self._random.random() < 0.5)
        await client.connect()
        try:
            await client.execute("CREATE TEMPORARY TABLE mine (a UInt32, b String)")
            rows = [(number, "x" * self._random.randrange(2000)) for number in range(200)]
            await client.execute("INSERT INTO mine VALUES", rows)
            if await client.execute("SELECT * FROM mine ORDER BY a") != rows:
                self.failures.append("rows differ")
        finally:
            await client.disconnect()
        await self._pause(0.5)

    async def slow(self) -> None:
        await self._send(LOGIN + query_packet(LARGE) + NO_TABLES, self._random.uniform(1, 10))

    async def half_open(self) -> None:
        claimed = bytes(16) + struct.pack("<BII", CompressionMethod.ZSTD, 1000, 60 * MIB)
        beginning = LOGIN + query_packet(INSERT) + NO_TABLES
        said = [b"", LOGIN[:5], beginning, beginning + b"\x02", LOGIN + _compressed(INSERT) + b"\x02\x00" + claimed]
        await self._send(self._random.choice(said), self._random.uniform(1, 10))

    async def bombing(self) -> None:
        data = LOGIN + _compressed(INSERT) + b"\x02" + text("")
        huge = b"\xff" * 9 + b"\x01"
        packets = [
            data + _bomb(8 * MIB),
            data + bytes(16) + struct.pack("<BII", CompressionMethod.ZSTD, 1 << 30, 1 << 30),
            LOGIN + b"\x01" + huge,
            data + compress(CompressionMethod.LZ4, EMPTY_BLOCK[:-2] + huge + huge),
            data + self._random.randbytes(5000),
            self._random.randbytes(5000),
        ]
        await self._send(self._random.choice(packets), self._random.uniform(0, 3))
        await self._pause(1)

    async def killing(self) -> None:
        name = f"crowd-{self._random.randrange(1 << 40)}"
        victim = asyncio.ensure_future(self._send(LOGIN + query_packet(ENDLESS, name) + NO_TABLES, 3))
        await self._pause(1)
        if self._random.random() < 0.7:
            await self._send(LOGIN + query_packet(f"KILL QUERY WHERE query_id = '{name}' SYNC") + NO_TABLES, 2)
        await victim

    async def _send(self, data: bytes, seconds: float) -> None:
        """Send this, read nothing, and be gone after a while."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1024)
        try:
            writer.write(data)
            await asyncio.sleep(seconds)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def _pause(self, most: float) -> None:
        await asyncio.sleep(self._random.uniform(0, most))


def _compressed(sql: str) -> bytes:
    packet, end = query_packet(sql), varint(0) + text(sql)
    return (
        packet[: -len(end)] + varint(1) + text(sql) + b"\x02" + text("") + compress(CompressionMethod.LZ4, EMPTY_BLOCK)
    )


def _bomb(rows: int) -> bytes:
    content = EMPTY_BLOCK[:-2] + varint(1) + varint(rows) + text("s") + text("String") + bytes(rows)
    body = zstandard.ZstdCompressor().compress(content)
    rest = struct.pack("<BII", CompressionMethod.ZSTD, HEADER + len(body), len(content)) + body
    return checksum(rest) + rest


if __name__ == "__main__":
    crowd = Crowd(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    asyncio.run(crowd.run())
    print(json.dumps({"done": crowd.done, "failures": crowd.failures[:5]}))
