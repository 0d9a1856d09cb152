"""What a viewer puts on sessions. Put again, or taken away where there is none, it is as it should be."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar.params import JSONBody, PathParameter

from agentstore.models import MessagePin, SessionStar
from agentstore.web import marking
from agentstore.web.api.handlers import deletes, puts, reads_one
from agentstore.web.api.parameters import Id
from agentstore.web.handling import Marked, Store, Who

Ordinal = Annotated[int, PathParameter(ge=0, le=marking.LARGEST_ORDINAL)]


class PinNote(msgspec.Struct):
    """What to remember of a message."""

    note: str = ""


@reads_one("/sessions/{session_id:str}/stars", tags=["marks"])
async def list_session_stars(store: Store, viewer: Who, id: Id) -> list[SessionStar]:
    """The stars on a session, of all users."""
    return await store.list_session_stars(viewer.org, (await store.get_session(viewer.org, id)).id)


@puts("/sessions/{session_id:str}/star", tags=["marks"])
async def put_star(store: Store, marked: Marked, viewer: Who, id: Id) -> None:
    """Put one's own star on a session."""
    await marking.star(store, marked, viewer, id, on=True)


@deletes("/sessions/{session_id:str}/star", tags=["marks"])
async def delete_star(store: Store, marked: Marked, viewer: Who, id: Id) -> None:
    """Take one's own star off."""
    await marking.star(store, marked, viewer, id, on=False)


@puts("/sessions/{session_id:str}/hide", tags=["marks"])
async def put_hide(store: Store, marked: Marked, viewer: Who, id: Id) -> None:
    """Hide a session from lists, searches and statistics, for everybody."""
    await marking.hide(store, marked, viewer, id, on=True)


@deletes("/sessions/{session_id:str}/hide", tags=["marks"])
async def delete_hide(store: Store, marked: Marked, viewer: Who, id: Id) -> None:
    """Show a hidden session again."""
    await marking.hide(store, marked, viewer, id, on=False)


@reads_one("/sessions/{session_id:str}/pins", tags=["marks"])
async def list_message_pins(store: Store, viewer: Who, id: Id) -> list[MessagePin]:
    """The pins on the messages of a session, of all users."""
    return await store.list_message_pins(viewer.org, (await store.get_session(viewer.org, id)).id)


@puts("/sessions/{session_id:str}/pins/{ordinal:int}", tags=["marks"])
async def put_pin(
    store: Store, marked: Marked, viewer: Who, id: Id, ordinal: Ordinal, data: JSONBody[PinNote | None] = None
) -> None:
    """Put one's own pin on a message, with a note in place of the one before."""
    await marking.pin(store, marked, viewer, id, ordinal, data.note if data else "")


@deletes("/sessions/{session_id:str}/pins/{ordinal:int}", tags=["marks"])
async def delete_pin(store: Store, marked: Marked, viewer: Who, id: Id, ordinal: Ordinal) -> None:
    """Take one's own pin off."""
    await marking.unpin(store, marked, viewer, id, ordinal)
