"""Records that say what is asked for."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any

import msgspec

from agentstore.models.record import Record

DateLike = dt.date | dt.datetime | str | None

# msgspec allows one str-like type in a union, and `DateLike` has three: the fields are typed for people here and are
# checked where they are used, with an error that names the field.
_Date = Any
_DATES = ("date_from", "date_to", "active_from", "active_to")


def _parse_dates(record: SessionFilter | SearchQuery) -> None:
    """Turn ISO text into what it spells, so that a filter that went through JSON equals the original.

    Other text is kept, and refused with ``InvalidArgumentError`` by the method that is given it.
    """
    for name in _DATES:
        value = getattr(record, name, None)
        if isinstance(value, str):
            msgspec.structs.force_setattr(record, name, parse_iso(value))


def parse_iso(text: str) -> dt.date | dt.datetime | str:
    """The date or datetime that ISO text spells; other text as it is."""
    for parse in (dt.date.fromisoformat, dt.datetime.fromisoformat):
        # Text that spells no date is kept: only the method it is given to knows how to refuse it.
        with contextlib.suppress(ValueError):
            return parse(text)
    return text


class SessionFilter(Record, frozen=True):
    """What ``list_sessions`` returns: all conditions hold; the default of each matches everything.

    Texts match exactly, but for ``id_prefix`` (what the id begins with) and ``title`` (text within ``display_name`` or
    ``first_message``, in any case, folded as a search folds it). No character in them means anything but itself.
    ``starred_by`` is a user's id. ``with_commits``: only sessions with a git link. ``parent_session_id`` finds
    continuations and forks; subagents too with ``include_subagents``. ``tool_name`` and ``model``: a call of this tool,
    a response of this model, in the session or in its subagents; what a fork or a resume copied is the other session's.

    Dates are a ``date``, a zone-aware ``datetime`` or ISO text; a date means that whole day in ``tz``, both ends
    included. ``weekday`` (1 = Monday … 7 = Sunday, 0 any) and ``hour`` (0 … 23, None any) are those of ``started_at``
    in ``tz``, as in a heatmap.
    ``date_from`` and ``date_to`` are about ``started_at``. ``active_from`` and ``active_to``: the time from
    ``started_at`` to ``ended_at`` has a moment in that span. Without ``ended_at``, or with one that is before it, a
    session is the moment of its start; without ``started_at`` it does not match.
    """

    user_id: str = ""
    project_id: str = ""
    project_name: str = ""
    agent_type: str = ""
    date_from: _Date = None
    date_to: _Date = None
    cursor: str = ""
    limit: int = 50
    include_subagents: bool = False
    include_deleted: bool = False
    id_prefix: str = ""
    parent_session_id: str = ""
    title: str = ""
    git_branch: str = ""
    starred_by: str = ""
    with_commits: bool = False
    project_path: str = ""
    active_from: _Date = None
    active_to: _Date = None
    tz: str = "UTC"
    weekday: int = 0
    hour: int | None = None
    tool_name: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        _parse_dates(self)


class SearchQuery(Record, frozen=True):
    """What ``search`` looks for, in the sessions that match these filters (see ``SessionFilter``), or in one session.

    ``role`` "tool": tool calls; another: messages of that role. ``tool_name``: calls of that tool. Mode "substring":
    rows that hold the query in any case, the latest session first; "words": all its words and "phrases in quotes".
    The first page counts hits up to ``counted_hits`` (1 … 1000), and the others say what it counted: where there are
    many, fewer are quicker.
    """

    query: str
    user_id: str = ""
    project_id: str = ""
    project_name: str = ""
    agent_type: str = ""
    session_id: str = ""
    date_from: _Date = None
    date_to: _Date = None
    cursor: str = ""
    limit: int = 50
    mode: str = "substring"
    role: str = ""
    tool_name: str = ""
    counted_hits: int = 1000

    def __post_init__(self) -> None:
        _parse_dates(self)
