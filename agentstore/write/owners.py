"""Which session of a family its shared messages count for. Pure.

The order depends on what the sessions are, never on when they were written: so totals are the same whichever copy was
imported first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# A subagent of a subagent … of a session: parents are followed this far.
DEEPEST = 100
_NO_START = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Member:
    """What the order looks at. ``is_hidden``: it carries a deletion mark."""

    id: str
    parent: str
    is_browsable: bool
    is_subagent: bool
    is_hidden: bool
    started_at: dt.datetime | None


def in_order(family: Iterable[str], members: Mapping[str, Member]) -> tuple[list[str], int, int]:
    """The sessions, first whoever owns what it shares with those behind it; how many of them are listed, and how many
    of them totals count: subagents of those, too.

    Those are first, so that nothing is lost with the others: of what only a subagent owns there are neither messages
    nor hits of a search. Then the one that was there before: neither fork nor continuation, the earliest start.
    ``members`` knows their parents, too.
    """

    def tier(id: str) -> int:
        return 2 if not is_counted(id, members) else int(members[id].is_subagent)

    def place(id: str) -> tuple[int, bool, dt.datetime, str]:
        one = members.get(id)
        if one is None:
            return tier(id), True, _NO_START, id
        is_linked = one.parent != "" and not one.is_subagent
        return tier(id), is_linked, one.started_at or _NO_START, id

    ranked = sorted(family, key=place)
    return ranked, sum(tier(id) == 0 for id in ranked), sum(tier(id) < 2 for id in ranked)


def numbered(groups: Iterable[Iterable[str]]) -> dict[str, int]:
    """A number for each session, the same one for all that a chain of groups connects."""
    numbers: dict[str, int] = {}
    families: list[list[str]] = []
    for group in groups:
        joined = list(group)
        for number in {numbers[id] for id in joined if id in numbers}:
            joined += families[number]
            families[number] = []
        numbers |= dict.fromkeys(joined, len(families))
        families.append(joined)
    return numbers


def chains(parents: Mapping[str, str]) -> dict[str, str]:
    """Where the parents of each lead in the end; of those that lead in a circle, somewhere in it."""

    def root(id: str) -> str:
        seen = set[str]()
        while id in parents and id not in seen:
            seen.add(id)
            id = parents[id]
        return id

    return {id: root(id) for id in parents}


def is_counted(id: str, members: Mapping[str, Member]) -> bool:
    """Whether totals count its rows: it is browsable, or a subagent below one that is, and neither is hidden."""
    one = members.get(id)
    if one is None or one.is_hidden:
        return False
    for _ in range(DEEPEST):
        if not one.is_subagent:
            return one.is_browsable and not one.is_hidden
        one = members.get(one.parent)
        if one is None:
            return False
    return False


def unknown_parents(members: Mapping[str, Member]) -> set[str]:
    """Parents of subagents that have not been read."""
    return {one.parent for one in members.values() if one.is_subagent and one.parent} - members.keys()
