"""Where the blocks of an INSERT wait until all of them have arrived.

The engine commits a large insert in several steps as the rows come, so it gets none before the client has said that it
is done: a client that goes away in the middle leaves nothing. Small inserts wait in memory, the rest of a large one in
a file without a name, which the system removes by itself whatever happens to this process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

MEMORY_BYTES = 32 << 20
PIECE_BYTES = 1 << 20


class Spool:
    """Pieces of bytes in the order of arrival."""

    def __init__(self, directory: str, memory_bytes: int = MEMORY_BYTES) -> None:
        self._directory = directory
        self._memory_bytes = memory_bytes
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    def __repr__(self) -> str:
        return f"<Spool {self.size} bytes, {'in memory' if self._file is None else 'on disk'}>"

    def has_room(self, size: int) -> bool:
        """Whether a piece of this size stays in memory: `write` does not block then."""
        return self.size + size <= self._memory_bytes

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= self._memory_bytes:
            self._pieces.append(piece)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 (closed by close)
        self._file.write(piece)

    def pieces(self) -> Iterator[bytes]:
        """Everything written, once; what was read is no longer held."""
        self._pieces.reverse()
        while self._pieces:
            yield self._pieces.pop()
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(PIECE_BYTES):
                yield piece

    def close(self) -> None:
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
