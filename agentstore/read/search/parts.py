"""What the server says of the searched tables: how big they are, and which parts of them have no text index. Pure.

Which parts have an index decides only how fast they are searched, never what is found: a part that got its index, or
was made, since the server was asked is searched right either way.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Columns

_INDEXES = 3


@dataclass(frozen=True, slots=True)
class Table:
    """The rows, granules and bytes of a table, and the parts of it that have no text index, and those that have one."""

    rows: int = 0
    granules: int = 0
    bytes: int = 0
    unindexed_bytes: int = 0
    unindexed: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()

    def share(self, part: float) -> Table:
        """A part of it, which may be the one that is not indexed."""
        rows, granules, size = (math.ceil(number * part) for number in (self.rows, self.granules, self.bytes))
        return Table(rows, granules, size, min(size, self.unindexed_bytes), self.unindexed, self.indexed)


@dataclass(frozen=True, slots=True)
class Tables:
    """The searched tables and the number of session rows: of all organisations, or what is about one's own of them."""

    sessions: int = 0
    of: Mapping[str, Table] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Table:
        return self.of.get(name, Table())

    def share(self, sessions: int) -> Tables:
        """An organisation's part of them, that has so many session rows: as if its sessions were like all others, and
        all that is not indexed its own.
        """
        part = sessions / max(self.sessions, sessions, 1)
        return Tables(sessions, {name: table.share(part) for name, table in self.of.items()})

    def among(self, sessions: int) -> Tables:
        """What so many of its sessions are of them: each has its share, and the granule around it is read with it."""
        each = {name: 1 / max(1, self.sessions) + 1 / max(1, table.granules) for name, table in self.of.items()}
        return Tables(sessions, {name: table.share(min(1, sessions * each[name])) for name, table in self.of.items()})


@dataclass(frozen=True, slots=True)
class State:
    """What the server said: the tables, how many session rows an organisation has, and how many sessions are searched.

    Both counts are 0 where they were not asked, or nothing is stored. ``has_indexes``: all texts are indexed, or are
    going to be; not on old servers.
    """

    tables: Tables
    sessions: int
    searched: int
    has_indexes: bool


def state(*, ask_for_indexes: bool = True, sessions: Sql | None = None, searched: Sql | None = None) -> Sql:
    """One row for each part, to be read by ``read``: adding them up takes the server longer than us.

    ``sessions`` and ``searched`` are conditions on sessions: how many rows and how many sessions satisfy them.

    A part that was inserted and neither merged nor rewritten since has no text index: writers leave that to merges
    (what others inserted may have one, and is scanned). Parts that are older than the index show it by the size of all
    their indexes, of which the range of versions takes two numbers for every 64 granules.
    """
    return sql(
        "SELECT {indexes} AS indexes, {sessions} AS of_org, {searched} AS searched,"
        " table, name, rows, marks, data_uncompressed_bytes,"
        " (level = 0 AND data_version = min_block_number)"
        " OR secondary_indices_uncompressed_bytes <= 16 * (intDiv(marks, 64) + 1)"
        " FROM system.parts WHERE database = currentDatabase() AND active"
        " AND table IN ('messages', 'tool_calls', 'sessions')",
        indexes=_count_of_indexes() if ask_for_indexes else _INDEXES,
        sessions=_count(Sql("sessions"), sessions),
        searched=_count(Sql("sessions FINAL"), searched),
    )


def read(columns: Columns) -> State:
    """What ``state`` answered."""
    if not columns:
        return State(Tables(), 0, 0, has_indexes=False)
    of = defaultdict[str, list[_Part]](list)
    for table, *part in zip(*columns[3:], strict=True):
        of[table].append(_Part(*part))
    every = sum(part.rows for part in of.pop("sessions", []))
    tables = Tables(every, {name: _table(parts) for name, parts in of.items()})
    indexes, sessions, searched = (column[0] for column in columns[:3])
    return State(tables, sessions, searched, has_indexes=indexes >= _INDEXES)


class _Part(NamedTuple):
    name: str
    rows: int
    granules: int
    bytes: int
    is_unindexed: bool


def _table(parts: Sequence[_Part]) -> Table:
    return Table(
        rows=sum(part.rows for part in parts),
        granules=sum(part.granules for part in parts),
        bytes=sum(part.bytes for part in parts),
        unindexed_bytes=sum(part.bytes for part in parts if part.is_unindexed),
        unindexed=tuple(part.name for part in parts if part.is_unindexed),
        indexed=tuple(part.name for part in parts if not part.is_unindexed),
    )


def _count(table: Sql, condition: Sql | None) -> Sql:
    if condition is None:
        return Sql("0")
    return sql("(SELECT count() FROM {table} WHERE {condition})", table=table, condition=condition)


def _count_of_indexes() -> Sql:
    return sql(
        "(SELECT count() FROM system.data_skipping_indices WHERE database = currentDatabase()"
        " AND table IN ('messages', 'tool_calls') AND type = 'text')"
    )
