"""Compressed frames as they come from one client: opened beside the event loop, and bounded over all clients."""

from __future__ import annotations

import asyncio

from agentstore.local.protocol.compression import FrameHeader, open_frame, read_frame_header
from agentstore.local.protocol.wire import ByteBuffer, ProtocolError, read_bytes
from agentstore.local.server.channel import Channel
from agentstore.local.server.context import ServerContext

# A reader gets so much at a time: what it does with it is done on the event loop, where others wait.
PIECE_BYTES = 1 << 14
# Nearly all clients send frames of 1 MiB. So small ones need no share, and never wait for large ones.
SMALL_FRAME = 2 << 20
WORTH_A_THREAD = 1 << 17
# A frame that holds a share has to arrive within this time, or a few clients that stop could hold it all.
ARRIVAL_SECONDS = 60.0


class CompressedFrames:
    """The content of a client's frames, one frame at a time. ``end()`` must be called after each block."""

    def __init__(self, channel: Channel, context: ServerContext, limit: int) -> None:
        self._channel = channel
        self._context = context
        self._limit = limit
        self._content = memoryview(b"")
        self._share = 0
        self._is_measured = False

    async def feed(self, inner: ByteBuffer) -> None:
        """Put the next piece into ``inner``. Raises ProtocolError for one that cannot be read, or comes too late."""
        if self._content:
            await asyncio.sleep(0)
        else:
            # The share goes back before the next frame asks for one: clients that hold one and wait for another could
            # wait for each other.
            self.end()
            await self._read()
        piece, self._content = self._content[:PIECE_BYTES], self._content[PIECE_BYTES:]
        inner.feed(piece)

    def end(self) -> None:
        """Give back what is held. Raises nothing: what is left of a frame is forgotten."""
        share, self._share = self._share, 0
        self._content = memoryview(b"")
        if share:
            self._context.frames.release(share)
        # Whatever cut the client off: the lock is one for all connections, and they would wait for ever.
        if self._is_measured:
            self._is_measured = False
            self._context.measuring.release()

    @property
    def is_used_up(self) -> bool:
        return not self._content

    async def _read(self) -> None:
        buffer = self._channel.buffer
        header = await self._channel.read(read_frame_header(buffer, self._limit))
        buffer.drop()
        # Before the body is read: by then it would be in memory, counted or not.
        if header.size + header.inside > SMALL_FRAME * 2:
            await self._context.frames.acquire(header.size + header.inside)
            # Only once it is given: cancelled while it waits, nothing is held that `end` could give back.
            self._share = header.size + header.inside
        body = await self._body(header)
        if max(header.size, header.inside) > WORTH_A_THREAD:
            loop = asyncio.get_running_loop()
            content = await loop.run_in_executor(self._context.helpers, open_frame, header, body)
        else:
            content = open_frame(header, body)
        if self._share:
            await self._context.measuring.acquire()
            self._is_measured = True
        self._content = memoryview(content)

    async def _body(self, header: FrameHeader) -> bytes:
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS if self._share else None):
                body = await self._channel.read(read_bytes(self._channel.buffer, header.body_size))
        except TimeoutError:
            text = f"a compressed frame of {header.size} bytes did not arrive within {ARRIVAL_SECONDS:g} s"
            raise ProtocolError(text, 209, "SOCKET_TIMEOUT") from None
        self._channel.buffer.drop()
        return body
