"""Pieces of many files are written together: the server takes a few large inserts instead of many small ones.

What is read waits until so many bytes have come together, or nobody reads any more; and while the server has enough to
do, more comes together. Then what is plain, sessions that
are new to the store and come as a whole, is written by a few calls for all of them; the rest piece by piece.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from agentstore.errors import InvalidArgumentError, SessionPurgedError
from agentstore.importers.results import ImportResult
from agentstore.ingest.writer import ImportWriter

# One is written while the server still commits the one before.
_AT_ONCE = 2


class _Piece(NamedTuple):
    result: ImportResult
    more: bool
    written: asyncio.Future[list[str]]


class Together:
    """Collects what is to be written through one ``ImportWriter``."""

    def __init__(self, writer: ImportWriter, size: int) -> None:
        self._writer, self._size = writer, size
        self._pieces: list[_Piece] = []
        self._waiting_size = self._readers = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Somebody reads: what waits may wait for that."""
        self._readers += 1

    def end(self) -> None:
        """What somebody read was read, and will be handed over at once, or there was nothing."""
        self._readers -= 1
        # In the next turn of the loop: who has just read hands it over first.
        asyncio.get_running_loop().call_soon(self._write_if_due)

    async def write(self, result: ImportResult, size: int, *, more: bool) -> list[str]:
        """Returns when the piece is stored, with the ids of its sessions; see ``ImportWriter.write``."""
        written: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._pieces.append(_Piece(result, more, written))
        self._waiting_size += size
        self._write_if_due()
        return await written

    async def aclose(self) -> None:
        """End what is being written; whoever waits for it is cancelled by now."""
        self._pieces.clear()  # else they would be begun when the others end
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _write_if_due(self) -> None:
        is_due = not self._readers or self._waiting_size >= self._size
        if self._pieces and is_due and len(self._tasks) < _AT_ONCE:
            pieces, self._pieces, self._waiting_size = self._pieces, [], 0
            task = asyncio.create_task(self._write(pieces), name="agentstore-write")
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._write_if_due()

    async def _write(self, pieces: list[_Piece]) -> None:
        try:
            plain = [piece for piece in pieces if is_plain(piece.result, piece.more)]
            if len(plain) > 1:
                await self._write_plain(plain)
            await asyncio.gather(*(self._write_alone(piece) for piece in pieces if not piece.written.done()))
        finally:
            for piece in pieces:
                piece.written.cancel()  # only where it is not done: this was cancelled

    async def _write_plain(self, pieces: list[_Piece]) -> None:
        """Write those at once of which nothing is stored yet; the others are left."""
        try:
            ids = await self._writer.write_new([piece.result for piece in pieces])
        except (InvalidArgumentError, SessionPurgedError):
            return  # nothing of the call is stored: each by itself, so that the others do not fail with it
        except Exception as error:
            for piece in pieces:
                _fail(piece, error)
            return
        for piece, own in zip(pieces, ids, strict=True):
            if own is not None and not piece.written.done():
                piece.written.set_result(own)

    async def _write_alone(self, piece: _Piece) -> None:
        try:
            ids = await self._writer.write(piece.result, more=piece.more)
        except Exception as error:
            _fail(piece, error)
        else:
            if not piece.written.done():
                piece.written.set_result(ids)


def is_plain(result: ImportResult, more: bool) -> bool:
    """Whether a piece is all of its file, and no other program's record of it."""
    return (
        result.piece == 0 and not more and bool(result.sessions) and not any(one.copied_by for one in result.sessions)
    )


def _fail(piece: _Piece, error: Exception) -> None:
    if not piece.written.done():
        piece.written.set_exception(error)
