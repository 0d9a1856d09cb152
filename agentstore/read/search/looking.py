"""The look at the tables and their text indexes that a search begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from agentstore.connection.sql import join
from agentstore.protocols import Executor
from agentstore.read.cursor import SearchKey
from agentstore.read.search import candidates, parts, planner
from agentstore.read.search.candidates import Target
from agentstore.read.search.parts import Tables
from agentstore.read.search.scanning import LOOK
from agentstore.read.together import together

# How many organisations' sessions are remembered, for how long, and while the table grows or shrinks by how much.
_REMEMBERED, _REMEMBERED_SECONDS, _GROWN = 1000, 30.0, 0.05


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known now: the size of the tables, and, where their indexes were asked, the organisation's share of them
    and the candidates.

    ``counts`` are the candidates of each table, up to ``planner.COUNTED``; None where no index was asked. ``keys`` are
    those of the first ``planner.OPENED`` of each, in no order and without their moment.
    """

    tables: Tables
    counts: Mapping[str, int] | None = None
    keys: Sequence[SearchKey] = ()


class Remembered:
    """How many sessions organisations have: for a while, and as long as there are about as many in all."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[int, int, float]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def count(self, org_id: str, of: int, now: float) -> int | None:
        """As it was counted a while ago; None where it is to be counted anew."""
        count, of_then, then = self._of.get(org_id, (0, 0, -math.inf))
        is_like_then = now - then <= _REMEMBERED_SECONDS and abs(of - of_then) <= of_then * _GROWN
        return count if is_like_then else None

    def keep(self, org_id: str, count: int, of: int, now: float) -> None:
        """Remember a count."""
        if len(self._of) >= _REMEMBERED:
            self._of.clear()
        self._of[org_id] = (count, of, now)


class Looker:
    """Looks through one executor.

    It remembers that there are indexes, for nobody drops them, and for a while how many sessions an organisation has:
    that only decides how it is searched, and takes as long to count as to look for a rare text.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._has_indexes = False
        self._sessions = Remembered()

    async def look(self, target: Target, *, at_once: bool = False) -> Looked:
        """The size of the tables, and what the indexes say of the target where that is worth asking.

        ``at_once``: in one statement; else one for each table, side by side, which is the faster.
        """
        state = await self.executor.fetch(parts.state(ask_for_indexes=not self._has_indexes))
        self._has_indexes = parts.has_indexes(state)
        tables = parts.tables(state)
        if not (self._has_indexes and target.indexed and planner.worth_looking(tables, target.names)):
            return Looked(tables)
        counts, keys = dict[str, int](), list[SearchKey]()
        every = self._sessions.count(target.org_id, tables.sessions, monotonic())
        for number, sessions, own, found, *columns in await self._answers(target, tables, every, at_once=at_once):
            if not number:
                if every is None:
                    self._sessions.keep(target.org_id, sessions, tables.sessions, monotonic())
                tables = tables.share(sessions)
                tables = tables.among(own) if target.filtered else tables
            texts = target.tables[number].texts
            counts[texts.name] = found
            keys += [
                (None, session_id, position, texts.kind, tool_use_id, call_index)
                for session_id, position, tool_use_id, call_index in zip(*columns, strict=True)
            ]
        return Looked(tables, counts, keys)

    async def _answers(
        self, target: Target, tables: Tables, sessions: int | None, *, at_once: bool
    ) -> list[tuple[Any, ...]]:
        looks = [
            candidates.look(target, one, tables, keys=planner.OPENED, count=planner.COUNTED, sessions=sessions)
            for one in target.tables
        ]
        if at_once or len(looks) == 1:
            return list(zip(*await self.executor.fetch(join(" UNION ALL ", looks), LOOK), strict=True))
        both = await together(*(self.executor.fetch(look, LOOK) for look in looks))
        return [row for columns in both for row in zip(*columns, strict=True)]
