"""What a query's results look like on the wire: blocks, counters, and the end."""

from __future__ import annotations

from collections.abc import Sequence

from . import protocol
from .blocks import BLOCK_INFO, header_block
from .compression import Method, compress
from .engine import Chunk
from .protocol import ServerPacket
from .totals import Extras

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
        """A Data packet per block, after a Progress packet with what was read for them.

        The engine does not say how much there is to read in all: the total grows with what was read.
        """
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
            parts.insert(0, protocol.progress(self._revision, read, size, read, written))
        return parts

    def extras(self, extras: Extras) -> list[bytes]:
        """Totals and extremes, each in its own kind of packet."""
        parts: list[bytes] = []
        if extras.totals:
            parts += self._data(extras.totals, ServerPacket.TOTALS)
        if extras.extremes:
            parts += self._data(extras.extremes, ServerPacket.EXTREMES)
        return parts

    def end(self, *, has_result: bool) -> list[bytes]:
        """What closes a query that went well."""
        if not has_result:
            return [protocol.END_OF_STREAM]
        info = protocol.profile_info(self._rows, self._blocks, self._bytes)
        return [info, protocol.progress(self._revision, 0, 0), protocol.END_OF_STREAM]

    def _data(self, block: bytes, packet: ServerPacket = ServerPacket.DATA) -> list[bytes]:
        prefix = protocol.block_prefix(packet)
        if self._method is None:
            return [prefix + BLOCK_INFO, block]
        return [prefix, compress(self._method, BLOCK_INFO + block)]


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
