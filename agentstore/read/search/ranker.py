"""Ranks the rows that hold some words, with as few statements and as little reading as ``planner`` knows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import assert_never

from agentstore.connection.sql import Sql
from agentstore.read.cursor import WordsCursor
from agentstore.read.search import planner, ranking
from agentstore.read.search.candidates import Narrowed, Newest, Target
from agentstore.read.search.looking import Looked, Looker
from agentstore.read.search.ranking import RANKED
from agentstore.read.search.rows import EVERYTHING, until_session
from agentstore.read.search.scanning import SCAN, count_sessions

# The rows in order, as the cursors after them.
Rows = list[WordsCursor]


class Ranker:
    """One search."""

    def __init__(self, looker: Looker, target: Target) -> None:
        self._looker = looker
        self._executor = looker.executor
        self._target = target

    async def ranked(self, after: WordsCursor | None, *, count: int, in_session: bool = False) -> Rows:
        """The first ``count`` rows after the cursor that hold all terms, the best first."""
        if not self._target.tables:
            return []
        if after and after.last:  # the first page found out which rows are ranked
            return await self._rank(after, count, until_session(after.last))
        if in_session:
            return await self._rank(after, count)
        # In one statement: there may be three to rank, and six are the most.
        looked = await self._looker.look(self._target, at_once=True)
        if looked.counts is None:
            if after is None and planner.worth_reading_twice(looked.tables, self._target.names):
                return await self._newest_sessions_first(looked, count)
            return await self._rank(after, count)
        step = planner.after_looking(looked.counts, looked.tables, wanted=RANKED, each=planner.WORDS)
        tables = tuple(one for one in self._target.tables if looked.counts[one.texts.name])
        self._target = replace(self._target, tables=tables)
        match step:
            case planner.Done():
                return []
            case planner.Open() | planner.Check():
                every = Narrowed(looked.tables, dict.fromkeys(self._target.names))
                return await self._rank(after, count, narrowed=every)
            case planner.Newest():
                rows = await self._newest_candidates(looked, step, count) if after is None else []
                return rows if _enough(rows) else await self._rest(looked, step.narrowed, after, count)
            case planner.Sessions():
                rows = await self._newest_sessions(looked, step.count, count) if after is None else []
                return rows if _enough(rows) else await self._rest(looked, step.narrowed, after, count)
            case planner.Scan():
                return await self._rest(looked, step.narrowed, after, count)
            case _:
                assert_never(step)

    async def _newest_candidates(self, looked: Looked, step: planner.Newest, count: int) -> Rows:
        newest = {name: Newest(None, limit) for name, limit in step.limits.items()}
        narrowed = Narrowed(looked.tables, {name: newest.get(name) for name in self._target.names})
        cut = {one.texts.kind for one in self._target.tables if one.texts.name in newest}
        return await self._rank(None, count, narrowed=narrowed, cut=cut)

    async def _newest_sessions(self, looked: Looked, sessions: int, count: int) -> Rows:
        """The first page by so many of the newest sessions, or by some more, if these have not enough rows."""
        rows = await self._rank(None, count, narrowed=Narrowed(looked.tables, sessions=sessions))
        if _enough(rows):
            return rows
        found = rows[0].total if rows else 0
        more = planner.more_sessions(sessions, found, RANKED, looked.tables, self._target.names, looked.counts)
        return await self._rank(None, count, narrowed=Narrowed(looked.tables, sessions=more)) if more else []

    async def _rest(self, looked: Looked, narrowed: Collection[str], after: WordsCursor | None, count: int) -> Rows:
        choose = planner.worth_choosing(sum((looked.counts or {}).values()), RANKED)
        tables = Narrowed(looked.tables, dict.fromkeys(narrowed))
        return await self._rank(after, count, narrowed=tables, choose=choose)

    async def _newest_sessions_first(self, looked: Looked, count: int) -> Rows:
        # Where they are filtered they have been counted.
        known = looked.tables.sessions if self._target.filtered else None
        sessions = await count_sessions(self._executor, self._target) if known is None else known
        if not planner.worth_reading_first(planner.SESSIONS_FOR_RANKING, sessions):
            return await self._rank(None, count)
        rows = await self._newest_sessions(looked, planner.SESSIONS_FOR_RANKING, count)
        return rows if _enough(rows) else await self._rank(None, count, choose=True)

    async def _rank(
        self,
        after: WordsCursor | None,
        count: int,
        sessions: Sql = EVERYTHING,
        *,
        narrowed: Narrowed | None = None,
        cut: Collection[int] = (),
        choose: bool = False,
    ) -> Rows:
        query = ranking.ranked(self._target, sessions, after, count=count, narrowed=narrowed, cut=cut, choose=choose)
        columns = await self._executor.fetch(query, SCAN)
        return [_cursor(row, after) for row in zip(*columns, strict=True)]


def _enough(rows: Rows) -> bool:
    """Whether as many rows are ranked as are to be."""
    return bool(rows) and rows[0].total >= RANKED


def _cursor(row: tuple[object, ...], after: WordsCursor | None) -> WordsCursor:
    score, key, total, average, last = row[0], row[1:7], row[7], row[8], row[9:15]
    if after is not None:
        last = after.last  # type: ignore[assignment]
    return WordsCursor(score, key, total, average, last if after or total >= RANKED else None)  # type: ignore[arg-type,operator]
