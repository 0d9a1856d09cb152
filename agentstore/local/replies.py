"""What a query's results look like on the wire: blocks, counters, and the end."""

from __future__ import annotations

from collections.abc import Sequence

from . import protocol
from .blocks import BLOCK_INFO, header_block
from .compression import Method, compress
from .engine import Chunk

PARTS_WORTH_JOINING = 1 << 16


class Reply:
    """Builds the answer to one query and counts what goes out."""

    def __init__(self, revision: int, method: Method | None) -> None:
        self._revision = revision
        self._method = method
        self._rows = self._blocks = self._bytes = 0

    def header(self, columns: Sequence[tuple[str, str]]) -> list[bytes]:
        """Names and types of columns, no rows."""
        return self._data(header_block(columns))

    def chunks(self, chunks: Sequence[Chunk]) -> list[bytes]:
        """A Data packet per block, after a Progress packet with what was read for them."""
        parts: list[bytes] = []
        for chunk in chunks:
            if chunk.data:
                self._rows += chunk.rows
                self._blocks += 1
                self._bytes += len(chunk.data)
                parts += self._data(chunk.data)
        read, size = sum(c.read_rows for c in chunks), sum(c.read_bytes for c in chunks)
        written = sum(c.written_rows for c in chunks), sum(c.written_bytes for c in chunks)
        if read or any(written):
            parts.insert(0, protocol.progress(self._revision, read, size, 0, written))
        return parts

    def end(self, *, has_result: bool) -> list[bytes]:
        """What closes a query that went well."""
        info = protocol.profile_info(self._rows, self._blocks, self._bytes) if has_result else b""
        return [info, protocol.END_OF_STREAM]

    def _data(self, block: bytes) -> list[bytes]:
        if self._method is None:
            return [protocol.DATA_PREFIX + BLOCK_INFO, block]
        return [protocol.DATA_PREFIX, compress(self._method, BLOCK_INFO + block)]


def joined(parts: Sequence[bytes]) -> list[bytes]:
    """The same bytes in as few pieces as is worth the copying: each piece becomes one write to the socket."""
    out: list[bytes] = []
    small: list[bytes] = []
    for part in parts:
        if len(part) < PARTS_WORTH_JOINING:
            small.append(part)
            continue
        if small:
            out.append(b"".join(small))
            small = []
        out.append(part)
    return [*out, b"".join(small)] if small else out
