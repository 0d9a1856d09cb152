"""Finds the hits of a substring in their order, with as few statements and as little reading as ``planner`` knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import assert_never

from agentstore.connection.sql import Sql
from agentstore.models import SearchResult
from agentstore.read.cursor import SearchKey
from agentstore.read.search import planner, substring_sql
from agentstore.read.search.candidates_sql import Narrowing, NewestCandidates
from agentstore.read.search.hit_keys import after_session, from_session, in_sessions
from agentstore.read.search.index_lookup import IndexLookup, LookupResult
from agentstore.read.search.newest_sessions import newest_sessions
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.read_settings import SCAN
from agentstore.read.search.results import RowsToOpen, open_rows_concurrently

# The hits in order, each with its result where its row has been opened already.
Found = dict[SearchKey, SearchResult | None]


class SubstringSearch:
    """One search."""

    def __init__(self, index_lookup: IndexLookup, parsed: ParsedQuery) -> None:
        self._index_lookup = index_lookup
        self._executor = index_lookup.executor
        self._parsed = parsed

    async def find(self, after: SearchKey | None, *, count: int, in_session: bool = False) -> Found:
        """The first ``count`` hits after the key, in order; fewer only where there are no more."""
        if not self._parsed.tables:
            return {}
        if in_session:  # one session is few rows, next to each other by the sort key: no index is faster
            return await self._scan(after, count)
        lookup = await self._index_lookup.look_up(self._parsed)
        if lookup.counts is None:
            if planner.worth_reading_twice(lookup.sizes, self._parsed.names):
                return await self._newest_sessions_first(after, count)
            return await self._scan(after, count)
        step = planner.next_step(lookup.counts, lookup.sizes, wanted=count)
        # A table without candidates is not read any more. That is why candidates must be a superset of the hits: one
        # that they lack is found by no later step.
        tables = tuple(one for one in self._parsed.tables if lookup.counts[one.name])
        self._parsed = replace(self._parsed, tables=tables)
        match step:
            case planner.NothingFound():
                return {}
            case planner.OpenCandidates():
                # There are so few that ``lookup.keys`` are all of them, on any page: those up to the cursor are left
                # out.
                return await self._open(lookup, after, count)
            case planner.CheckCandidates():
                return await self._scan(after, count, Narrowing(lookup.sizes, dict.fromkeys(self._parsed.names)))
            case planner.CheckNewest():
                first = await self._newest_candidates(lookup, step, after)
                return await self._with_rest(first, lookup, step.narrowed, after, count)
            case planner.ReadNewestSessions():
                first = await self._newest_sessions(lookup, step.count, after, count)
                # If there are fewer than wanted, these are all hits of the sessions read, also of the last one: the
                # scan goes on after that session. Newest candidates may end within a session, so there it begins with
                # it.
                rest = after_session(first[-1][0], first[-1][1]) if first else from_session(after)
                return await self._with_rest(first, lookup, step.narrowed, after, count, rest)
            case planner.ScanTexts():
                return await self._scan(after, count, Narrowing(lookup.sizes, dict.fromkeys(step.narrowed)))
            case _:
                assert_never(step)

    async def _open(self, lookup: LookupResult, after: SearchKey | None, count: int) -> Found:
        parsed = self._parsed
        rows = RowsToOpen(parsed.org_id, parsed.terms, parsed.sessions, parsed.tables, lookup.keys, copies=False)
        found = await open_rows_concurrently(self._executor, rows, after)
        return dict(islice(found.items(), count))

    async def _newest_candidates(
        self, lookup: LookupResult, step: planner.CheckNewest, after: SearchKey | None
    ) -> list[SearchKey]:
        """The hits among the newest candidates, up to where others may be missing."""
        # None: all candidates of the table. Without a limit on the hits, because they are cut by ``_complete_prefix``.
        newest = {name: NewestCandidates(after, limit) for name, limit in step.limits.items()}
        narrowed = Narrowing(lookup.sizes, {name: newest.get(name) for name in self._parsed.names})
        keys = await self._keys(self._hits(after, None, narrowed))
        return _complete_prefix(keys, {one.kind for one in self._parsed.tables if one.name in newest})

    async def _newest_sessions(
        self, lookup: LookupResult, sessions: int, after: SearchKey | None, count: int
    ) -> list[SearchKey]:
        """The hits of so many of the newest sessions, or of some more, if these have too few; at most ``count``."""
        keys = await self._keys(self._hits(after, count, Narrowing(lookup.sizes, sessions=sessions)))
        if len(keys) >= count:
            return keys
        sizes, names = lookup.sizes, self._parsed.names
        if (more := planner.more_sessions(sessions, len(keys), count, sizes, names, lookup.counts)) is None:
            return keys
        return await self._keys(self._hits(after, count, Narrowing(sizes, sessions=more)))

    async def _with_rest(
        self,
        first: list[SearchKey],
        lookup: LookupResult,
        narrowed: Collection[str],
        after: SearchKey | None,
        count: int,
        sessions: Sql | None = None,
    ) -> Found:
        """The first ``count`` hits, of which ``first`` are found already; the others are in these sessions."""
        if len(first) >= count:
            return dict.fromkeys(first[:count])
        last = first[-1] if first else after
        narrow = Narrowing(lookup.sizes, dict.fromkeys(narrowed))
        rest = substring_sql.hits(self._parsed, sessions or from_session(last), last, count=count, narrowed=narrow)
        return _merge(first, await self._keys(rest), count)

    async def _newest_sessions_first(self, after: SearchKey | None, count: int) -> Found:
        scope = from_session(after)
        sessions = await newest_sessions(self._executor, self._parsed, scope, planner.SESSIONS_FOR_HITS)
        if sessions is None:
            return await self._scan(after, count)
        newest, last = sessions
        found = await self._keys(substring_sql.hits(self._parsed, in_sessions(newest), after, count=count))
        if len(found) >= count:
            return dict.fromkeys(found)
        older = substring_sql.hits(self._parsed, after_session(*last), after, count=count)
        return _merge(found, await self._keys(older), count)

    async def _scan(self, after: SearchKey | None, count: int, narrowed: Narrowing | None = None) -> Found:
        return dict.fromkeys(await self._keys(self._hits(after, count, narrowed)))

    def _hits(self, after: SearchKey | None, count: int | None, narrowed: Narrowing | None) -> Sql:
        return substring_sql.hits(self._parsed, from_session(after), after, count=count, narrowed=narrowed)

    async def _keys(self, query: Sql) -> list[SearchKey]:
        return list(zip(*await self._executor.fetch(query, SCAN), strict=True))


def _merge(first: Sequence[SearchKey], rest: Iterable[SearchKey], count: int) -> Found:
    """The first ``count`` of both, each row once.

    A session that got an earlier start between the two statements is in ``rest`` again. That is why ``rest`` was asked
    for ``count`` hits and not for those that were missing: the repeated ones would leave the page too short.
    """
    # Without the moment, which is what has changed.
    rows = {key[1:] for key in first}
    return dict.fromkeys([*first, *(key for key in rest if key[1:] not in rows)][:count])


def _complete_prefix(keys: list[SearchKey], cut_kinds: set[int]) -> list[SearchKey]:
    """The hits before which none is missing; ``cut_kinds`` are those of which only the newest candidates were checked.

    Up to its last hit all candidates of such a kind were checked; after it a hit may be missing. So the list ends
    there, or at once where the kind has no hit: else the next page would go on behind a hit that nobody has seen.
    """
    last = {key[3]: number for number, key in enumerate(keys)}
    return keys[: min((last.get(kind, -1) + 1 for kind in cut_kinds), default=len(keys))]
