"""What stands beside a conversation, each asked for by itself: a slow one holds up none of the others."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from agentstore.errors import InvalidArgumentError
from agentstore.web.conversation import windows
from agentstore.web.conversation.telling import told
from agentstore.web.handling import Spending, Store, Who
from agentstore.web.links import id_in, session_path
from agentstore.web.spending import shown
from agentstore.web.templating import page, render
from agentstore.web.there import of_session

_MOST_COSTS = 200
_PROMPT = 300
_MOST_PROMPTS = 500
Ids = Annotated[list[str] | None, QueryParameter()]


@get("/costs")
async def costs(spending: Spending, viewer: Who, id: Ids = None) -> dict[str, str]:
    """What sessions cost with their subagents, at API prices, as a list shows it; at most a minute old."""
    ids = id or []
    if len(ids) > _MOST_COSTS:
        raise InvalidArgumentError(f"id: more than {_MOST_COSTS} sessions", field="id")
    found = await spending.of(viewer.org, ids)
    return {id: text for id, one in found.items() if (text := shown(one.row))}


@get("/sessions/{session_id:str}/spent")
async def spent(
    request: Request[Any, Any, Any], store: Store, spending: Spending, viewer: Who, session_id: FromPath[str]
) -> Response[str]:
    """Tokens and money of a session, its own and with its subagents."""
    id = id_in(session_id)
    found, below = await asyncio.gather(spending.of(viewer.org, [id]), store.list_children(viewer.org, [id]))
    own = whole = found[id]
    if whole.row is None and not below:
        await store.get_session(viewer.org, id)
    # Where there are no subagents both are the same: a question less.
    if whole.row is None or any(one.relationship_type == "subagent" for one in below):
        own = (await spending.of(viewer.org, [id], own=True))[id]
    return _part_or_page(
        request,
        "session_spent.html",
        id,
        "What it took",
        # A subagent has no row with others': what it costs is its root's there.
        own=own.row,
        whole=whole.row or own.row,
        prices_date=whole.prices_date,
    )


@get("/sessions/{session_id:str}/prompts")
async def prompts(
    request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]
) -> Response[str]:
    """What people have said in it, a line each: of very many the latest."""
    id = id_in(session_id)
    found = await of_session(store, viewer.org, id, store.session_prompts(viewer.org, id, max_characters=_PROMPT))
    left_out = max(0, len(found) - _MOST_PROMPTS)
    return _part_or_page(request, "session_prompts.html", id, "Prompts", prompts=found[left_out:], left_out=left_out)


@get("/sessions/{session_id:str}/files")
async def files(request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]) -> Response[str]:
    """What it did with which files, those it changed first."""
    id = id_in(session_id)
    found = await of_session(store, viewer.org, id, store.session_files(viewer.org, id))
    found.sort(key=lambda one: (set(one.operations) <= {"read"}, one.path))
    return _part_or_page(request, "session_files.html", id, "Files", files=found)


@get("/sessions/{session_id:str}/children")
async def children(
    request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]
) -> Response[str]:
    """Subagents, continuations and forks of it."""
    id = id_in(session_id)
    found = await of_session(store, viewer.org, id, store.list_children(viewer.org, [id]))
    return _part_or_page(request, "session_children.html", id, "Subagents and continuations", children=found)


@get("/sessions/{session_id:str}/links")
async def links(request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]) -> Response[str]:
    """Commits and pull requests that were made in it."""
    id = id_in(session_id)
    found = await of_session(store, viewer.org, id, store.get_session_git_links(viewer.org, id))
    return _part_or_page(request, "session_links.html", id, "Commits and pull requests", links=found)


@get("/sessions/{session_id:str}/thread")
async def thread(
    request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]
) -> Response[str]:
    """How a subagent's conversation begins, to be opened inside of another one."""
    id = id_in(session_id)
    session, outline = await asyncio.gather(store.get_session(viewer.org, id), store.session_outline(viewer.org, id))
    window = windows.first(outline)
    messages = await told(store, viewer, session, window)
    return page(
        "session_window.html",
        request,
        session=session,
        window=window,
        messages=messages,
        edges=lambda **where: f"{session_path(id)}?after={where.get('after', where.get('before'))}",
        thread=True,
    )


def _part_or_page(request: Request[Any, Any, Any], template: str, id: str, title: str, **values: Any) -> Response[str]:
    """For a script the part alone; a browser without one has followed a link, and gets a page around it."""
    html = render(template, request, id=id, **values)
    if request.headers.get("x-part"):
        return Response(html, media_type="text/html")
    return page("panel.html", request, id=id, title=title, html=html)
