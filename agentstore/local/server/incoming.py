"""Blocks from one client: into spools piece by piece as they arrive, compressed or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial

from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol import packets
from agentstore.local.protocol.blocks import BlockShape, ColumnHeader, read_block
from agentstore.local.protocol.packets import MAX_SMALL_STRING, ClientPacket
from agentstore.local.protocol.wire import NEED_MORE, ByteBuffer, PacketTooLargeError, ProtocolError, Reader, read_text
from agentstore.local.server.channel import Channel
from agentstore.local.server.compressed_frames import CompressedFrames
from agentstore.local.server.context import ServerContext
from agentstore.local.session.external_tables import MAX_TABLES, ExternalTable
from agentstore.local.session.spool import PIECE_BYTES, Spool

# Of one external table before it is in the engine; there may be many.
EXTERNAL_MEMORY_BYTES = 1 << 20


class IncomingBlocks:
    """Those that belong to one query. ``end()`` must be called after it."""

    def __init__(
        self,
        channel: Channel,
        context: ServerContext,
        submit: Callable[[Callable[[], None]], Awaitable[None]],
        *,
        compressed: bool,
    ) -> None:
        """``submit`` runs what may block in the connection's thread."""
        self._channel = channel
        self._context = context
        self._submit = submit
        self._frames = CompressedFrames(channel, context, context.max_packet_bytes) if compressed else None

    def end(self) -> None:
        if self._frames is not None:
            self._frames.end()

    async def external_tables(self, sent: ExitStack) -> list[ExternalTable]:
        """The tables sent along with a query, up to the empty block. ``sent`` forgets the rows.

        Scalars are read past.
        """
        tables: dict[str, ExternalTable] = {}
        while True:
            packet = await self._channel.read(packets.read_packet_type(self._channel.buffer))
            if packet not in (ClientPacket.DATA, ClientPacket.SCALAR):
                raise packets.unexpected(packet, "Data")
            name = await self.name()
            if packet == ClientPacket.SCALAR:
                await self.block(None)
                continue
            table = tables.get(name)
            if table is None:
                table = ExternalTable(name, [], self._external_spool())
                # Before its rows come: whatever goes wrong with them, the file is closed.
                sent.callback(table.spool.close)
            columns: list[ColumnHeader] = []
            if (await self.block(table.spool, columns)).is_end:
                return list(tables.values())
            # After the end was looked for: the closing block is no table, and does not count.
            if name not in tables and len(tables) == MAX_TABLES:
                raise PacketTooLargeError("the number of external tables", MAX_TABLES + 1, MAX_TABLES)
            table.columns = table.columns or [(column.name, column.kind) for column in columns]
            tables[name] = table

    async def rows(self, spool: Spool, columns: int) -> bool:
        """The rows of an INSERT, up to the empty block. False: the client cancelled.

        Raises EngineError after the last block if any did not have this many columns: the engine would fill those that
        are missing.
        """
        wrong: set[int] = set()
        while True:
            packet = await self._channel.read(packets.read_packet_type(self._channel.buffer))
            if packet == ClientPacket.DATA:
                await self.name()
                shape = await self.block(spool)
                if shape.rows and shape.columns != columns:
                    wrong.add(shape.columns)
                if shape.is_end and wrong:
                    text = f"A block has {wrong.pop()} columns, this INSERT needs {columns}"
                    raise EngineError.make(20, "NUMBER_OF_COLUMNS_DOESNT_MATCH", text)
                if shape.is_end:
                    return True
            elif packet == ClientPacket.CANCEL:
                return False
            elif packet == ClientPacket.PING:
                self._channel.write(packets.PONG)
            else:
                raise packets.unexpected(packet, "Data")

    def _external_spool(self) -> Spool:
        return Spool(self._context.engine.path, EXTERNAL_MEMORY_BYTES, self._context.engine.space)

    async def name(self) -> str:
        """The name of the table that a block is for."""
        buffer = self._channel.buffer
        name = await self._channel.read(read_text(buffer, MAX_SMALL_STRING, "a table's name"))
        buffer.drop()
        return name

    async def block(self, spool: Spool | None, header: list[ColumnHeader] | None = None) -> BlockShape:
        """One block, into the spool piece by piece as it arrives; its columns are added to ``header``."""
        inner = self._channel.buffer if self._frames is None else ByteBuffer()
        shape = await self._read_storing(read_block(inner, self._context.max_packet_bytes, header), inner, spool)
        if shape.columns and shape.rows:
            await self._store(spool, inner.take())
        inner.drop()
        if self._frames is not None:
            # What is left belongs to no packet: dropped, a client's bytes would be lost without a word.
            if inner.unread or not self._frames.is_used_up:
                raise ProtocolError("a compressed frame goes on behind the end of its block", 271, "CANNOT_DECOMPRESS")
            self._frames.end()
        return shape

    async def _read_storing(self, reader: Reader[BlockShape], inner: ByteBuffer, spool: Spool | None) -> BlockShape:
        """Run a block's reader; what it has moved over goes into the spool while the rest is still on its way."""
        while True:
            # Before the reader looks: what comes while it works must not be waited for.
            arrived = self._channel.arrived
            try:
                need = next(reader)
            except StopIteration as stop:
                shape: BlockShape = stop.value
                return shape
            # While the rest is still on its way, so that a block of any size is held a piece at a time.
            if inner.consumable >= PIECE_BYTES:
                await self._store(spool, inner.take())
            if need is not NEED_MORE:
                await asyncio.sleep(0)  # a block of many small values takes long: others have their turn
            elif self._frames is not None:
                await self._frames.feed(inner)
            else:
                await self._channel.more(arrived)

    async def _store(self, spool: Spool | None, piece: bytes) -> None:
        if spool is None:
            return
        # Into memory at once; a file may block, and is written in the connection's thread.
        if spool.has_room(len(piece)):
            spool.write(piece)
        else:
            await self._submit(partial(spool.write, piece))
