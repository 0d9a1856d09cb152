"""The records of the store. Field names are also the JSON names and the column names.

All Structs are frozen; every field has the default a caller may rely on. Times are timezone-aware
``datetime`` in UTC with microseconds, absent times are ``None``. Every Struct round-trips through ``msgspec.json`` and
``msgspec.msgpack``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any, Literal

import msgspec

RelationshipType = Literal["", "continuation", "subagent", "fork"]
LinkType = Literal["commit", "pr"]
Confidence = Literal["high", "medium"]
DateLike = dt.date | dt.datetime | str | None

# msgspec allows one str-like type in a union, and `DateLike` has three: the fields are typed for people here and are
# checked where they are used, with an error that names the field.
_Date = Any


class Record(msgspec.Struct, frozen=True):
    """Base of all records: frozen and compared by value.

    Build them by keyword: the order of the fields is not promised. They are not ``kw_only`` because reads build
    thousands at a time, and ``map(Message, *columns)`` takes a fifth of the time of a call with keywords (2.7 against
    13 ms for 10,000 messages).
    """


# --- written and read ------------------------------------------------------------------------------------------


class Session(Record, frozen=True):
    """One conversation with an agent. ``commit_count`` is derived on read and ignored on write."""

    id: str
    org_id: str = ""
    user_id: str = ""
    user_name: str = ""
    project_id: str = ""
    project_name: str = ""
    project_path: str = ""
    machine: str = ""
    agent_type: str = ""
    first_message: str = ""
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    message_count: int = 0
    user_message_count: int = 0
    parent_session_id: str = ""
    relationship_type: str = ""
    source_created_at: str = ""
    display_name: str = ""
    git_branch: str = ""
    total_output_tokens: int = 0
    peak_context_tokens: int = 0
    commit_count: int = 0


class Message(Record, frozen=True):
    """One message of a session; its key is (session_id, ordinal).

    ``token_usage`` is the source's usage object as JSON text; ``context_tokens`` = input + cache_read + cache_write.
    ``source_id`` is the agent's own id of the API response: what tokens are counted once by.
    """

    ordinal: int
    org_id: str = ""
    session_id: str = ""
    role: str = ""
    content: str = ""
    timestamp: dt.datetime | None = None
    has_thinking: bool = False
    has_tool_use: bool = False
    content_length: int = 0
    model: str = ""
    token_usage: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    context_tokens: int = 0
    source_id: str = ""


class ToolCall(Record, frozen=True):
    """One tool call; its key is (session_id, message_ordinal, tool_use_id, call_index).

    ``result_content_length`` None means no result yet, 0 an empty result.
    """

    message_ordinal: int
    org_id: str = ""
    session_id: str = ""
    tool_use_id: str = ""
    call_index: int = 0
    tool_name: str = ""
    tool_category: str = ""
    input_json: str = ""
    skill_name: str = ""
    result_content: str = ""
    result_content_length: int | None = None
    is_error: bool = False
    subagent_session_id: str = ""


class GitLink(Record, frozen=True):
    """A commit or pull request made in a session; its key is (session_id, commit_sha, pr_url)."""

    session_id: str
    link_type: LinkType
    confidence: Confidence
    org_id: str = ""
    user_id: str = ""
    message_ordinal: int = 0
    commit_sha: str = ""
    pr_url: str = ""
    detected_at: dt.datetime | None = None


class SessionStar(Record, frozen=True):
    """A user's star on a session; its key is (session_id, user_id)."""

    org_id: str = ""
    session_id: str = ""
    user_id: str = ""
    created_at: dt.datetime | None = None


class MessagePin(Record, frozen=True):
    """A user's pin on a message; its key is (session_id, message_ordinal, user_id)."""

    org_id: str = ""
    session_id: str = ""
    message_ordinal: int = 0
    user_id: str = ""
    note: str = ""
    created_at: dt.datetime | None = None


class SessionDelete(Record, frozen=True):
    """The mark that hides a session from lists, search and analytics; its key is the session_id."""

    org_id: str = ""
    session_id: str = ""
    user_id: str = ""
    created_at: dt.datetime | None = None


# --- asked -----------------------------------------------------------------------------------------------------


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


# --- answered --------------------------------------------------------------------------------------------------


class SessionPage(Record, frozen=True):
    """One page of sessions; ``next_cursor`` is "" on the last one, ``total`` counts all that the filter matches."""

    sessions: list[Session] = []
    next_cursor: str = ""
    total: int = 0


class Highlight(Record, frozen=True):
    """A hit inside a snippet, as code-point offsets, end exclusive."""

    start: int
    end: int


class SearchResult(Record, frozen=True):
    """One matching message (its own role) or tool call (role "tool", ``source_id`` that of the message it is in)."""

    session_id: str = ""
    ordinal: int = 0
    role: str = ""
    user_id: str = ""
    user_name: str = ""
    project_name: str = ""
    agent_type: str = ""
    started_at: dt.datetime | None = None
    first_message: str = ""
    snippet: str = ""
    highlights: list[Highlight] = []
    source_id: str = ""


class SearchPage(Record, frozen=True):
    """One page of hits; ``total`` is exact, or at least 1,000 where ``total_is_lower_bound``."""

    results: list[SearchResult] = []
    next_cursor: str = ""
    total: int = 0
    total_is_lower_bound: bool = False


class GitLinkResult(Record, frozen=True):
    """A git link together with the session it was made in."""

    session_id: str = ""
    user_id: str = ""
    user_name: str = ""
    project_id: str = ""
    project_name: str = ""
    agent_type: str = ""
    started_at: dt.datetime | None = None
    first_message: str = ""
    commit_sha: str = ""
    pr_url: str = ""
    link_type: str = ""
    confidence: str = ""
    message_ordinal: int = 0


class UserInfo(Record, frozen=True):
    """A user, named by their latest session."""

    id: str = ""
    name: str = ""


class ProjectInfo(Record, frozen=True):
    """A project, with the path of its latest session."""

    id: str = ""
    name: str = ""
    path: str = ""


class UserUsage(Record, frozen=True):
    """What one user did with one agent in one project."""

    user_id: str = ""
    user_name: str = ""
    agent_type: str = ""
    project_name: str = ""
    session_count: int = 0
    message_count: int = 0
    commit_count: int = 0
    total_output_tokens: int = 0
    peak_context_tokens: int = 0


class HeatmapCell(Record, frozen=True):
    """Session starts in one hour of one weekday (1 = Monday … 7 = Sunday)."""

    day_of_week: int = 0
    hour: int = 0
    session_count: int = 0


class ToolUsageStat(Record, frozen=True):
    """How often a tool was called."""

    tool_name: str = ""
    category: str = ""
    usage_count: int = 0


class DailyActivity(Record, frozen=True):
    """What happened on one day."""

    date: dt.date
    session_count: int = 0
    message_count: int = 0
    total_output_tokens: int = 0


class ModelTokenUsage(Record, frozen=True):
    """Tokens of one model, each API response counted once."""

    model: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    context_tokens: int = 0
    message_count: int = 0
