"""One socket as asyncio sees it: a buffer that fills, a buffer that drains, and news of the other side."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from agentstore.local.protocol.wire import NEED_MORE, ByteBuffer, Reader, T

# More than this waits unread in the buffer: reading from the socket pauses.
READ_AHEAD = 1 << 20
WRITE_AHEAD = 1 << 20
# A machine that vanished without a word is noticed after two minutes, and what its connection held is free again.
KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


class ChannelClosedError(Exception):
    """The other side is gone, or this side stopped reading."""


class Channel(asyncio.Protocol):
    """Reads packets with readers of the wire module, writes bytes with back-pressure. Used by one task at a time."""

    def __init__(self, on_open: Callable[[Channel], None]) -> None:
        self.buffer = ByteBuffer()
        # Called on every arrival of bytes and on the end of input, while set.
        self.on_input: Callable[[], None] | None = None
        self.input_ended = False
        # How many bytes have come in all.
        self.arrived = 0
        self._on_open = on_open
        self._transport: asyncio.Transport | None = None
        self._reader: asyncio.Future[None] | None = None
        self._drain: asyncio.Future[None] | None = None
        self._write_paused = False
        self._read_paused = False
        self._closed = asyncio.get_running_loop().create_future()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: the transports of uvloop do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_AHEAD)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _keep_alive(sock)
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        self.buffer.feed(data)
        # Before anybody is woken: `more` tells by this number that something came.
        self.arrived += len(data)
        # Not while somebody waits for bytes: who is woken takes them, and would only have to resume reading.
        if self.buffer.unread > READ_AHEAD and self._reader is None and self._transport is not None:
            self._transport.pause_reading()
            self._read_paused = True
        self._wake()

    def eof_received(self) -> bool:
        self._end_input()
        return True  # it may only have finished sending: what it asked for is answered, then the conversation ends

    def connection_lost(self, error: Exception | None) -> None:
        self._end_input()
        # Whoever waits to write would wait for ever: `resume_writing` is not called any more.
        if self._drain is not None and not self._drain.done():
            self._drain.set_exception(ChannelClosedError())
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)

    # What the conversation calls.

    async def read(self, reader: Reader[T]) -> T:
        """Run a reader to its end. Raises ChannelClosedError if the bytes end first."""
        while True:
            try:
                if next(reader) is NEED_MORE:
                    await self.more(self.arrived)
            except StopIteration as stop:
                result: T = stop.value
                return result

    async def more(self, arrived: int) -> None:
        """Wait until more than ``arrived`` bytes have come. Raises ChannelClosedError once there will be none.

        The caller says how far it has looked, so that what came while it did something else is not waited for.
        """
        if self.arrived > arrived:
            return
        if self._read_paused and self._transport is not None:
            # Here and nowhere else reading goes on: everything that had come is used, and more is wanted.
            self._read_paused = False
            self._transport.resume_reading()
        if not self.input_ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        # Nothing came, and nothing will: the input has ended.
        if self.arrived == arrived:
            raise ChannelClosedError

    def end_input(self) -> None:
        """Behave as if the other side had finished sending."""
        self._end_input()

    def write(self, data: bytes | memoryview) -> None:
        if self._transport is None or self._transport.is_closing():
            # asyncio would drop the bytes and only log it, and results would go on being made for nobody.
            raise ChannelClosedError
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the other side has read enough of what was written. Raises ChannelClosedError if it is gone."""
        # Asked even where nothing is paused: a socket that is gone takes no bytes and never pauses.
        if self._closed.done():
            raise ChannelClosedError
        if self._write_paused:
            self._drain = asyncio.get_running_loop().create_future()
            try:
                await self._drain
            finally:
                self._drain = None

    async def aclose(self, seconds: float) -> None:
        """Send what was written, for at most ``seconds``, then close the socket whatever the other side does."""
        if self._transport is None:
            return
        self._transport.close()
        with suppress(TimeoutError):  # the other side does not read: what is unsent is given up
            async with asyncio.timeout(seconds):
                # Shielded: cancelled by the timeout it would count as closed, and `abort` would leave the socket open.
                await asyncio.shield(self._closed)
        self.abort()

    def abort(self) -> None:
        """Close the socket at once; what is unsent is lost."""
        # Not when it is closed: asyncio's transport trips over itself if it was closed with something left to write.
        if self._transport is not None and not self._closed.done():
            self._transport.abort()

    def _end_input(self) -> None:
        self.input_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        if self.on_input is not None:
            self.on_input()


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):  # not everywhere
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
