"""Every way that a search can go, forced upon small corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from agentstore.read.search import planner
from agentstore.read.search.parts import TableSizes
from agentstore.read.search.planner import (
    CheckCandidates,
    CheckNewest,
    NothingFound,
    OpenCandidates,
    ReadNewestSessions,
    ScanTexts,
    Step,
)

Plan = Callable[[Mapping[str, int], int], Step]

LOOKED: dict[str, Plan] = {
    "open": lambda counts, _: OpenCandidates(),
    "check": lambda counts, _: CheckCandidates(),
    "newest": lambda counts, most: CheckNewest(dict.fromkeys(counts, most), frozenset(counts)),
    "newest of one table": lambda counts, most: CheckNewest(
        {max(counts, key=lambda name: counts[name]): most}, frozenset()
    ),
    "sessions": lambda counts, most: ReadNewestSessions(most, frozenset(counts)),
    "sessions, then more": lambda counts, most: ReadNewestSessions(most, frozenset(counts)),
    "scan of candidates": lambda counts, _: ScanTexts(frozenset(counts)),
    "scan": lambda counts, _: ScanTexts(frozenset()),
    "scan to choose": lambda counts, _: ScanTexts(frozenset()),
}
SCANNED = {
    "scan of all": (10**6, 10**6),
    "newest sessions first": (2, 2),
    "newest sessions first, then more": (2, 2),
    "newest sessions, then choose": (2, 2),
}
PATHS = [*LOOKED, *SCANNED]


def force(path: str, monkeypatch: pytest.MonkeyPatch, *, most: int) -> Counter[str]:
    """Let searches go this way; the counter says how often they did. ``most`` candidates are checked where cut."""
    taken: Counter[str] = Counter()

    def next_step(counts: Mapping[str, int], tables: TableSizes, *, wanted: int, each: int = 0) -> Step:
        if not sum(counts.values()):
            return NothingFound()
        taken[path] += 1
        return LOOKED[path]({name: count for name, count in counts.items() if count}, most)

    def newest_is_worth_it(sessions: int, of: int) -> bool:
        taken[path] += 1
        return path != "scan of all"

    if path.endswith("more"):
        monkeypatch.setattr(planner, "more_sessions", lambda read, *_, **__: read + 1)
    monkeypatch.setattr(planner, "is_small", lambda tables, names: False)
    monkeypatch.setattr(planner, "worth_ranking_in_two_reads", lambda matching, ranked: path.endswith("choose"))
    if path in LOOKED:
        monkeypatch.setattr(planner, "worth_asking_indexes", lambda tables, names: True)
        monkeypatch.setattr(planner, "next_step", next_step)
        monkeypatch.setattr(planner, "OPENED", 10_000)
    else:
        monkeypatch.setattr(planner, "worth_asking_indexes", lambda tables, names: False)
        monkeypatch.setattr(planner, "worth_reading_twice", lambda tables, names: True)
        monkeypatch.setattr(planner, "worth_reading_first", newest_is_worth_it)
        monkeypatch.setattr(planner, "SESSIONS_FOR_HITS", SCANNED[path][0])
        monkeypatch.setattr(planner, "SESSIONS_FOR_RANKING", SCANNED[path][1])
    return taken
