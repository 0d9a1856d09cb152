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


def _parse_dates(record: SessionFilter | SearchQuery) -> None:
    """Turn ISO text into what it spells, so that a filter that went through JSON equals the original.

    Other text is kept, and refused with ``InvalidArgumentError`` by the method that is given it.
    """
    for name in ("date_from", "date_to"):
        value = getattr(record, name)
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
    """What ``list_sessions`` returns: exact matches combined with AND; "" matches everything.

    ``date_from`` and ``date_to`` (on ``started_at``) take a ``date``, a zone-aware ``datetime`` or ISO text; a date
    means that whole day in UTC, both ends included.
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

    def __post_init__(self) -> None:
        _parse_dates(self)


class SearchQuery(Record, frozen=True):
    """What ``search`` looks for, within the filters of ``SessionFilter``, or in one session (``session_id``).

    ``role`` "tool": tool calls; another: messages of that role. ``tool_name``: calls of that tool. Mode "substring":
    rows that hold the query in any case, the latest session first; "words": all its words and "phrases in quotes".
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

    def __post_init__(self) -> None:
        _parse_dates(self)
