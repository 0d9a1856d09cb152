"""Finds the hits of a substring in their order, with as few statements and as little reading as ``planner`` knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import assert_never

from agentstore.connection.sql import Sql
from agentstore.models import SearchResult
from agentstore.read.cursor import SearchKey
from agentstore.read.search import planner, substring
from agentstore.read.search.candidates import Narrowed, Newest, Target
from agentstore.read.search.looking import Looked, Looker
from agentstore.read.search.results import Rows, opened_apart
from agentstore.read.search.rows import after_session, among, from_session
from agentstore.read.search.scanning import SCAN, newest_sessions

# The hits in order, each with its result where its row has been opened already.
Found = dict[SearchKey, SearchResult | None]


class Finder:
    """One search."""

    def __init__(self, looker: Looker, target: Target) -> None:
        self._looker = looker
        self._executor = looker.executor
        self._target = target

    async def find(self, after: SearchKey | None, *, count: int, in_session: bool = False) -> Found:
        """The first ``count`` hits after the key, in order; fewer only where there are no more."""
        if not self._target.tables:
            return {}
        if in_session:  # a look-up by itself, whatever an index says
            return await self._scan(after, count)
        looked = await self._looker.look(self._target)
        if looked.counts is None:
            if planner.worth_reading_twice(looked.tables, self._target.names):
                return await self._newest_sessions_first(after, count)
            return await self._scan(after, count)
        step = planner.after_looking(looked.counts, looked.tables, wanted=count)
        # A table without candidates needs no statement any more.
        tables = tuple(one for one in self._target.tables if looked.counts[one.texts.name])
        self._target = replace(self._target, tables=tables)
        match step:
            case planner.Done():
                return {}
            case planner.Open():
                return await self._open(looked, after, count)
            case planner.Check():
                return await self._scan(after, count, Narrowed(looked.tables, dict.fromkeys(self._target.names)))
            case planner.Newest():
                known = await self._newest_candidates(looked, step, after)
                return await self._and_rest(known, looked, step.narrowed, after, count)
            case planner.Sessions():
                known = await self._keys(self._hits(after, count, Narrowed(looked.tables, sessions=step.count)))
                # All hits of the sessions that were read are known, so the last one's session is not read again.
                rest = after_session(known[-1][0], known[-1][1]) if known else from_session(after)
                return await self._and_rest(known, looked, step.narrowed, after, count, rest)
            case planner.Scan():
                return await self._scan(after, count, Narrowed(looked.tables, dict.fromkeys(step.narrowed)))
            case _:
                assert_never(step)

    async def _open(self, looked: Looked, after: SearchKey | None, count: int) -> Found:
        target = self._target
        rows = Rows(target.org_id, target.terms, target.sessions, target.tables, looked.keys)
        found = await opened_apart(self._executor, rows, after)
        return dict(islice(found.items(), count))

    async def _newest_candidates(
        self, looked: Looked, step: planner.Newest, after: SearchKey | None
    ) -> list[SearchKey]:
        """The hits among the newest candidates, up to where others may be missing."""
        newest = {name: Newest(after, limit) for name, limit in step.limits.items()}
        narrowed = Narrowed(looked.tables, {name: newest.get(name) for name in self._target.names})
        keys = await self._keys(self._hits(after, None, narrowed))
        return _known(keys, {one.texts.kind for one in self._target.tables if one.texts.name in newest})

    async def _and_rest(
        self,
        known: list[SearchKey],
        looked: Looked,
        narrowed: Collection[str],
        after: SearchKey | None,
        count: int,
        sessions: Sql | None = None,
    ) -> Found:
        """The first ``count`` hits, of which the first are known; the others are in these sessions."""
        if len(known) >= count:
            return dict.fromkeys(known[:count])
        last = known[-1] if known else after
        narrow = Narrowed(looked.tables, dict.fromkeys(narrowed))
        rest = substring.hits(self._target, sessions or from_session(last), last, count=count, narrowed=narrow)
        return _joined(known, await self._keys(rest), count)

    async def _newest_sessions_first(self, after: SearchKey | None, count: int) -> Found:
        scope = from_session(after)
        sessions = await newest_sessions(self._executor, self._target, scope, planner.SESSIONS_FOR_HITS)
        if sessions is None:
            return await self._scan(after, count)
        newest, last = sessions
        found = await self._keys(substring.hits(self._target, among(newest), after, count=count))
        if len(found) >= count:
            return dict.fromkeys(found)
        older = substring.hits(self._target, after_session(*last), after, count=count)
        return _joined(found, await self._keys(older), count)

    async def _scan(self, after: SearchKey | None, count: int, narrowed: Narrowed | None = None) -> Found:
        return dict.fromkeys(await self._keys(self._hits(after, count, narrowed)))

    def _hits(self, after: SearchKey | None, count: int | None, narrowed: Narrowed | None) -> Sql:
        return substring.hits(self._target, from_session(after), after, count=count, narrowed=narrowed)

    async def _keys(self, query: Sql) -> list[SearchKey]:
        return list(zip(*await self._executor.fetch(query, SCAN), strict=True))


def _joined(first: Sequence[SearchKey], rest: Iterable[SearchKey], count: int) -> Found:
    """The first ``count`` of both. A session that got an earlier start between the two statements is in ``rest`` again;
    that is why as many were asked for as if there were no ``first``.
    """
    rows = {key[1:] for key in first}
    return dict.fromkeys([*first, *(key for key in rest if key[1:] not in rows)][:count])


def _known(keys: list[SearchKey], cut: set[int]) -> list[SearchKey]:
    """Those of the hits before which there is no other: up to the last one of each kind that has been cut off."""
    last = {key[3]: number for number, key in enumerate(keys)}
    return keys[: min((last.get(kind, -1) + 1 for kind in cut), default=len(keys))]
