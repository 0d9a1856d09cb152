"""Ranks the rows that hold some words, with as few statements and as little reading as ``planner`` knows.

A score depends on the mean length of all ranked rows. So what two statements found is never put together, as it is for
substrings: a statement that finds too few rows is followed by one that ranks all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import assert_never

from agentstore.connection.sql import Sql
from agentstore.read.conditions import EVERYTHING
from agentstore.read.cursor import WordsCursor
from agentstore.read.search import planner, words_sql
from agentstore.read.search.candidates_sql import Narrowing, NewestCandidates
from agentstore.read.search.hit_keys import until_session
from agentstore.read.search.index_lookup import IndexLookup, LookupResult
from agentstore.read.search.newest_sessions import count_sessions
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.read_settings import SCAN
from agentstore.read.search.words_sql import RANKED

# The rows in order, as the cursors after them.
RankedRows = list[WordsCursor]


class WordsSearch:
    """One search."""

    def __init__(self, index_lookup: IndexLookup, parsed: ParsedQuery) -> None:
        self._index_lookup = index_lookup
        self._executor = index_lookup.executor
        self._parsed = parsed

    async def ranked(self, after: WordsCursor | None, *, count: int, in_session: bool = False) -> RankedRows:
        """The first ``count`` rows after the cursor that hold all terms, the best first."""
        if not self._parsed.tables:
            return []
        if after and after.last:
            # The first page found out where the ranked rows end. To end elsewhere would give other scores, and rows
            # would be shown twice or never.
            return await self._rank(after, count, until_session(after.last))
        if in_session:
            return await self._rank(after, count)
        lookup = await self._index_lookup.look_up(self._parsed)
        if lookup.counts is None:
            if after is None and planner.worth_reading_twice(lookup.sizes, self._parsed.names):
                return await self._newest_sessions_first(lookup, count)
            return await self._rank(after, count)
        step = planner.next_step(lookup.counts, lookup.sizes, wanted=RANKED, each=planner.WORDS_COST)
        # A table without candidates is not read any more; see ``SubstringSearch.find``.
        tables = tuple(one for one in self._parsed.tables if lookup.counts[one.name])
        self._parsed = replace(self._parsed, tables=tables)
        match step:
            case planner.NothingFound():
                return []
            case planner.OpenCandidates() | planner.CheckCandidates():
                every = Narrowing(lookup.sizes, dict.fromkeys(self._parsed.names))
                return await self._rank(after, count, narrowed=every)
            case planner.CheckNewest():
                # A cursor comes this far only without ``last``: then the first page ranked every row that matched,
                # fewer than RANKED, and the newest alone would be too few again. The same below.
                rows = await self._newest_candidates(lookup, step, count) if after is None else []
                return rows if _enough(rows) else await self._rank_all(lookup, step.narrowed, after, count)
            case planner.ReadNewestSessions():
                rows = await self._newest_sessions(lookup, step.count, count) if after is None else []
                return rows if _enough(rows) else await self._rank_all(lookup, step.narrowed, after, count)
            case planner.ScanTexts():
                return await self._rank_all(lookup, step.narrowed, after, count)
            case _:
                assert_never(step)

    async def _newest_candidates(self, lookup: LookupResult, step: planner.CheckNewest, count: int) -> RankedRows:
        newest = {name: NewestCandidates(None, limit) for name, limit in step.limits.items()}
        narrowed = Narrowing(lookup.sizes, {name: newest.get(name) for name in self._parsed.names})
        cut_kinds = {one.kind for one in self._parsed.tables if one.name in newest}
        return await self._rank(None, count, narrowed=narrowed, cut_kinds=cut_kinds)

    async def _newest_sessions(self, lookup: LookupResult, sessions: int, count: int) -> RankedRows:
        """The first page by so many of the newest sessions, or by some more, if these have not enough rows."""
        rows = await self._rank(None, count, narrowed=Narrowing(lookup.sizes, sessions=sessions))
        if _enough(rows):
            return rows
        found = rows[0].total if rows else 0
        more = planner.more_sessions(
            sessions, found, RANKED, lookup.sizes, self._parsed.names, lookup.counts, each=planner.WORDS_COST
        )
        # Not enough once more, or not tried, the caller ranks all rows. A third try would be a statement too many.
        return await self._rank(None, count, narrowed=Narrowing(lookup.sizes, sessions=more)) if more else []

    async def _rank_all(
        self, lookup: LookupResult, narrowed: Collection[str], after: WordsCursor | None, count: int
    ) -> RankedRows:
        """All rows, not only those that were not read yet; in these tables only candidates are read."""
        in_two_reads = planner.worth_ranking_in_two_reads(sum((lookup.counts or {}).values()), RANKED)
        tables = Narrowing(lookup.sizes, dict.fromkeys(narrowed))
        return await self._rank(after, count, narrowed=tables, in_two_reads=in_two_reads)

    async def _newest_sessions_first(self, lookup: LookupResult, count: int) -> RankedRows:
        # Filtered sessions have been counted by the look-up. Without a filter ``sizes`` has rows of the table, among
        # them deleted sessions and those without a user's message.
        known = lookup.sizes.sessions if self._parsed.filtered else None
        sessions = await count_sessions(self._executor, self._parsed) if known is None else known
        if not planner.worth_reading_first(planner.SESSIONS_FOR_RANKING, sessions):
            return await self._rank(None, count)
        rows = await self._newest_sessions(lookup, planner.SESSIONS_FOR_RANKING, count)
        return rows if _enough(rows) else await self._rank(None, count, in_two_reads=True)

    async def _rank(
        self,
        after: WordsCursor | None,
        count: int,
        sessions: Sql = EVERYTHING,
        *,
        narrowed: Narrowing | None = None,
        cut_kinds: Collection[int] = (),
        in_two_reads: bool = False,
    ) -> RankedRows:
        query = words_sql.ranked(
            self._parsed,
            sessions,
            after,
            count=count,
            narrowed=narrowed,
            cut_kinds=cut_kinds,
            in_two_reads=in_two_reads,
        )
        columns = await self._executor.fetch(query, SCAN)
        return [_to_cursor(row, after) for row in zip(*columns, strict=True)]


def _enough(rows: RankedRows) -> bool:
    """Whether as many rows are ranked as can be; with fewer, rows that were not read may have to be among them."""
    return bool(rows) and rows[0].total >= RANKED


def _to_cursor(row: tuple[object, ...], after: WordsCursor | None) -> WordsCursor:
    score, key, total, average, last = row[0], row[1:7], row[7], row[8], row[9:15]
    # Carried from page to page as the first page found it: later pages see other rows, and would end elsewhere.
    if after is not None:
        last = after.last  # type: ignore[assignment]
    return WordsCursor(score, key, total, average, last if after or total >= RANKED else None)  # type: ignore[arg-type,operator]
