"""The first step of a search: how big the tables are, and how many candidates their text indexes know."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from agentstore.connection.sql import join
from agentstore.protocols import Executor
from agentstore.read.cursor import SearchKey
from agentstore.read.search import candidates_sql, parts, planner
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.parts import PartsState, RowCounts, TableSizes
from agentstore.read.search.read_settings import LOOK

# Of how many organisations the row counts are remembered, for how long, and up to which change of the whole table.
_MOST_REMEMBERED, _REMEMBERED_SECONDS, _GROWN = 1000, 30.0, 0.05


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What is known now: how much there is to search, and the candidates.

    ``counts`` says how many each table has, up to ``planner.COUNTED``; None where the indexes were not asked. ``keys``
    are those of the first ``planner.OPENED`` of each table, in no order and without their moment.
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
        """None where they are to be counted again."""
        rows, _, then = self._of.get(org_id, (None, 0, -math.inf))
        return rows if now - then <= _REMEMBERED_SECONDS else None

    def keep(self, org_id: str, rows: RowCounts, all_sessions: int, now: float) -> None:
        """Remember them, counted when all organisations had so many sessions."""
        # All at once: to forget the oldest one would take an order, and those that are needed are only counted again.
        if len(self._of) >= _MOST_REMEMBERED:
            self._of.clear()
        self._of[org_id] = (rows, all_sessions, now)

    def forget_grown(self, org_id: str, all_sessions: int) -> None:
        """Forget them where there are no longer about as many sessions in all as there were then."""
        # Another search may have taken them out meanwhile: then nothing has grown, and nothing is deleted.
        _, then, _ = self._of.get(org_id, (None, all_sessions, 0.0))
        if abs(all_sessions - then) > _GROWN * then:
            del self._of[org_id]


class IndexLookup:
    """Asks through one executor.

    It remembers that there are indexes, for nobody drops them, and for a while how many rows an organisation has: that
    takes as long to count as to look for a rare text, and an old count only makes the search slower.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._has_indexes = False
        self._remembered = RememberedRowCounts()

    async def look_up(self, parsed: ParsedQuery) -> LookupResult:
        """How much there is to search, and the candidates where asking the indexes for them is worth it."""
        state = await self._state(parsed)
        sizes = state.sizes.share(state.rows)
        if parsed.filtered:
            sessions, messages = state.searched
            sizes = sizes.share_of_sessions(sessions, messages)
            # Nothing is looked up for them: the index would be asked for the candidates of all others.
            if not sessions:
                return LookupResult(sizes, dict.fromkeys(parsed.names, 0))
            if planner.is_small(sizes, parsed.names):
                return LookupResult(sizes)
        # By the tables as a whole: of an organisation's share all that is not indexed counts as its own, so that a
        # small one would never ask the indexes while others write.
        if not (state.has_indexes and parsed.indexed and planner.worth_asking_indexes(state.sizes, parsed.names)):
            return LookupResult(sizes)
        counts, keys = dict[str, int](), list[SearchKey]()
        for number, found, *columns in await self._look_up_tables(parsed, sizes):
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
        # One that has nothing yet may soon have a lot, and would be searched like an empty one for a while.
        if state.rows.sessions:
            self._remembered.keep(org_id, state.rows, state.sizes.sessions, now)
        return state

    async def _look_up_tables(self, parsed: ParsedQuery, sizes: TableSizes) -> list[tuple[Any, ...]]:
        # In one statement: with the state of the parts, up to three that read, and the page, two would make seven.
        statements = [
            candidates_sql.look_up(parsed, one, sizes, keys=planner.OPENED, count=planner.COUNTED)
            for one in parsed.tables
        ]
        # The rows come in any order. Each one says which table it is of.
        return list(zip(*await self.executor.fetch(join(" UNION ALL ", statements), LOOK), strict=True))
