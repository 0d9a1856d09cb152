"""asynch's connection, the only module that imports it, with the paths replaced that cost or lose something.

What asynch does differently from what the store needs is put right here, each with its reason: a ping before every
query, inserts encoded value by value, large results copied in one go, one packet read after an insert, an address
chosen by the loop, a socket that nobody keeps alive, a close that waits for the other side. Errors leave as asynch
raises them: ``driver.py`` translates.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from itertools import chain
from typing import Any

from asynch.errors import ClickHouseException, ServerException, UnexpectedPacketFromServerError
from asynch.proto import constants
from asynch.proto.block import RowOrientedBlock
from asynch.proto.connection import Connection
from asynch.proto.context import ExecuteContext
from asynch.proto.protocol import ClientPacket, ServerPacket
from asynch.proto.streams.block import BlockReader
from asynch.proto.streams.buffered import BufferedReader, BufferedWriter

from agentstore.connection.peer import keep_alive
from agentstore.errors import SchemaError
from agentstore.protocols import Columns

__all__ = ["ClickHouseException", "ServerException", "Wire"]

# Its warnings say what our errors say; without a handler Python would print them on the user's terminal.
logging.getLogger("asynch").addHandler(logging.NullHandler())

# Large enough to keep the number of system calls small, small enough that the loop breathes between two of them.
_WRITE_SLICE = 256 * 1024


class Wire(Connection):  # type: ignore[misc]  # asynch's compiled classes have no usable types
    """One connection. ``address`` is the one of the host's to connect to, ``heard`` when the last packet came."""

    address = ""
    heard = 0.0

    async def _init_connection(self, host: str, port: int) -> None:
        # The original leaves the choice of a name's address to the loop, which tries the next one only where one
        # refuses, and leaves the socket as it is.
        self.host, self.port = host, port
        ssl = self._get_ssl_context()
        # `server_hostname`: the certificate is checked against the name, whichever of its addresses is connected to.
        reader, writer = await asyncio.open_connection(
            self.address or host, port, limit=constants.BUFFER_SIZE, ssl=ssl, server_hostname=host if ssl else None
        )
        keep_alive(writer.get_extra_info("socket"))
        self.writer, self.reader = BufferedWriter(writer), BufferedReader(reader)
        self.block_reader = self.get_block_reader()
        self.block_reader_raw = BlockReader(self.reader, self.writer, self.context)
        self.block_writer = self.get_block_writer()
        self.connected = True
        await self.send_hello()
        await self.receive_hello()

    async def force_connect(self) -> None:
        # The original pings before every query and reconnects silently; the pool knows which connections are fresh.
        await self.check_query_execution()
        if not self.connected:
            raise ConnectionResetError("not connected")

    async def disconnect(self) -> None:
        # The original lets the transport send what is unsent and waits for that, also where the caller was cancelled:
        # for ever where the server has stopped reading, with TLS for its goodbye too. The end of the connection is all
        # a server needs to stop the query; it looks for that and for a Cancel packet in the same moment.
        if self.connected:
            self.writer.writer.transport.abort()
            self.reset_state()
            self.connected = False

    async def receive_result(
        self, with_column_types: bool = False, progress: bool = False, columnar: bool = True
    ) -> Columns:
        # The original copies the whole result twice when it is complete, in one go. Only columns are ever asked for.
        blocks = []
        async for packet in self.packet_generator():
            self.heard = time.monotonic()
            block = getattr(packet, "block", None)
            if block is not None and block.num_rows:
                blocks.append(block.get_columns())
        return await joined(blocks)

    async def insert_blocks(
        self,
        query: str,
        header: Sequence[tuple[str, str]],
        blocks: Sequence[bytes],
        settings: dict[str, Any],
        query_id: str,
    ) -> None:
        async with ExecuteContext(self, query, settings):
            await self.send_query(query, query_id=query_id)
            await self.send_external_tables(None)
            sample = await self.receive_sample_block()
            expected, got = [name for name, _ in header], [name for name, _ in sample.columns_with_types]
            # Before any row is sent: of a database with other columns nothing is stored.
            if expected != got:
                raise SchemaError(f"the server expects the columns {got}, not {expected}")
            for block in blocks:
                await self._send_encoded(block)
            await self.send_block(RowOrientedBlock())
            await self._receive_end()

    async def _send_encoded(self, block: bytes) -> None:
        await self.writer.write_varint(ClientPacket.DATA)
        await self.writer.write_str("")
        if self.compressor_cls is not None:
            await self.block_writer.writer.write_bytes(block)
            await self.block_writer.finalize()
            return
        # What is buffered first: the block is written past the buffer.
        await self.writer.flush()
        stream, view = self.writer.writer, memoryview(block)
        for start in range(0, len(view), _WRITE_SLICE):
            stream.write(view[start : start + _WRITE_SLICE])
            await stream.drain()
            # drain() does not yield while the peer keeps up, and then one large block would hold the loop.
            await asyncio.sleep(0)

    async def _receive_end(self) -> None:
        # The original reads one packet and takes it for the end: a Progress before an Exception would hide a failure.
        while True:
            packet = await self._receive_packet()
            if packet.type == ServerPacket.END_OF_STREAM:
                return
            if packet.type == ServerPacket.EXCEPTION:
                raise packet.exception
            if packet.type == ServerPacket.DATA and packet.block.num_rows:
                raise UnexpectedPacketFromServerError("rows in answer to an INSERT")


async def joined(blocks: list[list[Sequence[Any]]]) -> Columns:
    """The blocks' columns put together, one after the other: a large result must not hold the loop at its end."""
    columns: Columns = []
    for _ in range(len(blocks[0]) if blocks else 0):
        # Taken out of the blocks, so that these are not freed all at once either.
        columns.append(tuple(chain.from_iterable([block.pop(0) for block in blocks])))
        if len(blocks) > 1:
            await asyncio.sleep(0)
    return columns
