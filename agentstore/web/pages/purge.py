"""Erasing a session for good: what it takes along is shown before, and what stays after it."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath

from agentstore.errors import WriteError
from agentstore.faces import safe
from agentstore.faces.erasing import Doomed, doomed_with
from agentstore.faces.titles import title_of
from agentstore.integrations.problems import lacks_right
from agentstore.models import Session
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer
from agentstore.web.handling import Marked, Store, Who
from agentstore.web.links import id_in
from agentstore.web.templating import page

# A browser waits about so long. What is not erased then is invisible already.
_SECONDS = 240.0
_MOST_FILES = 5
_LONGEST_NAME = 60


class Typed(msgspec.Struct):
    """What somebody has typed who wants it erased."""

    title: str = ""


@get("/sessions/{session_id:str}/purge")
async def purge(request: Request[Any, Any, Any], store: Store, viewer: Who, session_id: FromPath[str]) -> Response[str]:
    """What would be erased, and the field to confirm it in."""
    return _asked(request, await _doomed(store, viewer, id_in(session_id)))


@post("/sessions/{session_id:str}/purge")
async def erase(
    request: Request[Any, Any, Any],
    store: Store,
    marked: Marked,
    viewer: Who,
    session_id: FromPath[str],
    data: Annotated[Typed, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[str]:
    """Erases it where the right words were typed; else asks once more."""
    doomed = await _doomed(store, viewer, id_in(session_id))
    if _plain(data.title) != name_to_type(doomed.session):
        wrong = "Nothing is erased: that is not what stands above." if data.title.strip() else "Nothing is erased."
        return _asked(request, doomed, status=400, typed=data.title, wrong=wrong)
    id = doomed.session.id
    try:
        done = await store.purge_sessions(viewer.org, [id], timeout_seconds=_SECONDS)
    except WriteError as error:
        if not error.retriable:
            raise
        lacks = lacks_right(error)
        return page("purge_goes_on.html", request, status=403 if lacks else 504, id=id, lacks_right=lacks)
    finally:
        marked.forget(viewer.org)
    return page(
        "purged.html",
        request,
        doomed=doomed,
        until=done.inactive_parts_until,
        others=sorted(set(done.session_ids) - {id}),
        **_files(doomed),
    )


def name_to_type(session: Session) -> str:
    """What has to be typed: the beginning of the title as a page shows it; of a session without a title its id."""
    for text in (title_of(session), session.id):
        if name := _plain(text)[:_LONGEST_NAME].strip():
            return name
    return "erase"  # an id of spaces alone


def _plain(text: str) -> str:
    """On one line, with what nobody could type shown in letters. Equal texts are equal however they were composed."""
    return " ".join(safe.line(unicodedata.normalize("NFC", text)).split())


async def _doomed(store: AsyncClickHouseStore, viewer: Viewer, id: str) -> Doomed:
    return await doomed_with(store, viewer.org, await store.get_session(viewer.org, id))


def _asked(
    request: Request[Any, Any, Any], doomed: Doomed, *, status: int = 200, typed: str = "", wrong: str = ""
) -> Response[str]:
    name = name_to_type(doomed.session)
    return page(
        "purge.html", request, status=status, doomed=doomed, name=name, typed=typed, wrong=wrong, **_files(doomed)
    )


def _files(doomed: Doomed) -> dict[str, Any]:
    """The agent's own files, which nothing here touches: the first ones, and how many more."""
    return {"files": doomed.files[:_MOST_FILES], "more_files": max(0, len(doomed.files) - _MOST_FILES)}
