"""The look at the tables and their text indexes that a search begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from agentstore.connection.sql import join
from agentstore.protocols import Executor
from agentstore.read.cursor import SearchKey
from agentstore.read.search import candidates, parts, planner
from agentstore.read.search.candidates import Target
from agentstore.read.search.parts import Rows, State, Tables
from agentstore.read.search.scanning import LOOK
from agentstore.read.together import together

# How many organisations' rows are remembered, for how long, and while the table grows or shrinks by how much.
_REMEMBERED, _REMEMBERED_SECONDS, _GROWN = 1000, 30.0, 0.05


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known now: how much of the tables is searched, and the candidates.

    ``counts`` are those of each table, up to ``planner.COUNTED``; None where they are not known. ``keys`` are those of
    the first ``planner.OPENED`` of each, in no order and without their moment.
    """

    tables: Tables
    counts: Mapping[str, int] | None = None
    keys: Sequence[SearchKey] = ()


class Remembered:
    """How many rows organisations have, as they were counted a while ago."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Rows, int, float]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def rows(self, org_id: str, now: float) -> Rows | None:
        """None where they are to be counted anew."""
        rows, _, then = self._of.get(org_id, (None, 0, -math.inf))
        return rows if now - then <= _REMEMBERED_SECONDS else None

    def keep(self, org_id: str, rows: Rows, every: int, now: float) -> None:
        """Remember them, counted when all organisations had so many sessions."""
        if len(self._of) >= _REMEMBERED:
            self._of.clear()
        self._of[org_id] = (rows, every, now)

    def forget_grown(self, org_id: str, every: int) -> None:
        """Forget them where there are no longer about as many sessions in all as there were then."""
        _, then, _ = self._of.get(org_id, (None, every, 0.0))
        if abs(every - then) > _GROWN * then:
            del self._of[org_id]


class Looker:
    """Looks through one executor.

    It remembers that there are indexes, for nobody drops them, and for a while how many rows an organisation has: that
    only decides how it is searched, and takes as long to count as to look for a rare text.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._has_indexes = False
        self._remembered = Remembered()

    async def look(self, target: Target, *, at_once: bool = False) -> Looked:
        """How much is searched, and what the indexes say of the target where that is worth asking.

        ``at_once``: in one statement; else one for each table, side by side, which is the faster.
        """
        state = await self._state(target)
        tables = state.tables.share(state.rows)
        if target.filtered:
            sessions, messages = state.searched
            tables = tables.among(sessions, messages)
            if not sessions:
                return Looked(tables, dict.fromkeys(target.names, 0))
            if planner.is_small(tables, target.names):
                return Looked(tables)
        if not (state.has_indexes and target.indexed and planner.worth_looking(state.tables, target.names)):
            return Looked(tables)
        counts, keys = dict[str, int](), list[SearchKey]()
        for number, found, *columns in await self._answers(target, tables, at_once=at_once):
            texts = target.tables[number].texts
            counts[texts.name] = found
            keys += [
                (None, session_id, position, texts.kind, tool_use_id, call_index)
                for session_id, position, tool_use_id, call_index in zip(*columns, strict=True)
            ]
        return Looked(tables, counts, keys)

    async def _state(self, target: Target) -> State:
        org_id, now = target.org_id, monotonic()
        known = self._remembered.rows(org_id, now)
        question = parts.state(
            ask_for_indexes=not self._has_indexes,
            rows_of=org_id if known is None else None,
            searched=target.sessions if target.filtered else None,
        )
        state = parts.read(await self.executor.fetch(question))
        self._has_indexes = state.has_indexes
        if known is not None:
            self._remembered.forget_grown(org_id, state.tables.sessions)
            return replace(state, rows=known)
        # One that has nothing yet may soon have a lot.
        if state.rows.sessions:
            self._remembered.keep(org_id, state.rows, state.tables.sessions, now)
        return state

    async def _answers(self, target: Target, tables: Tables, *, at_once: bool) -> list[tuple[Any, ...]]:
        looks = [
            candidates.look(target, one, tables, keys=planner.OPENED, count=planner.COUNTED) for one in target.tables
        ]
        if at_once or len(looks) == 1:
            return list(zip(*await self.executor.fetch(join(" UNION ALL ", looks), LOOK), strict=True))
        both = await together(*(partial(self.executor.fetch, look, LOOK) for look in looks))
        return [row for columns in both for row in zip(*columns, strict=True)]
