"""A session as Markdown: for a note, an issue or another agent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from agentstore.errors import NotFoundError
from agentstore.faces import markdown, safe, telling
from agentstore.faces.titles import title_of
from agentstore.models import GitLink, Session
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer
from agentstore.web.handling import Store, Who
from agentstore.web.links import id_in
from agentstore.web.marking import LARGEST_ORDINAL
from agentstore.web.rendering import in_thread
from agentstore.web.zones import zone_for

MEDIA_TYPE = "text/markdown"
_AT_ONCE = 64 * 1024
_LONGEST_NAME = 60
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
Ordinal = Annotated[int | None, QueryParameter(ge=0, le=LARGEST_ORDINAL)]


class Lines:
    """Lines that wait to be sent, each safe as on the command line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def line(self, *cells: str) -> None:
        """One more."""
        text = safe.line("".join(cells)).rstrip(" ") + "\n"
        self._lines.append(text)
        self._size += len(text)

    def taken(self, least: int = 0) -> Iterable[str]:
        """All of them as one text, where they are so many characters."""
        if self._lines and self._size >= least:
            yield "".join(self._lines)
            self._lines, self._size = [], 0


@get("/sessions/{session_id:str}/markdown")
async def as_markdown(
    request: Request[Any, Any, Any],
    store: Store,
    viewer: Who,
    session_id: FromPath[str],
    at: Ordinal = None,
    tools: FromQuery[bool] = False,
    thinking: FromQuery[bool] = False,
    full: FromQuery[bool] = False,
) -> Response[Any]:
    """The whole session while it is read, or one message; ``tools``, ``thinking``, ``full`` as on the command line."""
    session = await store.get_session(viewer.org, id_in(session_id))
    links = await store.get_session_git_links(viewer.org, session.id)
    detail = telling.Detail(tools=tools, thinking=thinking, lines=0 if full else telling.Detail.lines)
    zone = zone_for(request)
    if at is not None:
        return Response(await _message(store, viewer, session, links, at, zone, detail), media_type=MEDIA_TYPE)
    return Stream(
        _whole(store, viewer, session, links, zone, detail),
        media_type=MEDIA_TYPE,
        headers={"content-disposition": _attached(session)},
    )


async def _whole(
    store: AsyncClickHouseStore,
    viewer: Viewer,
    session: Session,
    links: list[GitLink],
    zone: ZoneInfo,
    detail: telling.Detail,
) -> AsyncIterator[str]:
    out, spent = Lines(), telling.Spent()
    markdown.write_head(out, zone, session, links)
    async with aclosing(telling.told(store, viewer.org, session, links, tools=detail.tools)) as messages:
        async for one in messages:
            spent.add(one.message)
            await _written(out, zone, one, detail)
            for text in out.taken(_AT_ONCE):
                yield text
    markdown.write_foot(out, spent, await telling.cost_of(store, viewer.org, session))
    for text in out.taken():
        yield text


async def _message(
    store: AsyncClickHouseStore,
    viewer: Viewer,
    session: Session,
    links: list[GitLink],
    at: int,
    zone: ZoneInfo,
    detail: telling.Detail,
) -> str:
    """One message with its calls: where there is nothing else in it they are what one wants."""
    found = await store.session_window(viewer.org, session.id, first_ordinal=at, last_ordinal=at, max_characters=None)
    if not found.messages:
        raise NotFoundError(f"no message {at} in session {session.id!r}, organisation {viewer.org!r}")
    pins = [one.note for one in await store.list_message_pins(viewer.org, session.id) if one.message_ordinal == at]
    made = [one for one in links if one.message_ordinal == at]
    out = Lines()
    await _written(out, zone, telling.Told(found.messages[0], found.tool_calls, pins, made), detail)
    return "".join(out.taken()).lstrip("\n")


async def _written(out: Lines, zone: ZoneInfo, told: telling.Told, detail: telling.Detail) -> None:
    """Beside the event loop where there is much to it: some seconds for ten megabytes."""
    size = len(told.message.content) + sum(len(one.input_json) + len(one.result_content) for one in told.calls)
    await in_thread(size, lambda: markdown.write_message(out, zone, told, detail))


def _attached(session: Session) -> str:
    """The name of a file that any system takes, twice: in ASCII, and as it is."""
    name = _NOT_IN_NAMES.sub("-", title_of(session)[: 4 * _LONGEST_NAME])[:_LONGEST_NAME].strip("-._") or "session"
    plain = name.encode("ascii", "ignore").decode().strip("-._") or "session"
    return f"attachment; filename=\"{plain}.md\"; filename*=UTF-8''{quote(name, safe='')}.md"
