"""Records for tests: what is not said is plain and browsable."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeVar

import msgspec

from agentstore import FileTouch, GitLink, Message, Session, ToolCall
from agentstore.models import FileOperation, Record

R = TypeVar("R", bound=Record)


def at(
    hour: int = 0, minute: int = 0, *, day: int = 5, month: int = 1, year: int = 2026, micro: int = 0
) -> dt.datetime:
    """A time in UTC; without arguments, Monday 5 January 2026, midnight."""
    return dt.datetime(year, month, day, hour, minute, 0, micro, dt.UTC)


def session(id: str, **fields: Any) -> Session:
    """A browsable session."""
    return Session(**{"id": id, "user_message_count": 1, "started_at": at(), **fields})


def message(ordinal: int, content: str = "", **fields: Any) -> Message:
    """A message of the user."""
    return Message(**{"ordinal": ordinal, "role": "user", "content": content, **fields})


def call(message_ordinal: int, **fields: Any) -> ToolCall:
    """A tool call."""
    return ToolCall(**{"message_ordinal": message_ordinal, "tool_name": "Bash", **fields})


def commit(session_id: str, sha: str, **fields: Any) -> GitLink:
    """A link to a commit."""
    return GitLink(
        **{"session_id": session_id, "link_type": "commit", "confidence": "high", "commit_sha": sha, **fields}
    )


def pull_request(session_id: str, url: str, **fields: Any) -> GitLink:
    """A link to a pull request."""
    return GitLink(**{"session_id": session_id, "link_type": "pr", "confidence": "medium", "pr_url": url, **fields})


def touch(session_id: str, path: str, operation: FileOperation = "edit", **fields: Any) -> FileTouch:
    """What a call did with a file."""
    return FileTouch(**{"session_id": session_id, "path": path, "operation": operation, **fields})


def stored(record: R, org: str, **fields: Any) -> R:
    """The record as it is read back from this organisation."""
    return msgspec.structs.replace(record, org_id=org, **fields)
