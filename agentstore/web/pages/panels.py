"""What stands beside a conversation, each asked for by itself: a slow one holds up none of the others."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import unquote

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from agentstore.errors import InvalidArgumentError
from agentstore.faces.money import dollars
from agentstore.models import CostRow
from agentstore.web.conversation import windows
from agentstore.web.conversation.telling import told
from agentstore.web.handling import Costs_, Store, Who
from agentstore.web.links import session_path
from agentstore.web.templating import page, render

_MOST_COSTS = 200
_PROMPT = 300
Ids = Annotated[list[str] | None, QueryParameter()]


@get("/sessions/costs")
async def costs(costing: Costs_, viewer: Who, id: Ids = None) -> dict[str, str]:
    """What sessions cost with their subagents, at API prices, as a list shows it; without those that cost nothing."""
    ids = id or []
    if len(ids) > _MOST_COSTS:
        raise InvalidArgumentError(f"id: more than {_MOST_COSTS} sessions", field="id")
    found = await costing.of(viewer.org, ids)
    return {id: shown_cost(row) for id, row in found.items() if shown_cost(row)}


def shown_cost(row: CostRow) -> str:
    """Dollars, with a sign where something has no price."""
    amount = dollars(row.cost_nanodollars) if row.cost_nanodollars else ""
    return f"{amount} + ?".strip() if row.unpriced_tokens else amount


@get("/sessions/{session_id:str}/spent")
async def spent(
    request: Request[Any, Any, Any], store: Store, costing: Costs_, viewer: Who, session_id: FromPath[str]
) -> Response[str]:
    """Tokens and money of a session, its own and with its subagents."""
    id = unquote(session_id)
    whole, children = await asyncio.gather(costing.of(viewer.org, [id]), store.list_children(viewer.org, [id]))
    # Without subagents both are the same, and what is a subagent itself has no row in the first.
    is_alone = id in whole and not any(one.relationship_type == "subagent" for one in children)
    own = whole if is_alone else await costing.of(viewer.org, [id], own=True)
    return _part_or_page(
        request,
        "session_spent.html",
        id,
        "What it took",
        own=own.get(id),
        whole=whole.get(id),
    )


@get("/sessions/{session_id:str}/prompts")
async def prompts(
    request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]
) -> Response[str]:
    """What people have said in it, a line each."""
    id = unquote(session_id)
    found = await store.session_prompts(viewer.org, id, max_characters=_PROMPT)
    return _part_or_page(request, "session_prompts.html", id, "Prompts", prompts=found)


@get("/sessions/{session_id:str}/files")
async def files(request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]) -> Response[str]:
    """What it did with which files, those it changed first."""
    id = unquote(session_id)
    found = await store.session_files(viewer.org, id)
    found.sort(key=lambda one: (set(one.operations) <= {"read"}, one.path))
    return _part_or_page(request, "session_files.html", id, "Files", files=found)


@get("/sessions/{session_id:str}/links")
async def links(request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]) -> Response[str]:
    """Commits and pull requests that were made in it."""
    id = unquote(session_id)
    found = await store.get_session_git_links(viewer.org, id)
    return _part_or_page(request, "session_links.html", id, "Commits and pull requests", links=found)


@get("/sessions/{session_id:str}/thread")
async def thread(
    request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]
) -> Response[str]:
    """How a subagent's conversation begins, to be opened inside of another one."""
    id = unquote(session_id)
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
