"""What a search does next. Pure: counts in, a step out; no statement is built or sent here.

A search first looks at the text indexes, unless filters leave so few texts that reading them takes no longer. The
indexes count the candidates: rows that may hold the needle. Then

- none: there is nothing more to do;
- a few: their rows are opened, which checks them and gives all that a result shows;
- as many as a page may count: all of them are checked;
- more: the newest are checked, or, where sessions hold some of them each, all texts of the newest sessions; where too
  few of them are hits, the rest is scanned, once, from there on.

The bound that the numbers here are for: with all its steps a search costs at most one and a half times what the scan of
all texts in question would. What looking and checking may cost in vain is therefore at most half of that, as far as an
organisation's sessions are alike: one that holds nearly all of its texts is read whole as one of the newest.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agentstore.read.search.parts import TableSize, TableSizes

# So many candidates are opened at once, with their sessions and the text around the hit.
OPENED = 512
# Candidates are counted up to here.
COUNTED = 1_000_000
# Of all bytes in question, how many may lie in parts without an index, for the index to be looked at at all; and for
# candidates to be looked for a second time, which reads them again.
_UNINDEXED, _UNINDEXED_TWICE = 0.5, 0.1
# Of the cost of a scan, how much may be spent to check the newest candidates or sessions first, and then some more.
_CHECKED, _CHECKED_AGAIN = 0.3, 0.2
# Sessions are taken until they should hold so many times the candidates that are wanted. Granules hold many sessions,
# in no order of time, so that each session is a granule to read; and each candidate where sessions have less than one.
_SPARE = 1.25
# Where no index helps, how many sessions are scanned first, for as many hits as a page counts and for as many rows as
# are ranked; each so much more than one, because with each session its neighbours in a granule are read.
SESSIONS_FOR_HITS, SESSIONS_FOR_RANKING = 64, 640
_SHARE_FOR_HITS, _SHARE_FOR_RANKING = 1 / 200, 1 / 40
# What reading costs, in bytes of text: a row is worth so many, and a statement that first finds out which rows to read
# a hundred megabytes, most of it before it reads anything. Measured, and much the same on any machine: as ratios.
_ROW, _STATEMENT = 256, 100 << 20
# A look at the indexes where they have much to say, in the same measure.
_LOOK = 32 << 20
# The same of a row whose words are looked for: whether they stand there, as whole words.
WORDS = 3000
# Of how many times the ranked rows it pays to count the words of the ranked ones only.
_CHOSEN = 2


@dataclass(frozen=True, slots=True)
class NothingFound:
    """Nothing holds the needle."""


@dataclass(frozen=True, slots=True)
class OpenCandidates:
    """Open the rows of the candidates, whose keys are known."""


@dataclass(frozen=True, slots=True)
class CheckCandidates:
    """Check all candidates."""


@dataclass(frozen=True, slots=True)
class CheckNewest:
    """Check the newest candidates: of these tables so many, of the others all. Then scan what may be left.

    The scan reads the texts of ``narrowed`` tables only where they are candidates, as after ``ReadNewestSessions``.
    """

    limits: Mapping[str, int]
    narrowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReadNewestSessions:
    """Read so many of the newest sessions. Then scan what may be left."""

    count: int
    narrowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class ScanTexts:
    """Scan the texts, of these tables only where they are candidates."""

    narrowed: frozenset[str]


Step = NothingFound | OpenCandidates | CheckCandidates | CheckNewest | ReadNewestSessions | ScanTexts


def worth_asking_indexes(sizes: TableSizes, names: Collection[str]) -> bool:
    """Whether enough of the texts are indexed."""
    return _unindexed(sizes, names) <= _UNINDEXED


def is_small(sizes: TableSizes, names: Collection[str]) -> bool:
    """Whether these texts are so few that reading them takes no longer than a look at the indexes may."""
    return sum(_scan(sizes[name]) for name in names) <= _LOOK


def worth_reading_twice(sizes: TableSizes, names: Collection[str]) -> bool:
    """Whether a scan takes so long that a statement more does not matter."""
    return _CHECKED * sum(_scan(sizes[name]) for name in names) >= _STATEMENT


def worth_reading_first(sessions: int, of: int) -> bool:
    """Whether so many of the newest sessions are few among all: then reading them first costs little, even in vain."""
    return sessions <= of * (_SHARE_FOR_HITS if sessions <= SESSIONS_FOR_HITS else _SHARE_FOR_RANKING)


def more_sessions(
    read: int, found: int, wanted: int, sizes: TableSizes, names: Collection[str], counts: Mapping[str, int] | None
) -> int | None:
    """How many of the newest sessions are read next for so many wanted rows, after some had so many; None: all at once.

    ``counts`` are the candidates; every row is one where they are not known.
    """
    sessions = 1 + math.ceil(_SPARE * wanted * read / found) if found else sizes.sessions
    rows = sum((counts or {name: sizes[name].rows for name in names}).values())
    most = _CHECKED_AGAIN * (rows * WORDS + sum(_scan(sizes[name]) for name in names))
    cheap = _STATEMENT + sum(_part(sizes[name], sessions) for name in names) + WORDS * _SPARE * wanted <= most
    return sessions if cheap else None


def worth_ranking_in_two_reads(matching: float, ranked: int) -> bool:
    """Whether so many rows match that it pays to find out which are to be ranked before their words are counted."""
    return matching > _CHOSEN * ranked


def next_step(counts: Mapping[str, int], sizes: TableSizes, *, wanted: int, each: int = 0) -> Step:
    """The step after the candidates were counted, up to ``COUNTED`` in each table, for so many wanted hits.

    ``each``: what it costs to check a row of which the text has been read, in bytes of text.
    """
    total, checked = sum(counts.values()), checked_at_once(wanted)
    if not total:
        return NothingFound()
    if total <= OPENED:
        return OpenCandidates()
    if _unindexed(sizes, counts) > _UNINDEXED_TWICE:
        return ScanTexts(frozenset())
    if max(counts.values()) <= checked:
        return CheckCandidates()
    few, most = _few(counts, sizes), _CHECKED * (total * each + sum(_scan(sizes[name]) for name in counts))
    if total >= sizes.sessions:
        sessions = 1 + math.ceil(_SPARE * wanted * sizes.sessions / total)
        cheap = _STATEMENT + sum(_part(sizes[name], sessions) for name in counts) + each * _SPARE * wanted <= most
        return ReadNewestSessions(sessions, few) if cheap else ScanTexts(few)
    # A table with few candidates is checked whole if that is cheap: it cannot end before the others do then.
    for whole in (checked, 0):
        limits = _limits(counts, checked, whole)
        rows = {name: limits.get(name, count) for name, count in counts.items()}
        read = sum(_part(sizes[name], row) for name, row in rows.items())
        if _STATEMENT + read + each * sum(rows.values()) <= most:
            return CheckNewest(limits, few)
    return ScanTexts(few)


def checked_at_once(wanted: int) -> int:
    """How many candidates are checked for so many wanted hits: a few of them are rows as they once were."""
    return wanted + wanted // 8 + 16


def _limits(counts: Mapping[str, int], checked: int, whole: int) -> dict[str, int]:
    """How many candidates of each table are checked: its share, and half of it to spare; up to ``whole`` all."""
    total = sum(counts.values())
    shares = {name: min(checked, 3 * checked * count // (2 * total) + 1) for name, count in counts.items()}
    return {name: share for name, share in shares.items() if counts[name] > max(share, whole)}


def _few(counts: Mapping[str, int], sizes: TableSizes) -> frozenset[str]:
    """The tables with so few candidates that reading only their granules reads fewer."""
    return frozenset(name for name, count in counts.items() if 0 < count < min(COUNTED, sizes[name].granules))


def _part(table: TableSize, granules: int) -> float:
    """What reading so many granules of a table costs, at most."""
    return _scan(table) * min(1.0, granules / max(1, table.granules))


def _scan(table: TableSize) -> float:
    return table.bytes + _ROW * table.rows


def _unindexed(sizes: TableSizes, names: Collection[str]) -> float:
    every = sum(sizes[name].bytes for name in names)
    return sum(sizes[name].unindexed_bytes for name in names) / every if every else 0.0
