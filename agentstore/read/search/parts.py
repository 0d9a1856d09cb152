"""What the server says of the searched tables: how big they are, and which parts of them have no text index. Pure.

Which parts have an index decides only how fast they are searched, never what is found: a part that got its index, or
was made, since the server was asked is searched right either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Columns

_INDEXES = 3


@dataclass(frozen=True, slots=True)
class Table:
    """One table, of all organisations: the rows, granules and bytes of its parts, and of those without an index."""

    granules: int = 0
    bytes: int = 0
    unindexed_bytes: int = 0
    unindexed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tables:
    """All of them. ``sessions`` is the number of session rows; ``has_indexes``: whether texts are indexed at all."""

    has_indexes: bool = False
    sessions: int = 0
    of: Mapping[str, Table] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Table:
        return self.of.get(name, Table())


def state() -> Sql:
    """One row for each table, to be read by ``tables``.

    A part that was inserted and neither merged nor rewritten since has no text index: writers leave that to merges
    (what others inserted may have one, and is scanned). Parts that are older than the index show it by the size of all
    their indexes, of which the range of versions takes two numbers for every 64 granules.
    """
    return sql(
        "WITH (level = 0 AND data_version = min_block_number)"
        " OR secondary_indices_uncompressed_bytes <= 16 * (intDiv(marks, 64) + 1) AS unindexed,"
        " (SELECT count() FROM system.data_skipping_indices WHERE database = currentDatabase()"
        " AND table IN ('messages', 'tool_calls') AND type = 'text') AS indexes"
        " SELECT table, indexes, sum(rows), sum(marks), sum(data_uncompressed_bytes),"
        " sumIf(data_uncompressed_bytes, unindexed), groupArrayIf(name, unindexed)"
        " FROM system.parts WHERE database = currentDatabase() AND active"
        " AND table IN ('messages', 'tool_calls', 'sessions') GROUP BY table, indexes"
    )


def tables(columns: Columns) -> Tables:
    """What ``state`` answered."""
    rows = {row[0]: row[1:] for row in zip(*columns, strict=True)}
    sessions = rows.get("sessions")
    return Tables(
        has_indexes=any(row[0] >= _INDEXES for row in rows.values()),
        sessions=sessions[1] if sessions else 0,
        of={name: Table(row[2], row[3], row[4], tuple(row[5])) for name, row in rows.items()},
    )
