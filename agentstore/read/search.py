"""Search: a literal, case-insensitive substring over message contents and tool calls."""

from __future__ import annotations

from agentstore.connection.sql import sql, valid_text
from agentstore.errors import InvalidArgumentError
from agentstore.models import SearchPage, SearchQuery
from agentstore.protocols import Executor
from agentstore.read.cursor import SearchCursor, decode_search_cursor, encode_search_cursor
from agentstore.read.finder import Finder
from agentstore.read.scope import expect, page_limit, session_conditions, text
from agentstore.read.windows import results

COUNTED_HITS = 1000

_FILTERS = ("user_id", "project_id", "project_name", "agent_type")


async def search(executor: Executor, finder: Finder, org_id: str, query: SearchQuery) -> SearchPage:
    """One page of hits: started_at descending, session id descending, ordinal ascending, messages before tools.

    The first page counts the hits, up to ``COUNTED_HITS``; its cursor carries the figure on to the others.
    """
    expect(query, SearchQuery, "query")
    # As it is stored, so that the highlights are looked for where the server found the hit.
    needle = valid_text(text(query.query, "query"))
    if not needle:
        raise InvalidArgumentError("query: is empty", field="query")
    limit = page_limit(query.limit)
    cursor = decode_search_cursor(query.cursor) if query.cursor != "" else None
    sessions = session_conditions(
        org_id,
        equal={name: getattr(query, name) for name in _FILTERS},
        date_from=query.date_from,
        date_to=query.date_to,
    )
    if text(query.session_id, "session_id"):
        sessions = sql("{sessions} AND id = {id}", sessions=sessions, id=query.session_id)
    wanted = limit + 1 if cursor else max(limit, COUNTED_HITS) + 1
    keys = await finder.find(org_id, needle, sessions, cursor.key if cursor else None, count=wanted)
    total = cursor.total if cursor else len(keys)
    page = keys[:limit]
    return SearchPage(
        results=await results(executor, org_id, needle, page),
        next_cursor=encode_search_cursor(SearchCursor(page[-1], total)) if len(keys) > limit else "",
        total=min(total, COUNTED_HITS),
        total_is_lower_bound=total > COUNTED_HITS,
    )
