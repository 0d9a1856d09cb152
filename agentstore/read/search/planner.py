"""What a substring search does next. Pure: counts in, a step out; no statement is built or sent here.

A search first looks at the text indexes, which count the candidates: rows that may hold the needle. Then

- none: there is nothing more to do;
- a few: their rows are opened, which checks them and gives all that a result shows;
- as many as a page may count: all of them are checked;
- more: the newest are checked, and where too few of them are hits, the rest is scanned, once, from there on.

The bound that the numbers here keep: with all its steps a search costs at most one and a half times what the scan of
all texts in question would. What looking and checking may cost in vain is therefore at most half of that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agentstore.read.search.parts import Table, Tables

# So many candidates are opened at once, with their sessions and the text around the hit.
OPENED = 128
# Candidates are counted up to here.
COUNTED = 200_000
# So many candidates are put in order without a thought.
_ORDERED = 20_000
# Of all bytes in question, how many may lie in parts without an index, for the index to be looked at at all; and for
# candidates to be looked for a second time, which reads them again.
_UNINDEXED, _UNINDEXED_TWICE = 0.5, 0.1
# Of the cost of a scan, how much may be spent to check the newest candidates or sessions first.
_CHECKED = 0.3
# Sessions are taken until they should hold so many times the candidates that are wanted.
_SPARE = 3
# Where no index helps, how many sessions are scanned first, for as many hits as a page counts and for as many rows as
# are ranked; each so much more than one, because with each session its neighbours in a granule are read.
SESSIONS_FOR_HITS, SESSIONS_FOR_RANKING = 64, 640
_SHARE_FOR_HITS, _SHARE_FOR_RANKING = 1 / 200, 1 / 40
# What reading costs, in bytes of text: a row is worth so many, and a statement that first finds out which rows to read
# a hundred megabytes, most of it before it reads anything. Measured, and much the same on any machine: as ratios.
_ROW, _STATEMENT = 256, 100 << 20


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing holds the needle."""


@dataclass(frozen=True, slots=True)
class Open:
    """Open the rows of the candidates, whose keys are known."""


@dataclass(frozen=True, slots=True)
class Check:
    """Check all candidates."""


@dataclass(frozen=True, slots=True)
class Newest:
    """Check the newest candidates: of these tables so many, of the others all.

    ``sessions``: only those in so many of the newest sessions; None: in all of them. ``narrowed`` is for the scan of
    the rest, if there is need of one.
    """

    limits: Mapping[str, int]
    sessions: int | None
    narrowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scan:
    """Scan the texts, of these tables only where they are candidates."""

    narrowed: frozenset[str]


Step = Done | Open | Check | Newest | Scan


def worth_looking(tables: Tables, names: Collection[str]) -> bool:
    """Whether enough of the texts are indexed."""
    return _unindexed(tables, names) <= _UNINDEXED


def worth_reading_twice(tables: Tables, names: Collection[str]) -> bool:
    """Whether a scan takes so long that a statement more does not matter."""
    return _CHECKED * sum(_scan(tables[name]) for name in names) >= _STATEMENT


def worth_reading_first(sessions: int, of: int) -> bool:
    """Whether so many of the newest sessions are few among all: then reading them first costs little, even in vain."""
    return sessions <= of * (_SHARE_FOR_HITS if sessions <= SESSIONS_FOR_HITS else _SHARE_FOR_RANKING)


def after_looking(counts: Mapping[str, int], tables: Tables, *, wanted: int) -> Step:
    """The step after the candidates were counted, up to ``COUNTED`` in each table, for so many wanted hits."""
    total, checked = sum(counts.values()), checked_at_once(wanted)
    if not total:
        return Done()
    if total <= OPENED:
        return Open()
    if _unindexed(tables, counts) > _UNINDEXED_TWICE:
        return Scan(frozenset())
    if max(counts.values()) <= checked:
        return Check()
    few, most = _few(counts, tables), _CHECKED * sum(_scan(tables[name]) for name in counts)
    # A table with few candidates is checked whole if that is cheap: it cannot end before the others do then.
    for whole in (checked, 0):
        limits = _limits(counts, checked, whole)
        read = sum(_check(count, limits.get(name, count), tables[name], tables) for name, count in counts.items())
        if _STATEMENT + read <= most:
            return Newest(limits, _sessions(counts, limits, tables), few)
    return Scan(few)


def checked_at_once(wanted: int) -> int:
    """How many candidates are checked for so many wanted hits: a few of them are rows as they once were."""
    return wanted + wanted // 8 + 16


def _limits(counts: Mapping[str, int], checked: int, whole: int) -> dict[str, int]:
    """How many candidates of each table are checked: its share, and half of it to spare; up to ``whole`` all."""
    total = sum(counts.values())
    shares = {name: min(checked, 3 * checked * count // (2 * total) + 1) for name, count in counts.items()}
    return {name: share for name, share in shares.items() if counts[name] > max(share, whole)}


def _sessions(counts: Mapping[str, int], limits: Mapping[str, int], tables: Tables) -> int | None:
    """How many of the newest sessions should hold enough candidates; None where putting all in order costs little."""
    if max(counts.values()) <= _ORDERED:
        return None
    return 1 + max(_SPARE * limit * tables.sessions // counts[name] for name, limit in limits.items())


def _few(counts: Mapping[str, int], tables: Tables) -> frozenset[str]:
    """The tables with so few candidates that reading only their granules reads fewer."""
    return frozenset(name for name, count in counts.items() if 0 < count < min(COUNTED, tables[name].granules))


def _check(count: int, limit: int, table: Table, tables: Tables) -> float:
    """What checking the newest candidates of a table costs, at most.

    Granules hold many sessions, in no order of time: one is read for each session, or for each candidate where
    sessions have less than one.
    """
    per_session = max(1.0, count / max(1, tables.sessions))
    granules = min(table.granules, min(count, limit) / per_session)
    return _scan(table) * granules / max(1, table.granules)


def _scan(table: Table) -> float:
    return table.bytes + _ROW * table.rows


def _unindexed(tables: Tables, names: Collection[str]) -> float:
    every = sum(tables[name].bytes for name in names)
    return sum(tables[name].unindexed_bytes for name in names) / every if every else 0.0
