"""Search: where it was said, or what a tool was given and gave back."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import Any

from litestar import Request, Response, get

from agentstore.faces.titles import title_of
from agentstore.models import SearchPage, SearchQuery, SearchResult
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer
from agentstore.web.filters import SPANS, Asked, needle
from agentstore.web.handling import AskedFor, Choices_, Found, Store, Text, Who
from agentstore.web.links import SEARCH
from agentstore.web.templating import page
from agentstore.web.zones import zone_for

PAGE = 50
ROLES = (("user", "Prompts"), ("assistant", "Answers"), ("tool", "Tool calls"))
_LONGEST_TAB = 64


@dataclass
class Group:
    """The hits of one session. ``title`` is that of the session, which hits know only the first message of."""

    id: str
    title: str
    first: SearchResult
    hits: list[SearchResult] = field(default_factory=list)


@get(SEARCH)
async def search(
    request: Request[Any, Any, Any],
    store: Store,
    viewer: Who,
    choices: Choices_,
    searches: Found,
    asked: AskedFor,
    q: Text = "",
    mode: Text = "substring",
    role: Text = "",
    tool: Text = "",
    cursor: Text = "",
) -> Response[str]:
    """One page of hits, grouped by session."""
    mode = "words" if mode == "words" else "substring"
    # Nobody means "of the last 30 days" who looks for something they remember.
    if "since" not in request.query_params:
        asked = asked.changed(since="all")
    query = _query(request, asked, needle(q), mode, role, tool, cursor)
    began = time.monotonic()
    found = SearchPage()
    if q.strip():
        field = (viewer, request.headers["x-tab"][:_LONGEST_TAB]) if "x-tab" in request.headers else None
        found = await searches.run(request.receive, field, store.search(viewer.org, query))
    groups = await _grouped(store, viewer, found.results)
    template = "search_hits.html" if request.headers.get("x-part") == "hits" else "search.html"
    return page(
        template,
        request,
        asked=asked,
        choices=await choices.of(viewer.org),
        spans=SPANS,
        roles=ROLES,
        q=q,
        mode=mode,
        role=role,
        tool=tool,
        found=found,
        groups=groups,
        took=dt.timedelta(seconds=time.monotonic() - began),
        is_first=not cursor,
        # Without a span all time is meant here: what an address leaves out elsewhere has to stand in it.
        kept={
            **asked.in_address,
            "since": "" if asked.since == "all" else asked.since,
            "q": q,
            "mode": mode if mode == "words" else "",
            "role": role,
            "tool": tool,
        },
    )


def _query(
    request: Request[Any, Any, Any], asked: Asked, q: str, mode: str, role: str, tool: str, cursor: str
) -> SearchQuery:
    since, until = asked.span(zone_for(request))
    return SearchQuery(
        query=q,
        mode=mode,
        role=role,
        tool_name=tool,
        project_id=asked.project,
        user_id=asked.user,
        agent_type=asked.agent,
        date_from=since,
        date_to=until,
        cursor=cursor,
        limit=PAGE,
    )


async def _grouped(store: AsyncClickHouseStore, viewer: Viewer, hits: list[SearchResult]) -> list[Group]:
    """Hits of one session together, where the first of them is; with the title that the session has."""
    ids = list(dict.fromkeys(hit.session_id for hit in hits))
    titles = {one.id: title_of(one) for one in await store.get_sessions(viewer.org, ids)} if ids else {}
    groups: dict[str, Group] = {}
    for hit in hits:
        id = hit.session_id
        title = titles.get(id) or hit.first_message.strip().partition("\n")[0]
        groups.setdefault(id, Group(id, title, hit)).hits.append(hit)
    return list(groups.values())
