"""What a search does next. Pure: counts in, a step out; no statement is built or sent here.

A search first looks at the text indexes, unless filters leave so few texts that reading them takes no longer. The
indexes count the candidates: rows that may hold the needle. Then

- none: there is nothing more to do;
- a few: their rows are opened, which checks them and gives all that a result shows;
- as many as a page may count: all of them are checked;
- more: the newest are checked, or, where sessions hold some of them each, all texts of the newest sessions; where too
  few of them are hits, the rest is scanned, once, from there on.

The numbers here are for one bound: all steps of a search together cost at most one and a half times as much as a scan
of all texts in question. So what is spent on looking and checking in vain may be half a scan. This holds as far as the
sessions of an organisation are alike: one that has nearly all of its texts is read whole where it is among the newest.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agentstore.read.search.parts import TableSize, TableSizes

# So many candidates are opened at once, with their sessions and the text around the hit, if they are few among the
# granules; the smaller number always. A look at the indexes returns as many keys of each table: with fewer, hits would
# be lost.
OPENED, _ALWAYS_OPENED = 512, 128
# Candidates are counted up to here: a count that reaches it may be any larger number.
COUNTED = 1_000_000
# The share of the bytes that may lie in parts without an index. Candidates in these are found by reading texts, so with
# more than the first the indexes are not asked at all; with more than the second candidates are not found twice.
_MOST_UNINDEXED, _MOST_UNINDEXED_TWICE = 0.5, 0.1
# The share of a scan that may be spent on the newest candidates or sessions, and then on some more of them. Both
# together are the half that may be spent in vain.
_CHECK_SHARE, _SECOND_CHECK_SHARE = 0.3, 0.2
# So many sessions are read that they should hold 1.25 times the candidates that are wanted. Rows lie in the order of
# session ids, not of time. So each of the newest sessions is a granule of its own to read, or its share of all where
# sessions are longer; and so is each candidate where there are fewer candidates than sessions.
_SPARE = 1.25
# How many times as many sessions are read where the newest have less of what is looked for than others on the average:
# the most that is cheap.
_WIDER = (8, 4)
# Where no index helps, how many sessions are scanned first: for the hits that a page counts, and for the rows that are
# ranked. And which share of all sessions they may be: small, because each one is read with its neighbours in the
# granule.
SESSIONS_FOR_HITS, SESSIONS_FOR_RANKING = 64, 640
_SHARE_FOR_HITS, _SHARE_FOR_RANKING = 1 / 200, 1 / 40
# What reading costs, in bytes of text: a row costs as much as 256 of them, and a statement that first finds out which
# rows to read as much as a hundred megabytes, most of it before it reads anything. Measured; as ratios, and not as
# times, because ratios hold on other machines.
_ROW_COST, _STATEMENT_COST = 256, 100 << 20
# A look at the indexes that finds many candidates, in the same unit.
_LOOK_COST = 32 << 20
# What it costs to find out whether a row has some words as whole words, in the same unit.
WORDS_COST = 3000
# Where more than so many times the ranked rows match, it pays to find the ranked ones first, in a read of its own.
_TWO_READS_FROM = 2


@dataclass(frozen=True, slots=True)
class NothingFound:
    """Nothing holds the needle: there is no candidate, and every hit is one."""


@dataclass(frozen=True, slots=True)
class OpenCandidates:
    """Open the rows of the candidates: so few that the look at the indexes returned all their keys."""


@dataclass(frozen=True, slots=True)
class CheckCandidates:
    """Check all candidates."""


@dataclass(frozen=True, slots=True)
class CheckNewest:
    """Check the newest candidates: as many as ``limits`` says, and all of tables without a limit. Then scan the rest.

    The scan reads of ``narrowed`` tables only the candidates; the same after ``ReadNewestSessions``.
    """

    limits: Mapping[str, int]
    narrowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReadNewestSessions:
    """Read so many of the newest sessions. Then scan the rest."""

    count: int
    narrowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class ScanTexts:
    """Scan the texts; of ``narrowed`` tables only those of candidates."""

    narrowed: frozenset[str]


Step = NothingFound | OpenCandidates | CheckCandidates | CheckNewest | ReadNewestSessions | ScanTexts


def worth_asking_indexes(sizes: TableSizes, names: Collection[str]) -> bool:
    """Whether enough of the texts are indexed."""
    return _unindexed_share(sizes, names) <= _MOST_UNINDEXED


def is_small(sizes: TableSizes, names: Collection[str]) -> bool:
    """Whether these texts are so few that reading them takes no longer than a look at the indexes may."""
    return sum(_cost_of_scan(sizes[name]) for name in names) <= _LOOK_COST


def worth_reading_twice(sizes: TableSizes, names: Collection[str]) -> bool:
    """Whether a scan takes so long that a statement more does not matter."""
    return _CHECK_SHARE * sum(_cost_of_scan(sizes[name]) for name in names) >= _STATEMENT_COST


def worth_reading_first(sessions: int, of: int) -> bool:
    """Whether so many of the newest sessions are few among all: then reading them first costs little, even in vain."""
    return sessions <= of * (_SHARE_FOR_HITS if sessions <= SESSIONS_FOR_HITS else _SHARE_FOR_RANKING)


def more_sessions(
    read: int,
    found: int,
    wanted: int,
    sizes: TableSizes,
    names: Collection[str],
    counts: Mapping[str, int] | None,
    *,
    each: int = 0,
) -> int | None:
    """How many of the newest sessions are read next, after ``read`` of them had ``found`` rows of those that are
    wanted.

    None where that costs too much: then all are read. Where ``counts``, the candidates, are not known, every row is
    one. ``each`` as for ``next_step``.
    """
    rows = sum((counts or {name: sizes[name].rows for name in names}).values())
    most = _SECOND_CHECK_SHARE * (rows * each + sum(_cost_of_scan(sizes[name]) for name in names))
    # Nothing found says nothing about how many sessions it takes: then all of them are what must be cheap.
    by_found = 1 + math.ceil(_SPARE * wanted * read / found) if found else sizes.sessions
    # On the average there are enough in so many as were read: the newest are not like the others. So some hundred say
    # little about the next hundred, and to read too few once more is to read all. Where there is none at all the
    # candidates are most likely no hits.
    wider = [times * read for times in _WIDER] if counts and found else []
    guesses = [by_found, *wider] if each else [*(max(by_found, many) for many in wider), by_found, *wider]
    for sessions in guesses:
        if _STATEMENT_COST + _cost_of_sessions(sizes, names, sessions) + each * _SPARE * wanted <= most:
            return sessions
    return None


def worth_ranking_in_two_reads(matching: float, ranked: int) -> bool:
    """Whether so many rows match that it pays to find out which are to be ranked before their words are counted."""
    return matching > _TWO_READS_FROM * ranked


def next_step(counts: Mapping[str, int], sizes: TableSizes, *, wanted: int, each: int = 0) -> Step:
    """The step after the candidates were counted, up to ``COUNTED`` in each table, for so many wanted hits.

    ``each``: what it costs to check a row of which the text has been read, in bytes of text.
    """
    total, checked = sum(counts.values()), checked_at_once(wanted)
    if not total:
        return NothingFound()
    # Before the share without an index is looked at: the keys are known, so nothing is looked for a second time.
    if total <= _ALWAYS_OPENED or (total <= OPENED and _cheap_to_open(counts, sizes)):
        return OpenCandidates()
    # All that follow find the candidates again, which reads these parts a second time, and the scan a third.
    if _unindexed_share(sizes, counts) > _MOST_UNINDEXED_TWICE:
        return ScanTexts(frozenset())
    if max(counts.values()) <= checked:
        return CheckCandidates()
    few = _worth_narrowing(counts, sizes)
    most = _CHECK_SHARE * (total * each + sum(_cost_of_scan(sizes[name]) for name in counts))
    # A candidate or more in each session: the newest candidates lie in few sessions, which are read whole.
    if total >= sizes.sessions:
        sessions = 1 + math.ceil(_SPARE * wanted * sizes.sessions / total)
        cheap = _STATEMENT_COST + _cost_of_sessions(sizes, counts, sessions) + each * _SPARE * wanted <= most
        return ReadNewestSessions(sessions, few) if cheap else ScanTexts(few)
    # A table with few candidates is checked whole if that is cheap. Cut, it might end long before the others, and what
    # was checked of these behind its last hit would be thrown away.
    for whole in (checked, 0):
        limits = _limits(counts, checked, whole)
        rows = {name: limits.get(name, count) for name, count in counts.items()}
        read = sum(_cost_of_granules(sizes[name], row) for name, row in rows.items())
        if _STATEMENT_COST + read + each * sum(rows.values()) <= most:
            return CheckNewest(limits, few)
    return ScanTexts(few)


def _cheap_to_open(counts: Mapping[str, int], sizes: TableSizes) -> bool:
    """Whether reading a granule for each of the candidates leaves most of the texts unread."""
    opened = sum(_cost_of_granules(sizes[name], count) for name, count in counts.items())
    return opened <= _CHECK_SHARE * sum(_cost_of_scan(sizes[name]) for name in counts)


def checked_at_once(wanted: int) -> int:
    """How many candidates are checked for so many wanted hits: more, because some are old versions or no hits."""
    return wanted + wanted // 8 + 16


def _limits(counts: Mapping[str, int], checked: int, whole: int) -> dict[str, int]:
    """How many candidates of each table are checked: its share and half as many again. No limit: all of them.

    A table with up to ``whole`` candidates has none. The spare half is for hits that are not spread as candidates are.
    """
    total = sum(counts.values())
    shares = {name: min(checked, 3 * checked * count // (2 * total) + 1) for name, count in counts.items()}
    return {name: share for name, share in shares.items() if counts[name] > max(share, whole)}


def _worth_narrowing(counts: Mapping[str, int], sizes: TableSizes) -> frozenset[str]:
    """The tables with fewer candidates than granules: to read only those granules reads less than the table."""
    # A count that reached COUNTED may stand for any larger number. A table without candidates is not read any more.
    return frozenset(name for name, count in counts.items() if 0 < count < min(COUNTED, sizes[name].granules))


def _cost_of_sessions(sizes: TableSizes, names: Collection[str], sessions: int) -> float:
    """What reading so many sessions costs, where they are alike: a granule of each table for each of them at least."""
    share = sessions / max(1, sizes.sessions)
    return sum(
        max(_cost_of_granules(sizes[name], sessions), min(1.0, share) * _cost_of_scan(sizes[name])) for name in names
    )


def _cost_of_granules(table: TableSize, granules: int) -> float:
    """What reading so many granules of a table costs, at most."""
    return _cost_of_scan(table) * min(1.0, granules / max(1, table.granules))


def _cost_of_scan(table: TableSize) -> float:
    return table.bytes + _ROW_COST * table.rows


def _unindexed_share(sizes: TableSizes, names: Collection[str]) -> float:
    every = sum(sizes[name].bytes for name in names)
    return sum(sizes[name].unindexed_bytes for name in names) / every if every else 0.0
