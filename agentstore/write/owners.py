"""Which session of a family its shared messages count for. Pure.

The order depends on what the sessions are, never on when they were written: so totals are the same whichever copy was
imported first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# A subagent of a subagent … of a session: parents are followed this far.
DEEPEST = 8
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


def in_order(family: Iterable[str], members: Mapping[str, Member]) -> list[str]:
    """The sessions, first whoever owns what it shares with those behind it. ``members`` knows their parents, too.

    Sessions that no total counts are last, so that nothing is lost with them. Then the one that was there before:
    neither fork nor continuation, the earliest start.
    """

    def place(id: str) -> tuple[bool, bool, dt.datetime, str]:
        one = members.get(id)
        if one is None:
            return True, True, _NO_START, id
        is_linked = one.parent != "" and not one.is_subagent
        return not is_counted(id, members), is_linked, one.started_at or _NO_START, id

    return sorted(family, key=place)


def is_counted(id: str, members: Mapping[str, Member]) -> bool:
    """Whether totals count the session's rows: it is browsable, or a subagent below one that is; nothing is hidden."""
    for _ in range(DEEPEST):
        one = members.get(id)
        if one is None or one.is_hidden:
            return False
        if not one.is_subagent:
            return one.is_browsable
        id = one.parent
    return False


def unknown_parents(members: Mapping[str, Member]) -> set[str]:
    """Parents of subagents that have not been read."""
    return {one.parent for one in members.values() if one.is_subagent and one.parent} - members.keys()
