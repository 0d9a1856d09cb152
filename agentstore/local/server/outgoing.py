"""Results on their way to one client, bounded over all clients.

Each connection has one batch of a result at a time. A client that does not read keeps its batch, in memory as long as
that suffices for all: else what is unsent of it goes into a file, so that clients which read never wait for those
which do not.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections import deque
from collections.abc import Iterable
from typing import IO, NamedTuple

from agentstore.local.engine.disk_space import NoSpaceError
from agentstore.local.server.channel import Channel
from agentstore.local.server.context import ServerContext
from agentstore.local.server.replies import joined

logger = logging.getLogger("agentstore.local")

PIECE_BYTES = 1 << 20
# A client that has read nothing for so long is not about to read, where others need the memory.
PATIENCE_SECONDS = 0.1


class OutgoingResults:
    def __init__(self, channel: Channel, context: ServerContext) -> None:
        self._channel = channel
        self._context = context

    async def room(self) -> None:
        """Wait until the next batch may be made."""
        await self._context.results.acquire(0)

    async def send(self, parts: list[bytes]) -> None:
        """Write all parts, and empty the list: what is large must not be held twice.

        Returns when the client has read nearly all. Raises ChannelClosedError if it is gone.
        """
        pieces = _pieces(parts)
        held = sum(piece.weight for piece in pieces)
        # Without waiting: the batch is in memory already, whether there is room for it or not.
        self._context.results.take(held)
        try:
            while pieces:
                piece = pieces.popleft()
                self._channel.write(piece.data)
                self._context.results.release(piece.weight)
                held -= piece.weight
                if not await self._is_drained(held) and (file := await self._spill(pieces)) is not None:
                    del piece
                    # Before the bytes are given back: a piece is a view, and as long as one is left its whole part is
                    # held.
                    pieces.clear()
                    self._context.results.release(held)
                    held = 0
                    await self._send_file(file)
        finally:
            # However this ends; 0 where everything was written.
            self._context.results.release(held)

    async def _is_drained(self, held: int) -> bool:
        """Wait until more can be written; False if the memory is needed before."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS if held else None):
                    await self._channel.drain()
                return True
            except TimeoutError:
                if self._context.results.is_short:
                    return False

    async def _spill(self, pieces: Iterable[_Piece]) -> IO[bytes] | None:
        """The rest in a file; None where there is no space for it."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._context.helpers, self._write_file, [piece.data for piece in pieces])
        except (NoSpaceError, OSError) as error:
            logger.warning("results that are not read stay in memory: %s", error)
            # Without a file the client has as much time as it takes: cut off here, a full disk would end reads.
            await self._channel.drain()
            return None

    def _write_file(self, pieces: list[memoryview]) -> IO[bytes]:
        with self._context.engine.space.claim(sum(len(piece) for piece in pieces)):
            file = tempfile.TemporaryFile(dir=self._context.engine.path)  # noqa: SIM115 (it is given away)
            try:
                for piece in pieces:
                    file.write(piece)
                file.seek(0)
            except BaseException:
                file.close()
                raise
            return file

    async def _send_file(self, file: IO[bytes]) -> None:
        loop = asyncio.get_running_loop()
        with file:
            while piece := await loop.run_in_executor(self._context.helpers, file.read, PIECE_BYTES):
                self._channel.write(piece)
                await self._channel.drain()


class _Piece(NamedTuple):
    """``weight`` is how much memory is free once this and those before it are written."""

    data: memoryview
    weight: int


def _pieces(parts: list[bytes]) -> deque[_Piece]:
    """The same bytes in pieces that are worth a write each, without a copy of what is large."""
    pieces: deque[_Piece] = deque()
    for part in joined(parts):
        view = memoryview(part)
        for start in range(0, len(view), PIECE_BYTES):
            is_last = start + PIECE_BYTES >= len(view)
            pieces.append(_Piece(view[start : start + PIECE_BYTES], len(view) if is_last else 0))
    parts.clear()
    return pieces
