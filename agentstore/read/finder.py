"""Finds hits in their order, reading as few texts as it can; and the rows that hold some words, the best first.

With a text index, its candidates are put in order first, narrow, and only as many of them are verified against their
texts as are asked for. Without one (needles of one or two characters, old servers), texts are scanned, the newest
sessions first: a frequent needle is found there at once, and only a rare one makes it read everything, once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from agentstore.connection.sql import Sql
from agentstore.protocols import Executor
from agentstore.read import hits, ranking
from agentstore.read.cursor import SearchKey, WordsCursor
from agentstore.read.hits import INDEXED_LENGTH, SCAN, Target
from agentstore.read.ranking import Wanted

# How many sessions are scanned first, where there are so many times more that a needle which is nowhere costs little
# for it: their keys are in no order of time, so with each session its neighbours are read.
_NEWEST, _WORTH_IT = 64, 200
_MOST_CANDIDATES = 5000


class Finder:
    """The searches of one store."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._has_index = False

    async def find(
        self, org_id: str, needle: str, sessions: Sql, after: SearchKey | None, *, count: int
    ) -> list[SearchKey]:
        """The first ``count`` hits after the key, in order; fewer only where there are no more."""
        if len(needle) >= INDEXED_LENGTH and await self._indexed():
            target = Target(org_id, needle, sessions, await self._unindexed_parts())
            return await self._among_candidates(target, after, count)
        return await self._newest_first(Target(org_id, needle, sessions), after, count)

    async def ranked(self, wanted: Wanted, after: WordsCursor | None, *, count: int) -> list[WordsCursor]:
        """The first ``count`` rows after the cursor that hold all terms, the best first, as the cursors after them."""
        if wanted.indexable() and await self._indexed():
            wanted = replace(wanted, unindexed=await self._unindexed_parts())
        columns = await self._executor.fetch(ranking.ranked(wanted, after, count=count), SCAN)
        return [WordsCursor(row[0], row[1:7], *row[7:]) for row in zip(*columns, strict=True)]

    async def _among_candidates(self, target: Target, after: SearchKey | None, count: int) -> list[SearchKey]:
        found: list[SearchKey] = []
        skip, step = 0, count + count // 8 + 16
        while True:
            keys = await self._keys(hits.candidates(target, after, count=step, skip=skip))
            if keys:
                columns = await self._executor.fetch(hits.verified(target, keys))
                true = set(zip(*columns, strict=True))
                found += [key for key in keys if key[1:] in true]
            if len(keys) < step or len(found) >= count:
                return found[:count]
            skip, step = skip + step, min(step * 4, _MOST_CANDIDATES)

    async def _newest_first(self, target: Target, after: SearchKey | None, count: int) -> list[SearchKey]:
        rest = hits.EVERYTHING if after is None else hits.from_session(after[0], after[1], included=True)
        columns = await self._executor.fetch(hits.newest_sessions(target, rest, count=_NEWEST))
        sessions = list(zip(*columns, strict=True))
        if not sessions:
            return []
        if sessions[0][2] < _NEWEST * _WORTH_IT:
            return await self._keys(hits.hits(target, rest, after, count=count), SCAN)
        newest = hits.among(tuple(id for _, id, _ in sessions))
        found = await self._keys(hits.hits(target, newest, after, count=count))
        if len(found) >= count:
            return found
        older = hits.from_session(*sessions[-1][:2], included=False)
        return found + await self._keys(hits.hits(target, older, after, count=count - len(found)), SCAN)

    async def _keys(self, query: Sql, settings: Mapping[str, int] | None = None) -> list[SearchKey]:
        return list(zip(*await self._executor.fetch(query, settings), strict=True))

    async def _indexed(self) -> bool:
        if not self._has_index:
            ((count,),) = await self._executor.fetch(hits.text_indexes())
            self._has_index = count > 0
        return self._has_index

    async def _unindexed_parts(self) -> dict[str, list[str]]:
        parts: dict[str, list[str]] = defaultdict(list)
        for table, name in zip(*await self._executor.fetch(hits.unindexed_parts()), strict=True):
            parts[table].append(name)
        return parts
