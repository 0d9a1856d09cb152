"""What a query's results look like on the wire: blocks, counters, and the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from agentstore.local.engine.connection import Chunk
from agentstore.local.engine.engine import Work
from agentstore.local.protocol import packets
from agentstore.local.protocol.blocks import BLOCK_INFO, header_block
from agentstore.local.protocol.compression import CompressionMethod, compress
from agentstore.local.protocol.packets import ServerPacket
from agentstore.local.session.totals import Extras

PARTS_WORTH_JOINING = 1 << 16


class Reply:
    """Builds the answer to one query and counts what goes out.

    Progress packets carry increments, of what the blocks say was read for them and of what was seen of the running
    statement, whichever is more: nothing is told twice.
    """

    def __init__(self, revision: int, method: CompressionMethod | None) -> None:
        self._revision = revision
        self._method = method
        self._rows = self._blocks = self._bytes = 0
        self._rows_before_limit: int | None = None
        self._done = Work()
        self._progress_sent = self._done

    def header(self, columns: Sequence[tuple[str, str]]) -> list[bytes]:
        """Names and types of columns, no rows."""
        return self._data(header_block(columns))

    def chunks(self, chunks: Sequence[Chunk]) -> list[bytes]:
        """A Data packet per block, after a Progress packet with what was read for them."""
        parts: list[bytes] = []
        for chunk in chunks:
            self._done = _sum(self._done, chunk)
            if chunk.data:
                self._rows += chunk.rows
                self._blocks += 1
                self._bytes += len(chunk.data)
                parts += self._data(chunk.data)
        progress = self._progress(self._done)
        return [progress, *parts] if progress else parts

    def sign_of_life(self, work: Work | None) -> bytes:
        """A Progress packet for a client that waits, empty where nothing new was seen of the statement."""
        news = b"" if work is None else self._progress(work)
        return news or packets.progress(self._revision, 0, 0)

    def _progress(self, done: Work) -> bytes:
        """What there is to tell beyond what was told; b"" if that is nothing."""
        # Never less than was told: a look at the running statement may be older than the blocks, and a negative
        # increment cannot be said.
        sent = astuple(self._progress_sent)
        now = tuple(map(max, astuple(done), sent))
        rows, size, total, *written = (new - old for new, old in zip(now, sent, strict=True))
        self._progress_sent = Work(*now)
        if not (rows or size or total or any(written)):
            return b""
        return packets.progress(self._revision, rows, size, total, (written[0], written[1]))

    def extras(self, extras: Extras) -> list[bytes]:
        """Totals and extremes, each in its own kind of packet."""
        self._rows_before_limit = extras.rows_before_limit
        parts: list[bytes] = []
        if extras.totals:
            parts += self._data(extras.totals, ServerPacket.TOTALS)
        if extras.extremes:
            parts += self._data(extras.extremes, ServerPacket.EXTREMES)
        return parts

    def end(self, *, has_result: bool) -> list[bytes]:
        """What closes a query that went well."""
        if not has_result:
            return [packets.END_OF_STREAM]
        info = packets.profile_info(self._rows, self._blocks, self._bytes, self._rows_before_limit)
        return [info, packets.progress(self._revision, 0, 0), packets.END_OF_STREAM]

    def _data(self, block: bytes, packet: ServerPacket = ServerPacket.DATA) -> list[bytes]:
        prefix = packets.block_prefix(packet)
        if self._method is None:
            return [prefix + BLOCK_INFO, block]
        return [prefix, compress(self._method, BLOCK_INFO + block)]


def _sum(done: Work, chunk: Chunk) -> Work:
    """With what the chunk adds. The engine's blocks do not say how much there is to read: at least what was read."""
    read = done.read_rows + chunk.read_rows
    return Work(
        read, done.read_bytes + chunk.read_bytes, read,
        done.written_rows + chunk.written_rows, done.written_bytes + chunk.written_bytes,
    )  # fmt: skip


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
