"""A session: the conversation, window by window."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from agentstore.faces.resuming import resume_command
from agentstore.models import MessageOutline, SearchPage, SearchQuery
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer
from agentstore.web.conversation import windows
from agentstore.web.conversation.telling import told
from agentstore.web.conversation.windows import Window
from agentstore.web.filters import needle
from agentstore.web.handling import Marked, Store, Text, Who
from agentstore.web.links import id_in, session_path, with_query
from agentstore.web.marking import LARGEST_ORDINAL
from agentstore.web.marks import KnownMarks
from agentstore.web.rendering import Find, finder, nothing, word_finder
from agentstore.web.templating import page

_HITS = 200
Ordinal = Annotated[int | None, QueryParameter(ge=0, le=LARGEST_ORDINAL)]
Micros = Annotated[int | None, QueryParameter(ge=-(2**62), le=2**62)]


@get("/sessions/{session_id:str}")
async def session(
    request: Request[Any, Any, Any],
    store: Store,
    marked: Marked,
    viewer: Who,
    session_id: FromPath[str],
    at: Ordinal = None,
    source: Text = "",
    t: Micros = None,
    before: Ordinal = None,
    after: Ordinal = None,
    q: Text = "",
    mode: Text = "substring",
) -> Response[str]:
    """The page, or with ``x-part: window`` the next messages for the page that is open."""
    id, q = id_in(session_id), needle(q)
    if request.headers.get("x-part") == "window":
        return await _part(request, store, marked, viewer, id, before, after, _find(q, mode))
    shown, outline, hits = await asyncio.gather(
        store.get_session(viewer.org, id),
        store.session_outline(viewer.org, id),
        _hits(store, viewer, id, q, mode),
    )
    if hits.results and at is None and before is None and after is None:
        at = hits.results[0].ordinal
    place = windows.find(outline, at, source, t) if at is not None else None
    window = _wanted(outline, place.ordinal if place else None, before, after)
    if place and place.state != "here" and not (source or t is not None):
        place = place._replace(state="gone")
    marks = await marked.of(viewer.org)
    messages = await told(store, viewer, shown, window, marks.pins.get(id, ()), _find(q, mode))
    return page(
        "session.html",
        request,
        session=shown,
        outline=outline,
        window=window,
        messages=messages,
        place=place,
        is_starred=(viewer.user, id) in marks.stars,
        is_hidden=id in marks.hidden,
        resume=resume_command(shown),
        is_elsewhere=shown.machine not in ("", request.app.state.settings.machine),
        prompts=[one.ordinal for one in outline if one.role == "user"],
        hits=hits,
        q=q,
        mode=mode,
        edges=_edges(id, q, mode),
        thread=False,
    )


async def _part(
    request: Request[Any, Any, Any],
    store: AsyncClickHouseStore,
    marked: KnownMarks,
    viewer: Viewer,
    id: str,
    before: int | None,
    after: int | None,
    find: Find,
) -> Response[str]:
    shown, outline, marks = await asyncio.gather(
        store.get_session(viewer.org, id), store.session_outline(viewer.org, id), marked.of(viewer.org)
    )
    window = _wanted(outline, None, before, after)
    messages = await told(store, viewer, shown, window, marks.pins.get(id, ()), find)
    return page(
        "session_window.html", request, session=shown, window=window, messages=messages, edges=_edges(id), thread=False
    )


def _wanted(outline: Sequence[MessageOutline], at: int | None, before: int | None, after: int | None) -> Window:
    if at is not None:
        return windows.around(outline, at)
    if before is not None:
        return windows.before(outline, before)
    return windows.first(outline) if after is None else windows.after(outline, after)


def _edges(id: str, q: str = "", mode: str = "") -> Any:
    """Makes the addresses of what is before and after a window."""
    kept = {"q": q, "mode": mode if mode == "words" else ""} if q else {}
    return lambda **where: with_query(session_path(id), {**kept, **where})


def _find(q: str, mode: str) -> Find:
    if not q.strip():
        return nothing
    return word_finder(q) if mode == "words" else finder(q)


async def _hits(store: AsyncClickHouseStore, viewer: Viewer, id: str, q: str, mode: str) -> SearchPage:
    """Where it is said in this session: so many at most, from its beginning on."""
    if not q.strip():
        return SearchPage()
    found = await store.search(
        viewer.org, SearchQuery(query=q, session_id=id, mode="words" if mode == "words" else "substring", limit=_HITS)
    )
    found.results.sort(key=lambda one: one.ordinal)
    return found
