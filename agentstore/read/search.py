"""Search over message contents and tool calls: a literal, case-insensitive substring, or words ranked by relevance."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql, valid_text
from agentstore.errors import InvalidArgumentError
from agentstore.models import SearchPage, SearchQuery
from agentstore.protocols import Executor
from agentstore.read.cursor import (
    SearchCursor,
    decode_search_cursor,
    decode_words_cursor,
    encode_search_cursor,
)
from agentstore.read.finder import Finder
from agentstore.read.ranking import Wanted
from agentstore.read.scope import expect, page_limit, session_conditions, text
from agentstore.read.windows import results
from agentstore.read.words import Term, parse

COUNTED_HITS = 1000
MOST_TERMS = 64

_FILTERS = ("user_id", "project_id", "project_name", "agent_type")


async def search(executor: Executor, finder: Finder, org_id: str, query: SearchQuery) -> SearchPage:
    """One page of hits, in the order of the query's mode; see ``SearchQuery``.

    The first page counts the hits, up to ``COUNTED_HITS``; its cursor carries the figure on to the others.
    """
    expect(query, SearchQuery, "query")
    if query.mode not in ("substring", "words"):
        raise InvalidArgumentError(f"mode: expected 'substring' or 'words', got {query.mode!r}", field="mode")
    page_of = _words if query.mode == "words" else _substring
    return await page_of(executor, finder, org_id, query, page_limit(query.limit))


async def _substring(executor: Executor, finder: Finder, org_id: str, query: SearchQuery, limit: int) -> SearchPage:
    """started_at descending, session id descending, ordinal ascending, messages before tools."""
    # As it is stored, so that the highlights are looked for where the server found the hit.
    needle = valid_text(text(query.query, "query"))
    if not needle:
        raise InvalidArgumentError("query: is empty", field="query")
    cursor = decode_search_cursor(query.cursor) if query.cursor != "" else None
    wanted = limit + 1 if cursor else max(limit, COUNTED_HITS) + 1
    keys = await finder.find(org_id, needle, _sessions(org_id, query), cursor.key if cursor else None, count=wanted)
    total = cursor.total if cursor else len(keys)
    page = keys[:limit]
    return SearchPage(
        results=await results(executor, org_id, [Term(needle)], page),
        next_cursor=encode_search_cursor(SearchCursor(page[-1], total)) if len(keys) > limit else "",
        total=min(total, COUNTED_HITS),
        total_is_lower_bound=total > COUNTED_HITS,
    )


async def _words(executor: Executor, finder: Finder, org_id: str, query: SearchQuery, limit: int) -> SearchPage:
    """Relevance descending, then as ``_substring``."""
    terms = parse(valid_text(text(query.query, "query")))
    if not 1 <= len(terms) <= MOST_TERMS:
        raise InvalidArgumentError(
            f"query: expected 1 … {MOST_TERMS} different words and phrases, got {len(terms)}", field="query"
        )
    cursor = decode_words_cursor(query.cursor) if query.cursor != "" else None
    rows = await finder.ranked(Wanted(org_id, terms, _sessions(org_id, query)), cursor, count=limit + 1)
    first = cursor or next(iter(rows), None)
    total = first.total if first else 0
    page = rows[:limit]
    return SearchPage(
        results=await results(executor, org_id, terms, [row.key for row in page]),
        next_cursor=encode_search_cursor(page[-1]) if len(rows) > limit else "",
        total=min(total, COUNTED_HITS),
        total_is_lower_bound=total > COUNTED_HITS,
    )


def _sessions(org_id: str, query: SearchQuery) -> Sql:
    sessions = session_conditions(
        org_id,
        equal={name: getattr(query, name) for name in _FILTERS},
        date_from=query.date_from,
        date_to=query.date_to,
    )
    if text(query.session_id, "session_id"):
        return sql("{sessions} AND id = {id}", sessions=sessions, id=query.session_id)
    return sessions
