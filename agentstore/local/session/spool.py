"""Where the blocks of an INSERT wait until all of them have arrived.

The engine commits a large insert in several steps as the rows come, so it gets none before the client has said that it
is done: a client that goes away in the middle leaves nothing. Small inserts wait in memory, the rest of a large one in
a file without a name, which the system removes by itself whatever happens to this process. The engine reads both
through the path of an open file. Where the file finds no space, the rest of the insert is read past, and the insert is
refused at its end: a client hears of it only there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import IO

from agentstore.local.engine.disk_space import NoSpaceError, Space
from agentstore.local.engine.errors import EngineError

MEMORY_BYTES = 32 << 20
PIECE_BYTES = 1 << 20


class Spool:
    """Pieces of bytes in the order of arrival."""

    def __init__(self, directory: str, memory_bytes: int = MEMORY_BYTES, space: Space | None = None) -> None:
        """``space`` is asked before the file in ``directory`` grows."""
        self._directory = directory
        self._space = space
        self._failure = ""
        self._memory_bytes = memory_bytes
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    def __repr__(self) -> str:
        return f"<Spool {self.size} bytes, {'in memory' if self._file is None else 'on disk'}>"

    def has_room(self, size: int) -> bool:
        """Whether a piece of this size stays in memory: ``write`` does not block then."""
        return self.size + size <= self._memory_bytes

    def write(self, piece: bytes) -> None:
        # Also of what is read past: by its size an insert is told from an empty one, which would be acknowledged.
        self.size += len(piece)
        if self._failure:
            return
        if self.size <= self._memory_bytes:
            self._pieces.append(piece)
            return
        try:
            self._write_to_file(piece)
        except NoSpaceError as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(f"Cannot keep an insert of {self.size} bytes or more in {self._directory}: {error.strerror}")

    def _write_to_file(self, piece: bytes) -> None:
        with ExitStack() as claimed:
            if self._space is not None:
                # The first time with all that was in memory so far: that goes into the file, too.
                claimed.enter_context(self._space.claim(len(piece) if self._file else self.size))
            file = self._to_file(self._temporary_file)
            file.write(piece)
            # Now, while the space is claimed: what stays in Python's buffer would fail later, out of sight.
            file.flush()

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self.close()

    def path(self) -> str:
        """Where the engine can read everything that was written, until ``close``. Raises EngineError if not all."""
        if self._failure:
            raise EngineError.make(243, "NOT_ENOUGH_SPACE", self._failure)
        file = self._to_file(self._memory_file)
        # The engine opens the path anew, and sees what the system has, not what Python still holds.
        file.flush()
        return f"/dev/fd/{file.fileno()}"

    def _to_file(self, make: Callable[[], IO[bytes]]) -> IO[bytes]:
        if self._file is None:
            self._file = make()
            for piece in self._pieces:
                self._file.write(piece)
            self._pieces.clear()
        return self._file

    def _temporary_file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._directory)

    def _memory_file(self) -> IO[bytes]:
        if not hasattr(os, "memfd_create"):  # not everywhere
            return self._temporary_file()
        return os.fdopen(os.memfd_create("agentstore-insert"), "w+b")

    def close(self) -> None:
        self._pieces.clear()
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what it could not write at last is of no use any more
                file.close()
