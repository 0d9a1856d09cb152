"""Sessions: the list that one opens on."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request, Response, get
from litestar.response import Redirect

from agentstore.models import Session, SessionPage
from agentstore.web.access.viewer import Viewer
from agentstore.web.filters import SPANS
from agentstore.web.handling import AskedFor, Choices_, Lists, Marked, Text, Who
from agentstore.web.links import SESSIONS
from agentstore.web.listing import ListKey
from agentstore.web.marks import Marks
from agentstore.web.templating import page
from agentstore.web.zones import zone_for

# Of so many children of one session the rest is behind a link.
_MOST_CHILDREN = 20


@dataclass(frozen=True)
class Row:
    """A session with those that came out of it."""

    session: Session
    is_starred: bool = False
    children: list[Session] = field(default_factory=list)
    more_children: int = 0

    @property
    def are_subagents(self) -> bool:
        """Whether all that are shown below it are."""
        return all(child.relationship_type == "subagent" for child in self.children)


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
    request: Request[Any, Any, Any],
    lists: Lists,
    marked: Marked,
    viewer: Who,
    choices: Choices_,
    asked: AskedFor,
    cursor: Text = "",
) -> Response[str]:
    """One page of the list, from where the cursor is."""
    zone = zone_for(request)
    key = ListKey(viewer.org, asked, zone, viewer.user if asked.starred else "", cursor)
    (found, children), known, marks = await asyncio.gather(lists.of(key), choices.of(viewer.org), marked.of(viewer.org))
    days = by_day(rows_of(marks, viewer, found.sessions, children), zone)
    # What a script puts into the page that is open already: only the list, without what is around it.
    template = "sessions_list.html" if request.headers.get("x-part") == "list" else "sessions.html"
    return page(
        template, request, asked=asked, choices=known, spans=SPANS, days=days, cursor=cursor, **_counts(found, days)
    )


def _counts(found: SessionPage, days: Sequence[Day]) -> dict[str, Any]:
    return {"total": found.total, "next_cursor": found.next_cursor, "shown": sum(len(day.rows) for day in days)}


def rows_of(marks: Marks, viewer: Viewer, sessions: Sequence[Session], children: Sequence[Session]) -> list[Row]:
    """Each with its children. What came out of another one in the list stands below that one only."""
    ids = [session.id for session in sessions]
    roots = _roots(ids, {child.id: child.parent_session_id for child in children})
    below: dict[str, list[Session]] = {}
    for child in children:
        if (root := roots.get(child.id, child.parent_session_id)) != child.id:
            below.setdefault(root, []).append(child)
    return [
        Row(
            session,
            (viewer.user, session.id) in marks.stars,
            below.get(session.id, [])[:_MOST_CHILDREN],
            max(0, len(below.get(session.id, [])) - _MOST_CHILDREN),
        )
        for session in sessions
        if roots[session.id] == session.id
    ]


def _roots(ids: Sequence[str], parents: Mapping[str, str]) -> dict[str, str]:
    """Of each session in the list and of each child the one in the list below which it stands; itself where that is
    none. What says that it came out of itself, by however many others, stands by itself: nothing is lost."""
    listed = set(ids)
    roots = {}
    for id in [*ids, *parents]:
        root, seen = id, {id}
        while (parent := parents.get(root, "")) and (parent in listed or parent in parents):
            if parent in seen:
                root = id
                break
            seen.add(parent)
            root = parent
        roots[id] = root
    return roots


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
