"""Search over message contents and tool calls: a literal, case-insensitive substring, or words ranked by relevance."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql, valid_text
from agentstore.errors import InvalidArgumentError
from agentstore.models import SearchPage, SearchQuery, SearchResult
from agentstore.protocols import Executor
from agentstore.read.conditions import EVERYTHING, expect, page_limit, session_conditions, text
from agentstore.read.cursor import (
    SearchCursor,
    SearchKey,
    decode_search_cursor,
    decode_words_cursor,
    encode_search_cursor,
)
from agentstore.read.floors import owned
from agentstore.read.search.index_lookup import IndexLookup
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.results import RowsToOpen, open_rows
from agentstore.read.search.searched_tables import searched_tables
from agentstore.read.search.substring_search import SubstringSearch
from agentstore.read.search.tokens import Term, parse
from agentstore.read.search.words_search import WordsSearch

MOST_COUNTED = 1000
MOST_TERMS = 64

_FILTERS = ("user_id", "project_id", "project_name", "agent_type")


async def search(index_lookup: IndexLookup, org_id: str, query: SearchQuery) -> SearchPage:
    """One page of hits, in the order of the query's mode; see ``SearchQuery``.

    The first page counts the hits, up to ``counted_hits``; its cursor carries the figure on to the others.
    """
    expect(query, SearchQuery, "query")
    if query.mode not in ("substring", "words"):
        raise InvalidArgumentError(f"mode: expected 'substring' or 'words', got {query.mode!r}", field="mode")
    page_of = _words_page if query.mode == "words" else _substring_page
    return await page_of(index_lookup, org_id, query, page_limit(query.limit))


async def _substring_page(index_lookup: IndexLookup, org_id: str, query: SearchQuery, limit: int) -> SearchPage:
    """started_at descending, session id descending, ordinal ascending, messages before tools."""
    # As it is stored, so that the highlights are looked for where the server found the hit.
    needle = valid_text(text(query.query, "query"))
    if not needle:
        raise InvalidArgumentError("query: is empty", field="query")
    cursor = decode_search_cursor(query.cursor) if query.cursor != "" else None
    # One more than is shown: it tells that there is a next page, and on the first one that there are more than counted.
    counted = _counted_hits(query)
    wanted = limit + 1 if cursor else max(limit, counted) + 1
    parsed = _parse(org_id, (Term(needle),), query)
    found = await SubstringSearch(index_lookup, parsed).find(
        cursor.key if cursor else None, count=wanted, in_session=bool(query.session_id)
    )
    keys = list(found)
    total, more = (cursor.total, cursor.more) if cursor else (min(len(keys), counted), len(keys) > counted)
    page = keys[:limit]
    # Only the page is opened: of up to a thousand counted hits no text is read for a snippet that nobody sees.
    shown = await _open_page(index_lookup.executor, parsed, [key for key in page if found[key] is None])
    results = [found[key] or shown.get(key[1:]) for key in page]
    return SearchPage(
        results=[result for result in results if result],
        # By the key, also where its row is left out because it has changed since: the next page begins after it.
        next_cursor=encode_search_cursor(SearchCursor(page[-1], total, more)) if len(keys) > limit else "",
        total=total,
        total_is_lower_bound=more,
    )


async def _words_page(index_lookup: IndexLookup, org_id: str, query: SearchQuery, limit: int) -> SearchPage:
    """Relevance descending, then as ``_substring_page``."""
    terms = parse(valid_text(text(query.query, "query")))
    if not 1 <= len(terms) <= MOST_TERMS:
        raise InvalidArgumentError(
            f"query: expected 1 … {MOST_TERMS} different words and phrases, got {len(terms)}", field="query"
        )
    counted = _counted_hits(query)
    cursor = decode_words_cursor(query.cursor) if query.cursor != "" else None
    parsed = _parse(org_id, terms, query)
    rows = await WordsSearch(index_lookup, parsed).ranked(cursor, count=limit + 1, in_session=bool(query.session_id))
    first = cursor or next(iter(rows), None)
    # Each row carries the total, as the first page found it.
    total = first.total if first else 0
    page = rows[:limit]
    shown = await _open_page(index_lookup.executor, parsed, [row.key for row in page])
    return SearchPage(
        results=[shown[row.key[1:]] for row in page if row.key[1:] in shown],
        next_cursor=encode_search_cursor(page[-1]) if len(rows) > limit else "",
        total=min(total, counted),
        total_is_lower_bound=total > counted,
    )


async def _open_page(
    executor: Executor, parsed: ParsedQuery, keys: list[SearchKey]
) -> dict[tuple[object, ...], SearchResult]:
    """The results by their keys without the moment: a session that got another start in between is still the same."""
    # Without the filters: they were asked a moment ago, and asking again takes longer than opening the rows. Never
    # without the organisation, which is in every statement.
    sessions = sql("org_id = {org_id}", org_id=parsed.org_id)
    rows = RowsToOpen(parsed.org_id, parsed.terms, sessions, parsed.tables, keys)
    return {key[1:]: result for key, result in (await open_rows(executor, rows)).items()}


def _parse(org_id: str, terms: tuple[Term, ...], query: SearchQuery) -> ParsedQuery:
    tables = searched_tables(text(query.role, "role"), text(query.tool_name, "tool_name"))
    filtered = any(getattr(query, name) for name in (*_FILTERS, "date_from", "date_to"))
    # What is copied is found in the session it was copied from; inside of one session it is found there.
    own = EVERYTHING if query.session_id else owned(sql("position"))
    return ParsedQuery(org_id, terms, _session_condition(org_id, query), tables, filtered, own)


def _session_condition(org_id: str, query: SearchQuery) -> Sql:
    sessions = session_conditions(
        org_id,
        equal={name: getattr(query, name) for name in _FILTERS},
        date_from=query.date_from,
        date_to=query.date_to,
    )
    if text(query.session_id, "session_id"):
        return sql("{sessions} AND id = {id}", sessions=sessions, id=query.session_id)
    return sessions


def _counted_hits(query: SearchQuery) -> int:
    count = query.counted_hits
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_COUNTED:
        raise InvalidArgumentError(f"counted_hits: expected 1 … {MOST_COUNTED:,}, got {count!r}", field="counted_hits")
    return count
