"""``search``: where something was said or done, as handles."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from agentstore.errors import InvalidArgumentError
from agentstore.faces.money import count
from agentstore.faces.times import moment
from agentstore.mcp.asking import Search, limited
from agentstore.mcp.handles import of_message, parsed, version_at
from agentstore.mcp.quoting import ABOUT, Quotation, answer, around, cut
from agentstore.mcp.scope import dates, scope_of

if TYPE_CHECKING:
    from agentstore import SearchPage, SearchResult
    from agentstore.mcp.holding import Holder
    from agentstore.mcp.scope import Scope

_SNIPPET = 140
_TITLE = 60
UTC = ZoneInfo("UTC")


async def search(holder: Holder, asked: Search) -> str:
    """The hits, a handle and a line of each."""
    from agentstore import SearchQuery

    if not asked.query.strip():
        raise InvalidArgumentError("query: there is nothing to search for", field="query")
    store = await holder.store()
    handle = parsed(asked.session) if asked.session else None
    if asked.session and handle is None:
        raise InvalidArgumentError("session: that is no handle", field="session")
    scope = await scope_of(holder, store, "*" if handle else asked.project)
    page = await store.search(
        holder.org,
        SearchQuery(
            query=asked.query,
            mode="words" if asked.words else "substring",
            role=asked.role,
            tool_name=asked.tool,
            session_id=handle.session_id if handle else "",
            limit=limited(asked.limit, "limit", 1, 50),
            cursor=asked.cursor,
            **dates(holder, asked.since, asked.until),
            **scope.fields,
        ),
    )
    if not page.results:
        other = "" if asked.words else " words=true finds words in any order."
        return f"Nothing found in {scope.name}.{other}{scope.widening}"
    return _told(page, scope)


def _told(page: SearchPage, scope: Scope) -> str:
    quotation = Quotation()
    last = ""
    for hit in page.results:
        when = moment(hit.started_at, UTC)
        handle = of_message(hit.session_id, hit.ordinal, version_at(hit.session_id, hit.ordinal, hit))
        quotation.own(f"{handle} {when} {hit.role}")
        if hit.session_id != last:
            project = f"{hit.project_name}: " if not scope.fields else ""
            quotation.quoted_line(f"[{project}{cut(hit.first_message.strip().partition(chr(10))[0], _TITLE)}]")
        quotation.quoted_line(_snippet(hit))
        last = hit.session_id
    least = "at least " if page.total_is_lower_bound else ""
    shown = f"{len(page.results)} of {least}{count(page.total)} hits in {scope.name}; session start, UTC. {ABOUT}"
    more = f'More: cursor="{page.next_cursor}".' if page.next_cursor else ""
    return answer(shown, quotation, f"{more}{scope.widening}".strip())


def _snippet(hit: SearchResult) -> str:
    start = hit.highlights[0].start if hit.highlights else 0
    return around(hit.snippet, start, _SNIPPET)
