"""What is sent in one INSERT: frozen rows, and how to cut them when the server refuses some. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agentstore.write.entry import Entry
from agentstore.write.rows import EncodedRows, Table

_BLOCK_BYTES = 4 * 1024 * 1024

# Refusals of the statement rather than of its rows: each row alone would be refused the same way.
_STATEMENT_CODES = frozenset(
    {16, 46, 47, 48, 60, 62, 81, 115, 164, 192, 193, 194, 218, 291, 344, 392, 394, 396, 450, 452, 497, 516, 701}
)


def blames_rows(code: int) -> bool:
    """Whether a definite refusal with this code may be the fault of single rows, so that the others can be saved."""
    return code not in _STATEMENT_CODES


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows ``start`` … ``stop`` of an entry."""

    entry: Entry
    start: int
    stop: int

    @property
    def row_count(self) -> int:
        """Its rows."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces that travel together under one insert_deduplication_token, in this order, never changed.

    Every attempt to send it carries the same blocks, settings and token, so an attempt whose answer was lost and its
    repetition are one insert to the server.
    """

    pieces: tuple[Piece, ...]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def table(self) -> Table:
        """The table of all rows."""
        return self.pieces[0].entry.table

    @property
    def row_count(self) -> int:
        """All rows of all pieces."""
        return sum(piece.row_count for piece in self.pieces)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of its INSERT. Small blocks are put together by the server, so the insert is one part."""
        return {"insert_deduplication_token": self.token, "insert_deduplicate": 1, "async_insert": 0}

    def groups(self) -> list[list[EncodedRows]]:
        """The rows of each block: some megabytes, so that making one holds the loop for milliseconds."""
        groups: list[list[EncodedRows]] = []
        size = _BLOCK_BYTES
        for piece in self.pieces:
            rows = piece.entry.part(piece.start, piece.stop)
            if size + rows.byte_count > _BLOCK_BYTES:
                groups.append([])
                size = 0
            groups[-1].append(rows)
            size += rows.byte_count
        return groups

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the rows each, in order, under new tokens. Needs more than one row."""
        if len(self.pieces) > 1:
            middle = len(self.pieces) // 2
            return Batch(self.pieces[:middle]), Batch(self.pieces[middle:])
        (piece,) = self.pieces
        middle = (piece.start + piece.stop) // 2
        return (
            Batch((Piece(piece.entry, piece.start, middle),)),
            Batch((Piece(piece.entry, middle, piece.stop),)),
        )


def batch_of(entries: Sequence[Entry]) -> Batch:
    """All rows of the entries, in their order."""
    return Batch(tuple(Piece(entry, 0, entry.row_count) for entry in entries))
