"""What the server says of the searched tables: how big they are, and which parts of them have no text index. Pure.

Which parts have an index decides only how fast a search is, never what it finds. A part may be merged, get its index or
be new by the time it is read; ``candidates_sql`` says why no hit is lost then.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.protocols import Columns

# On content, input_json and result_content. With fewer, a migration is not done, or the server is too old for them.
_INDEXES = 3
_COUNTED_TABLES = ("sessions", "messages", "tool_calls")
_ZEROES = sql("0, 0, 0")


@dataclass(frozen=True, slots=True)
class TableSize:
    """The rows, granules and bytes of a table, and the parts of it that have no text index, and those that have one."""

    rows: int = 0
    granules: int = 0
    bytes: int = 0
    unindexed_bytes: int = 0
    unindexed: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()

    def share(self, part: float) -> TableSize:
        """A part of it. All that is not indexed counts as that part's: nobody knows whose rows are in there."""
        # The rows may have been counted at another moment than the parts: there cannot be more than all.
        part = min(1.0, part)
        rows, granules, size = (math.ceil(number * part) for number in (self.rows, self.granules, self.bytes))
        return TableSize(rows, granules, size, min(size, self.unindexed_bytes), self.unindexed, self.indexed)


@dataclass(frozen=True, slots=True)
class RowCounts:
    """How many rows an organisation has, old versions and all."""

    sessions: int = 0
    messages: int = 0
    tool_calls: int = 0

    def of(self, name: str) -> int:
        """Those of this table."""
        return {"messages": self.messages, "tool_calls": self.tool_calls}[name]


@dataclass(frozen=True, slots=True)
class TableSizes:
    """How big the searched tables are, and how many sessions there are: of all organisations, or of one, estimated."""

    sessions: int = 0
    of: Mapping[str, TableSize] = field(default_factory=dict)

    def __getitem__(self, name: str) -> TableSize:
        return self.of.get(name, TableSize())

    def share(self, rows: RowCounts) -> TableSizes:
        """An organisation's part of them, by its rows."""
        return TableSizes(
            rows.sessions, {name: table.share(rows.of(name) / max(1, table.rows)) for name, table in self}
        )

    def share_of_sessions(self, sessions: int, messages: int) -> TableSizes:
        """The part of them that is read for so many of its sessions, which have so many messages by their own count.

        They count as average sessions, or as what they say if that is more. With each a granule more is read.
        """
        said = messages / max(1, self["messages"].rows)
        each = {name: 1 / max(1, self.sessions) + 1 / max(1, table.granules) for name, table in self}
        return TableSizes(sessions, {name: table.share(max(said, sessions * each[name])) for name, table in self})

    def __iter__(self) -> Iterator[tuple[str, TableSize]]:
        return iter(self.of.items())


@dataclass(frozen=True, slots=True)
class PartsState:
    """What the server said: the tables, the rows of an organisation, and the sessions that are searched.

    ``searched`` is the number of those sessions and the sum of their ``message_count``. What was not asked is 0; where
    nothing is stored everything is. ``has_indexes``: all texts are indexed, or are going to be when their parts are
    merged; never so on old servers.
    """

    sizes: TableSizes = TableSizes()
    rows: RowCounts = RowCounts()
    searched: tuple[int, int] = (0, 0)
    has_indexes: bool = False


def query(*, ask_for_indexes: bool = True, rows_of: str | None = None, searched: Sql | None = None) -> Sql:
    """One row for each part, to be read by ``read_answer``: we add them up faster than the server would.

    ``rows_of``: an organisation, whose rows are counted. ``searched``: the condition on the sessions that are counted.

    A part that was inserted and neither merged nor rewritten since has no text index: writers leave that to merges. (A
    part that somebody else inserted may have one; it is scanned all the same.) A part from before the index existed is
    known by the size of its indexes: the one on versions alone takes two numbers for every 64 granules, 16 bytes.
    """
    # The subqueries are run once for the statement, not for each part: their answers are the same in every row.
    return sql(
        "SELECT {indexes} AS indexes, {rows}, {searched},"
        " table, name, rows, marks, data_uncompressed_bytes,"
        " (level = 0 AND data_version = min_block_number)"
        " OR secondary_indices_uncompressed_bytes <= 16 * (intDiv(marks, 64) + 1)"
        " FROM system.parts WHERE database = currentDatabase() AND active"
        " AND table IN ('messages', 'tool_calls', 'sessions')",
        indexes=_count_of_indexes() if ask_for_indexes else _INDEXES,
        rows=_ZEROES if rows_of is None else join(", ", [_count(table, rows_of) for table in _COUNTED_TABLES]),
        # An array, since a tuple is nothing that the driver reads here.
        searched=sql("[0, 0]")
        if searched is None
        else sql("(SELECT [count(), sum(message_count)] FROM sessions FINAL WHERE {own})", own=searched),
    )


def read_answer(columns: Columns) -> PartsState:
    """What ``query`` answered."""
    # No part, no row: then nothing is known of the indexes either, and the next search asks for them again.
    if not columns:
        return PartsState()
    of = defaultdict[str, list[_Part]](list)
    for table, *part in zip(*columns[5:], strict=True):
        of[table].append(_Part(*part))
    every = sum(part.rows for part in of.pop("sessions", []))
    sizes = TableSizes(every, {name: _table(parts) for name, parts in of.items()})
    indexes, *rows, searched = (column[0] for column in columns[:5])
    return PartsState(sizes, RowCounts(*rows), (searched[0], searched[1]), has_indexes=indexes >= _INDEXES)


class _Part(NamedTuple):
    name: str
    rows: int
    granules: int
    bytes: int
    is_unindexed: bool


def _table(parts: Sequence[_Part]) -> TableSize:
    return TableSize(
        rows=sum(part.rows for part in parts),
        granules=sum(part.granules for part in parts),
        bytes=sum(part.bytes for part in parts),
        unindexed_bytes=sum(part.bytes for part in parts if part.is_unindexed),
        unindexed=tuple(part.name for part in parts if part.is_unindexed),
        indexed=tuple(part.name for part in parts if not part.is_unindexed),
    )


def _count(table: str, org_id: str) -> Sql:
    # Without FINAL: old versions are counted, and a scan reads them, too.
    return sql("(SELECT count() FROM {table} WHERE org_id = {org_id})", table=identifier(table), org_id=org_id)


def _count_of_indexes() -> Sql:
    return sql(
        "(SELECT count() FROM system.data_skipping_indices WHERE database = currentDatabase()"
        " AND table IN ('messages', 'tool_calls') AND type = 'text')"
    )
