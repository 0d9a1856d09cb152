"""Stars, pins, hiding: small forms that work without a script, and pages to go with them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, QueryParameter
from litestar.response import Redirect

from agentstore.errors import NotFoundError
from agentstore.web import marking
from agentstore.web.handling import Marked, Store, Who
from agentstore.web.links import id_in, message_path, session_path
from agentstore.web.templating import page

At = Annotated[int, QueryParameter(ge=0, le=marking.LARGEST_ORDINAL)]


class Tick(msgspec.Struct):
    """A form that sets something, or with an empty ``on`` takes it away."""

    on: str = ""


class Note(msgspec.Struct):
    """The form of a pin. ``off``: the button that takes it off."""

    note: str = ""
    off: str = ""


TickForm = Annotated[Tick, Body(media_type=RequestEncodingType.URL_ENCODED)]
NoteForm = Annotated[Note, Body(media_type=RequestEncodingType.URL_ENCODED)]


@post("/sessions/{session_id:str}/star")
async def star(
    request: Request[Any, Any, Any],
    store: Store,
    marked: Marked,
    viewer: Who,
    session_id: FromPath[str],
    data: TickForm,
) -> Response[Any]:
    """The viewer's star on a session, or none."""
    id = id_in(session_id)
    await marking.star(store, marked, viewer, id, on=bool(data.on))
    return _done(request, session_path(id))


@post("/sessions/{session_id:str}/hide")
async def hide(
    request: Request[Any, Any, Any],
    store: Store,
    marked: Marked,
    viewer: Who,
    session_id: FromPath[str],
    data: TickForm,
) -> Response[Any]:
    """Whether lists, searches and figures leave a session out."""
    id = id_in(session_id)
    await marking.hide(store, marked, viewer, id, on=bool(data.on))
    return _done(request, session_path(id))


@get("/sessions/{session_id:str}/pin")
async def pin(
    request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str], at: At
) -> Response[str]:
    """The form of a pin."""
    id = id_in(session_id)
    own = await marking.own_pin(store, viewer, id, at)
    try:
        message = await marking.message_at(store, viewer, id, at)
    except NotFoundError:
        if own is None:
            raise
        message = None  # gone since it was pinned: the pin can still be taken off
    return page("pin.html", request, id=id, at=at, message=message, own=own)


@post("/sessions/{session_id:str}/pin")
async def put_pin(
    request: Request[Any, Any, Any],
    store: Store,
    marked: Marked,
    viewer: Who,
    session_id: FromPath[str],
    at: At,
    data: NoteForm,
) -> Response[Any]:
    """Pins it with the note, or takes the pin off."""
    id = id_in(session_id)
    if data.off:
        await marking.unpin(store, marked, viewer, id, at)
        return _done(request, message_path(id, at))
    message = await marking.pin(store, marked, viewer, id, at, data.note.strip())
    return _done(request, message_path(id, at, message.source_id, message.timestamp))


def _done(request: Request[Any, Any, Any], goes_to: str) -> Response[Any]:
    """A script knows where it is; a browser is sent back."""
    if request.headers.get("x-part"):
        return Response(None, status_code=204)
    return Redirect(goes_to, status_code=303)
