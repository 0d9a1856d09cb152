"""What a viewer puts on sessions and messages: stars and pins of their own, and whether a session is shown at all."""

from __future__ import annotations

import datetime as dt

from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.models import Message, MessagePin, SessionDelete, SessionStar
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer
from agentstore.web.marks import KnownMarks

LARGEST_ORDINAL = 2**32 - 1
_LONGEST_NOTE = 2000
_BEGINNING = 600


async def star(store: AsyncClickHouseStore, marks: KnownMarks, viewer: Viewer, id: str, *, on: bool) -> None:
    """Put the viewer's star on a session, or take it off. ``NotFoundError`` where there is no such session."""
    await store.get_session(viewer.org, id)
    if on:
        one = SessionStar(session_id=id, user_id=viewer.user, created_at=_now())
        await store.write_session_stars(viewer.org, [one])
    else:
        await store.remove_session_stars(viewer.org, [SessionStar(session_id=id, user_id=viewer.user)])
    marks.forget(viewer.org)


async def hide(store: AsyncClickHouseStore, marks: KnownMarks, viewer: Viewer, id: str, *, on: bool) -> None:
    """Take a session out of lists, searches and figures, for everybody, or show it again."""
    await store.get_session(viewer.org, id)
    if on:
        one = SessionDelete(session_id=id, user_id=viewer.user, created_at=_now())
        await store.write_session_deletes(viewer.org, [one])
    else:
        await store.remove_session_deletes(viewer.org, [SessionDelete(session_id=id)])
    marks.forget(viewer.org)


async def message_at(store: AsyncClickHouseStore, viewer: Viewer, id: str, at: int) -> Message:
    """A message with the beginning of its text, or ``NotFoundError``."""
    found = await store.session_window(viewer.org, id, first_ordinal=at, last_ordinal=at, max_characters=_BEGINNING)
    if not found.messages:
        raise NotFoundError(f"no message {at} in session {id!r}, organisation {viewer.org!r}")
    return found.messages[0]


async def pin(store: AsyncClickHouseStore, marks: KnownMarks, viewer: Viewer, id: str, at: int, note: str) -> Message:
    """Put the viewer's pin on a message, with this note in place of the one before; the message."""
    if len(note) > _LONGEST_NOTE:
        raise InvalidArgumentError(f"note: more than {_LONGEST_NOTE:,} characters", field="note")
    message = await message_at(store, viewer, id, at)
    one = MessagePin(session_id=id, message_ordinal=at, user_id=viewer.user, note=note, created_at=_now())
    await store.write_message_pins(viewer.org, [one])
    marks.forget(viewer.org)
    return message


async def unpin(store: AsyncClickHouseStore, marks: KnownMarks, viewer: Viewer, id: str, at: int) -> None:
    """Take the viewer's pin off. The message need not be there any more: then above all one wants to be rid of it."""
    await store.remove_message_pins(viewer.org, [MessagePin(session_id=id, message_ordinal=at, user_id=viewer.user)])
    marks.forget(viewer.org)


async def own_pin(store: AsyncClickHouseStore, viewer: Viewer, id: str, at: int) -> MessagePin | None:
    """The viewer's pin on a message."""
    pins = await store.list_message_pins(viewer.org, id)
    return next((one for one in pins if (one.message_ordinal, one.user_id) == (at, viewer.user)), None)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
