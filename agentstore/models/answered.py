"""Records that answer."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from agentstore.models.record import Record
from agentstore.models.written import FileOperation, Message, Session, ToolCall

TextKind = Literal["content", "usage", "input", "result"]


class SessionPage(Record, frozen=True):
    """One page of sessions; ``next_cursor`` is "" on the last one, ``total`` counts all that the filter matches."""

    sessions: list[Session] = msgspec.field(default_factory=list)
    next_cursor: str = ""
    total: int = 0


class MessageOutline(Record, frozen=True):
    """A message without its text, and what its tool calls come to.

    Lengths are as they were written: ``content_length`` that of the message, ``result_length`` the sum of the results'
    ``result_content_length``.
    """

    ordinal: int
    role: str = ""
    timestamp: dt.datetime | None = None
    model: str = ""
    content_length: int = 0
    has_thinking: bool = False
    has_tool_use: bool = False
    source_id: str = ""
    call_count: int = 0
    error_count: int = 0
    result_length: int = 0


class Prompt(Record, frozen=True):
    """What a person said: the beginning of it. ``content_length`` is that of the whole text.

    ``version`` is the message's, as in ``MessageVersion``.
    """

    ordinal: int
    timestamp: dt.datetime | None = None
    content: str = ""
    content_length: int = 0
    source_id: str = ""
    version: str = ""


class CutText(Record, frozen=True):
    """A text of which a window has the beginning only; ``total`` is how many characters there are of it.

    ``part`` is "content" or "usage" (``token_usage``) of a message; of a tool call "input" (``input_json``) or "result"
    (``result_content``). The rest is asked for with ``message_text``, which takes the same names.
    """

    ordinal: int
    part: TextKind
    tool_use_id: str = ""
    call_index: int = 0
    total: int = 0


class SessionWindow(Record, frozen=True):
    """Some messages of a session in a row, and their tool calls. What is not in ``cut`` is whole.

    ``versions`` are those of the messages, in their order, as in ``MessageVersion``.
    """

    messages: list[Message] = msgspec.field(default_factory=list)
    tool_calls: list[ToolCall] = msgspec.field(default_factory=list)
    cut: list[CutText] = msgspec.field(default_factory=list)
    versions: list[str] = msgspec.field(default_factory=list)


class MessageVersion(Record, frozen=True):
    """Which text a message has: ``version`` is another one where its role or its content is."""

    session_id: str = ""
    ordinal: int = 0
    source_id: str = ""
    version: str = ""


class TextPart(Record, frozen=True):
    """Characters of a long text, from ``first`` on; ``total`` is how many there are of it."""

    text: str = ""
    first: int = 0
    total: int = 0


class Changes(Record, frozen=True):
    """What ``changes`` found, and where to go on: give it to the next call, or its ``version``.

    ``session_ids`` are sessions of which anything was written, ``deleted_session_ids`` those of them that were deleted
    or purged since; both sorted, and none is in both. ``seen`` is for the next call: what has been told and is too
    young to be left behind, one number for each session.
    """

    version: int = 0
    session_ids: list[str] = msgspec.field(default_factory=list)
    deleted_session_ids: list[str] = msgspec.field(default_factory=list)
    seen: dict[str, int] = msgspec.field(default_factory=dict)


class Highlight(Record, frozen=True):
    """A hit inside a snippet, as code-point offsets, end exclusive."""

    start: int
    end: int


class SearchResult(Record, frozen=True):
    """One matching message (its own role) or tool call (role "tool").

    ``source_id`` and ``version`` (as in ``MessageVersion``) are the message's, or those of the message that the call is
    in; "" where that is not there.
    """

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
    highlights: list[Highlight] = msgspec.field(default_factory=list)
    source_id: str = ""
    version: str = ""


class SearchPage(Record, frozen=True):
    """One page of hits; ``total`` is exact, or at least 1,000 where ``total_is_lower_bound``."""

    results: list[SearchResult] = msgspec.field(default_factory=list)
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


class GitLinkEntry(GitLinkResult, frozen=True):
    """A git link with its session, and when it was made, as far as that is known.

    ``display_name`` is that of the session; where it has none, its first message says what it is about.
    """

    detected_at: dt.datetime | None = None
    display_name: str = ""


class GitLinkPage(Record, frozen=True):
    """One page of git links, newest first; ``next_cursor`` is "" on the last one."""

    links: list[GitLinkEntry] = msgspec.field(default_factory=list)
    next_cursor: str = ""


class FileHistoryEntry(Record, frozen=True):
    """What a tool call did with a file, together with the session that it was made in. Its fields as in ``FileTouch``.

    ``display_name`` is that of the session; where it has none, its first message says what it is about. ``source_id``
    and ``version`` (as in ``MessageVersion``) are those of the message, where they were asked for.
    """

    session_id: str = ""
    path: str = ""
    operation: str = ""
    message_ordinal: int = 0
    tool_use_id: str = ""
    call_index: int = 0
    moved_from: str = ""
    moved_to: str = ""
    touched_at: dt.datetime | None = None
    user_id: str = ""
    user_name: str = ""
    project_id: str = ""
    project_name: str = ""
    agent_type: str = ""
    display_name: str = ""
    first_message: str = ""
    source_id: str = ""
    version: str = ""


class FileHistory(Record, frozen=True):
    """One page of a file's history, newest first; ``next_cursor`` is "" on the last one."""

    touches: list[FileHistoryEntry] = msgspec.field(default_factory=list)
    next_cursor: str = ""


class SessionFile(Record, frozen=True):
    """A file that a session touched: how often by each operation, and in which messages first and last."""

    path: str
    operations: dict[FileOperation, int] = msgspec.field(default_factory=dict)
    first_ordinal: int = 0
    last_ordinal: int = 0


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
    """How often a tool was called, how many of these calls failed, and in how many sessions it was used.

    Calls of subagents count for the session they worked for.
    """

    tool_name: str = ""
    category: str = ""
    usage_count: int = 0
    error_count: int = 0
    session_count: int = 0


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


class ProjectUsage(Record, frozen=True):
    """What all users did in one project."""

    project_name: str = ""
    session_count: int = 0
    message_count: int = 0
    commit_count: int = 0
    total_output_tokens: int = 0


class SummaryTotals(Record, frozen=True):
    """What all of it comes to. ``user_count`` and ``project_count`` are those with sessions, "" among them."""

    session_count: int = 0
    message_count: int = 0
    commit_count: int = 0
    tool_call_count: int = 0
    tool_error_count: int = 0
    total_output_tokens: int = 0
    peak_context_tokens: int = 0
    user_count: int = 0
    project_count: int = 0
