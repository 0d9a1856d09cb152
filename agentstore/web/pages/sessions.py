"""Sessions: the list that one opens on."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request, Response, get
from litestar.response import Redirect

from agentstore.models import Session, SessionPage
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer
from agentstore.web.filters import SPANS
from agentstore.web.handling import AskedFor, Choices_, Store, Text, Who
from agentstore.web.links import SESSIONS
from agentstore.web.templating import page
from agentstore.web.zones import zone_for

PAGE = 50
# Of so many children of one session the rest is behind a link.
_MOST_CHILDREN = 20


@dataclass(frozen=True)
class Row:
    """A session with those that came out of it."""

    session: Session
    is_starred: bool = False
    children: list[Session] = field(default_factory=list)
    more_children: int = 0


@dataclass(frozen=True)
class Day:
    """The rows of one day, as it is in the viewer's zone."""

    date: dt.date | None
    rows: list[Row]


@get("/")
async def home() -> Redirect:
    """The first page is the list."""
    return Redirect(SESSIONS)


@get(SESSIONS)
async def sessions(
    request: Request[Any, Any, Any], store: Store, viewer: Who, choices: Choices_, asked: AskedFor, cursor: Text = ""
) -> Response[str]:
    """One page of the list, from where the cursor is."""
    zone = zone_for(request)
    found, known = await asyncio.gather(
        store.list_sessions(viewer.org, asked.session_filter(zone, viewer.user, cursor=cursor, limit=PAGE)),
        choices.of(viewer.org),
    )
    days = by_day(await rows_of(store, viewer, found.sessions, nested=not asked.parent), zone)
    # What a script puts into the page that is open already: only the list, without what is around it.
    template = "sessions_list.html" if request.headers.get("x-part") == "list" else "sessions.html"
    return page(
        template, request, asked=asked, choices=known, spans=SPANS, days=days, cursor=cursor, **_counts(found, days)
    )


def _counts(found: SessionPage, days: Sequence[Day]) -> dict[str, Any]:
    return {"total": found.total, "next_cursor": found.next_cursor, "shown": sum(len(day.rows) for day in days)}


async def rows_of(
    store: AsyncClickHouseStore, viewer: Viewer, sessions: Sequence[Session], *, nested: bool = True
) -> list[Row]:
    """Each with its children. What is the child of another one in the list stands below that one only."""
    ids = [session.id for session in sessions]
    children, stars = await asyncio.gather(
        store.list_children(viewer.org, ids) if nested and ids else _none(), store.list_session_stars(viewer.org)
    )
    starred = {star.session_id for star in stars if star.user_id == viewer.user}
    below: dict[str, list[Session]] = {}
    for child in children:
        below.setdefault(child.parent_session_id, []).append(child)
    inside = {child.id for child in children}
    return [
        Row(
            session,
            session.id in starred,
            below.get(session.id, [])[:_MOST_CHILDREN],
            max(0, len(below.get(session.id, [])) - _MOST_CHILDREN),
        )
        for session in sessions
        if session.id not in inside
    ]


async def _none() -> list[Session]:
    return []


def by_day(rows: Sequence[Row], zone: ZoneInfo) -> list[Day]:
    """The rows in their order, those of one day together."""
    days: list[Day] = []
    for row in rows:
        started = row.session.started_at
        date = started.astimezone(zone).date() if started else None
        if not days or days[-1].date != date:
            days.append(Day(date, []))
        days[-1].rows.append(row)
    return days
