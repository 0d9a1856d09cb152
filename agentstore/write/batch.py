"""What is sent in one INSERT: frozen rows, and how to cut them when the server refuses some. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentstore.write.encoded_rows import EncodedRows
from agentstore.write.entry import Entry
from agentstore.write.rows import Table

_BLOCK_BYTES = 2 * 1024 * 1024

# The server puts smaller blocks together up to these sizes, more than any batch has: one INSERT is one part, all of it
# or nothing. Its defaults, said here because a user's profile may say otherwise.
_ONE_PART = {"min_insert_block_size_rows": 1_048_449, "min_insert_block_size_bytes": 268_402_944}

_TEXT_INDEXES = "content_text, input_text, result_text"

# Refusals of the statement, the user or the state of the server rather than of rows: each row alone would be refused
# the same way. Anything else may be the fault of single rows (27, 53, 69, 117, 131, 321, 349, 407, 469 …) or of the
# batch's size (158, 307, 396, 565): then a part of it passes. A code missing here costs time, never rows.
_STATEMENT_CODES = frozenset(
    # columns, functions, tables, databases that are not (or not any more) as the statement expects them
    {7, 8, 10, 13, 15, 16, 20, 42, 46, 47, 48, 50, 55, 56, 60, 62, 73, 78, 80, 81, 107, 119, 218, 336, 371, 701, 703}
    # the protocol itself
    | {99, 100, 101, 102}
    # users, rights, quotas, settings
    | {115, 164, 180, 192, 193, 194, 195, 199, 201, 291, 344, 392, 446, 450, 452, 456, 457, 471, 472, 495, 497}
    | {511, 512, 516, 620, 673, 700, 720, 763, 767}
    # what the server lacks, or was told
    | {173, 204, 236, 243, 394, 439, 724, 725, 733, 735, 745, 749, 764, 774}
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
    # Drawn once, with the pieces. A new one for a repetition would have the server store the rows again.
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
        """The settings of its INSERT."""
        return {
            "insert_deduplication_token": self.token,
            # A profile may turn it off, and then a repetition would be stored a second time.
            "insert_deduplicate": 1,
            # An asynchronous insert may be acknowledged before it is committed.
            "async_insert": 0,
            # Text indexes are built when parts are merged: on the way in they would cost ten times the insert. Servers
            # too old for this setting skip it, and are too old for text indexes.
            "exclude_materialize_skip_indexes_on_insert": _TEXT_INDEXES,
            **_ONE_PART,
        }

    def groups(self) -> Iterator[list[EncodedRows]]:
        """The rows of each block: some megabytes, so that making one holds the loop for milliseconds."""
        group: list[EncodedRows] = []
        size = 0
        for piece in self.pieces:
            rows = piece.entry.part(piece.start, piece.stop)
            # `group and`: a piece larger than a block is a block of its own.
            if group and size + rows.byte_count > _BLOCK_BYTES:
                yield group
                group, size = [], 0
            group.append(rows)
            size += rows.byte_count
        yield group

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the rows each, in order, under new tokens. Needs more than one row.

        Whole entries stay together as long as there are several, so that one caller's bad rows soon bother nobody else.
        """
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
