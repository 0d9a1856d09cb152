"""The first step of a search: how big the tables are, and how many candidates their text indexes know."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from agentstore.connection.sql import join
from agentstore.protocols import Executor
from agentstore.read.concurrent import together
from agentstore.read.cursor import SearchKey
from agentstore.read.search import candidates_sql, parts, planner
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.parts import PartsState, RowCounts, TableSizes
from agentstore.read.search.read_settings import LOOK

# How many organisations' rows are remembered, for how long, and while the table grows or shrinks by how much.
_REMEMBERED, _REMEMBERED_SECONDS, _GROWN = 1000, 30.0, 0.05


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What is known now: how much there is to search, and the candidates.

    ``counts`` are those of each table, up to ``planner.COUNTED``; None where they are not known. ``keys`` are those of
    the first ``planner.OPENED`` of each, in no order and without their moment.
    """

    sizes: TableSizes
    counts: Mapping[str, int] | None = None
    keys: Sequence[SearchKey] = ()


class RememberedRowCounts:
    """How many rows organisations have, as they were counted a while ago."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[RowCounts, int, float]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def rows(self, org_id: str, now: float) -> RowCounts | None:
        """None where they are to be counted anew."""
        rows, _, then = self._of.get(org_id, (None, 0, -math.inf))
        return rows if now - then <= _REMEMBERED_SECONDS else None

    def keep(self, org_id: str, rows: RowCounts, every: int, now: float) -> None:
        """Remember them, counted when all organisations had so many sessions."""
        if len(self._of) >= _REMEMBERED:
            self._of.clear()
        self._of[org_id] = (rows, every, now)

    def forget_grown(self, org_id: str, every: int) -> None:
        """Forget them where there are no longer about as many sessions in all as there were then."""
        _, then, _ = self._of.get(org_id, (None, every, 0.0))
        if abs(every - then) > _GROWN * then:
            del self._of[org_id]


class IndexLookup:
    """Looks through one executor.

    It remembers that there are indexes, for nobody drops them, and for a while how many rows an organisation has: that
    only decides how it is searched, and takes as long to count as to look for a rare text.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._has_indexes = False
        self._remembered = RememberedRowCounts()

    async def look_up(self, parsed: ParsedQuery, *, at_once: bool = False) -> LookupResult:
        """How much there is to search, and the candidates where asking the indexes for them is worth it.

        ``at_once``: in one statement; else one for each table, side by side, which is the faster.
        """
        state = await self._state(parsed)
        sizes = state.sizes.share(state.rows)
        if parsed.filtered:
            sessions, messages = state.searched
            sizes = sizes.among(sessions, messages)
            if not sessions:
                return LookupResult(sizes, dict.fromkeys(parsed.names, 0))
            if planner.is_small(sizes, parsed.names):
                return LookupResult(sizes)
        if not (state.has_indexes and parsed.indexed and planner.worth_asking_indexes(state.sizes, parsed.names)):
            return LookupResult(sizes)
        counts, keys = dict[str, int](), list[SearchKey]()
        for number, found, *columns in await self._answers(parsed, sizes, at_once=at_once):
            table = parsed.tables[number]
            counts[table.name] = found
            keys += [
                (None, session_id, position, table.kind, tool_use_id, call_index)
                for session_id, position, tool_use_id, call_index in zip(*columns, strict=True)
            ]
        return LookupResult(sizes, counts, keys)

    async def _state(self, parsed: ParsedQuery) -> PartsState:
        org_id, now = parsed.org_id, monotonic()
        known = self._remembered.rows(org_id, now)
        question = parts.query(
            ask_for_indexes=not self._has_indexes,
            rows_of=org_id if known is None else None,
            searched=parsed.sessions if parsed.filtered else None,
        )
        state = parts.read_answer(await self.executor.fetch(question))
        self._has_indexes = state.has_indexes
        if known is not None:
            self._remembered.forget_grown(org_id, state.sizes.sessions)
            return replace(state, rows=known)
        # One that has nothing yet may soon have a lot.
        if state.rows.sessions:
            self._remembered.keep(org_id, state.rows, state.sizes.sessions, now)
        return state

    async def _answers(self, parsed: ParsedQuery, sizes: TableSizes, *, at_once: bool) -> list[tuple[Any, ...]]:
        statements = [
            candidates_sql.look_up(parsed, one, sizes, keys=planner.OPENED, count=planner.COUNTED)
            for one in parsed.tables
        ]
        if at_once or len(statements) == 1:
            return list(zip(*await self.executor.fetch(join(" UNION ALL ", statements), LOOK), strict=True))
        both = await together(*(partial(self.executor.fetch, statement, LOOK) for statement in statements))
        return [row for columns in both for row in zip(*columns, strict=True)]
