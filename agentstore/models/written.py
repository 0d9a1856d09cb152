"""Records that are written, and read again as they are."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from agentstore.models.record import Record

RelationshipType = Literal["", "continuation", "subagent", "fork"]
LinkType = Literal["commit", "pr"]
Confidence = Literal["high", "medium"]
FileOperation = Literal["read", "write", "edit", "delete", "move"]


class Session(Record, frozen=True):
    """One conversation with an agent.

    ``commit_count`` (its git links) and ``tool_call_count`` are derived on read and ignored on write. So are
    ``copied_message_count``, how many of its messages another session has, too, and owns (a fork, a resume, a second
    copy), and ``origin_session_id``, which that is. The session reads whole; totals count those messages there.

    ``copied_by`` names a program that read the agent's files and wrote down itself what is stored here ("agentsview");
    "" where it is from the agent's own.
    """

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
    copied_by: str = ""
    commit_count: int = 0
    tool_call_count: int = 0
    copied_message_count: int = 0
    origin_session_id: str = ""


class Message(Record, frozen=True):
    """One message of a session; its key is (session_id, ordinal).

    ``token_usage`` is the source's usage object as JSON text; ``context_tokens`` = input + cache_read + cache_write.
    ``source_id`` is the agent's own id of the API response: what tokens are counted once by.
    ``reported_cost_nanodollars`` is what the agent itself says that the response cost; 0 where it says nothing.
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
    reported_cost_nanodollars: int = 0


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


class FileTouch(Record, frozen=True):
    """What a tool call did with a file; its key is (session_id, message_ordinal, tool_use_id, call_index, path).

    ``path`` is relative to the repository, with "/"; of a file outside, it is absolute. A move is two touches: of the
    old path, with ``moved_to``, and of the new one, with ``moved_from``.
    """

    session_id: str
    path: str
    operation: FileOperation
    org_id: str = ""
    message_ordinal: int = 0
    tool_use_id: str = ""
    call_index: int = 0
    moved_from: str = ""
    moved_to: str = ""
    touched_at: dt.datetime | None = None


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


class WriteMark(Record, frozen=True):
    """A moment in the order of all writes of a store: what is written after it was drawn is newer than it."""

    version: int
