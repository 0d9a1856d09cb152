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
from agentstore.read.search.rows import EVERYTHING, among, until_session
from agentstore.read.search.scanning import SCAN, newest_sessions

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
        looked = await self._looker.look(self._target)
        if looked.counts is None:
            if after is None and planner.worth_reading_twice(looked.tables, self._target.names):
                return await self._newest_sessions_first(count)
            return await self._rank(after, count)
        step = planner.after_looking(looked.counts, looked.tables, wanted=RANKED)
        tables = tuple(one for one in self._target.tables if looked.counts[one.texts.name])
        self._target = replace(self._target, tables=tables)
        match step:
            case planner.Done():
                return []
            case planner.Open() | planner.Check():
                every = Narrowed(looked.tables, dict.fromkeys(self._target.names))
                return await self._rank(after, count, narrowed=every)
            case planner.Newest():
                return await self._newest_candidates_first(looked, step, after, count)
            case planner.Scan():
                narrowed = Narrowed(looked.tables, dict.fromkeys(step.narrowed))
                return await self._rank(after, count, narrowed=narrowed)
            case _:
                assert_never(step)

    async def _newest_candidates_first(
        self, looked: Looked, step: planner.Newest, after: WordsCursor | None, count: int
    ) -> Rows:
        if after is None:  # else the newest were too few for the first page
            newest = {name: Newest(None, limit, step.sessions) for name, limit in step.limits.items()}
            narrowed = Narrowed(looked.tables, {name: newest.get(name) for name in self._target.names})
            cut = {one.texts.kind for one in self._target.tables if one.texts.name in newest}
            rows = await self._rank(None, count, narrowed=narrowed, cut=cut)
            if _enough(rows):
                return rows
        return await self._rank(after, count, narrowed=Narrowed(looked.tables, dict.fromkeys(step.narrowed)))

    async def _newest_sessions_first(self, count: int) -> Rows:
        sessions = await newest_sessions(self._executor, self._target, EVERYTHING, planner.SESSIONS_FOR_RANKING)
        if sessions is not None:
            rows = await self._rank(None, count, among(sessions[0]))
            if _enough(rows):
                return rows
        return await self._rank(None, count)

    async def _rank(
        self,
        after: WordsCursor | None,
        count: int,
        sessions: Sql = EVERYTHING,
        *,
        narrowed: Narrowed | None = None,
        cut: Collection[int] = (),
    ) -> Rows:
        query = ranking.ranked(self._target, sessions, after, count=count, narrowed=narrowed, cut=cut)
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
