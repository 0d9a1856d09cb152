"""The tables: what their columns are, how each is checked and encoded, and what identifies a row. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentstore.connection.sql import EPOCH, valid_text
from agentstore.models import (
    FileTouch,
    GitLink,
    Message,
    MessagePin,
    OriginalPart,
    Record,
    Session,
    SessionDelete,
    SessionStar,
    SourceFile,
    ToolCall,
)
from agentstore.write.encoding import (
    Encoder,
    choice,
    encode_bools,
    encode_bytes,
    encode_packed,
    encode_strings,
    encode_times,
    nullable,
    required,
    unsigned,
)
from agentstore.write.joined import encode_joined
from agentstore.write.sources import encode_sources

_TEXT: tuple[str, Encoder] = ("String", encode_strings)
_ID: tuple[str, Encoder] = ("String", required)
_BYTES: tuple[str, Encoder] = ("String", encode_bytes)
_BOOL: tuple[str, Encoder] = ("Bool", encode_bools)
_UINT32: tuple[str, Encoder] = ("UInt32", unsigned(32))
_UINT64: tuple[str, Encoder] = ("UInt64", unsigned(64))
_LENGTH: tuple[str, Encoder] = ("Nullable(UInt64)", nullable(unsigned(64), 0))
_TIME: tuple[str, Encoder] = ("Nullable(DateTime64(6, 'UTC'))", nullable(encode_times, EPOCH))


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns in the order they are sent, each with type and encoder, and its sort key after org_id.

    Three more columns are the same for all rows of an encoding and given by the caller: org_id, _version and _deleted;
    the first only, where the table is not ``versioned``. ``bulky`` fields may hold long texts. ``order`` is that of the
    sort key, where it is not that of ``key``, which begins with the session. ``fields`` are those of the record whose
    columns have other names.
    """

    name: str
    record: type
    columns: dict[str, tuple[str, Encoder]]
    key: tuple[str, ...]
    bulky: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    versioned: bool = True
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def header(self) -> tuple[tuple[str, str], ...]:
        """Names and types of all columns of a block."""
        fields = ((name, type_name) for name, (type_name, _) in self.columns.items())
        own = (("_version", "UInt64"), ("_deleted", "UInt8")) if self.versioned else ()
        return (("org_id", "String"), *fields, *own)

    def key_of(self, org_id: str, record: Any) -> tuple[Any, ...]:
        """What identifies the row as it is stored, org_id first."""
        key = (org_id, *(getattr(record, name) for name in self.key))
        return tuple(valid_text(part) if isinstance(part, str) else part for part in key)


SESSIONS = Table(
    "sessions",
    Session,
    {
        "id": _ID,
        "user_id": _TEXT,
        "user_name": _TEXT,
        "project_id": _TEXT,
        "project_name": _TEXT,
        "project_path": _TEXT,
        "machine": _TEXT,
        "agent_type": _TEXT,
        "first_message": _TEXT,
        "started_at": _TIME,
        "ended_at": _TIME,
        "message_count": _UINT32,
        "user_message_count": _UINT32,
        "parent_session_id": _TEXT,
        "relationship_type": ("String", choice("", "continuation", "subagent", "fork")),
        "source_created_at": _TEXT,
        "display_name": _TEXT,
        "git_branch": _TEXT,
        "total_output_tokens": _UINT64,
        "peak_context_tokens": _UINT64,
        "copied_by": _TEXT,
    },
    ("id",),
)
MESSAGES = Table(
    "messages",
    Message,
    {
        "session_id": _ID,
        "ordinal": _UINT32,
        "role": _TEXT,
        "content": _TEXT,
        "timestamp": _TIME,
        "has_thinking": _BOOL,
        "has_tool_use": _BOOL,
        "content_length": _UINT64,
        "model": _TEXT,
        "token_usage": _TEXT,
        "input_tokens": _UINT64,
        "cache_read_tokens": _UINT64,
        "cache_write_tokens": _UINT64,
        "output_tokens": _UINT64,
        "context_tokens": _UINT64,
        "source_id": _TEXT,
        "reported_cost_nanodollars": _UINT64,
    },
    ("session_id", "ordinal"),
    bulky=("content",),
)
TOOL_CALLS = Table(
    "tool_calls",
    ToolCall,
    {
        "session_id": _ID,
        "message_ordinal": _UINT32,
        "tool_use_id": _TEXT,
        "call_index": _UINT32,
        "tool_name": _TEXT,
        "tool_category": _TEXT,
        "input_json": _TEXT,
        "skill_name": _TEXT,
        "result_content": _TEXT,
        "result_content_length": _LENGTH,
        "is_error": _BOOL,
        "subagent_session_id": _TEXT,
    },
    ("session_id", "message_ordinal", "tool_use_id", "call_index"),
    bulky=("input_json", "result_content"),
)
GIT_LINKS = Table(
    "git_links",
    GitLink,
    {
        "session_id": _ID,
        "commit_sha": _TEXT,
        "pr_url": _TEXT,
        "user_id": _TEXT,
        "message_ordinal": _UINT32,
        "link_type": ("String", choice("commit", "pr")),
        "confidence": ("String", choice("high", "medium")),
        "detected_at": _TIME,
    },
    ("session_id", "commit_sha", "pr_url"),
)
FILE_TOUCHES = Table(
    "file_touches",
    FileTouch,
    {
        "session_id": _ID,
        "path": _ID,
        "operation": ("String", choice("read", "write", "edit", "delete", "move")),
        "message_ordinal": _UINT32,
        "tool_use_id": _TEXT,
        "call_index": _UINT32,
        "moved_from": _TEXT,
        "moved_to": _TEXT,
        "touched_at": _TIME,
    },
    ("session_id", "message_ordinal", "tool_use_id", "call_index", "path"),
    order=("path", "session_id", "message_ordinal", "tool_use_id", "call_index"),
)
SESSION_STARS = Table(
    "session_stars",
    SessionStar,
    {"session_id": _ID, "user_id": _TEXT, "created_at": _TIME},
    ("session_id", "user_id"),
)
MESSAGE_PINS = Table(
    "message_pins",
    MessagePin,
    {"session_id": _ID, "message_ordinal": _UINT32, "user_id": _TEXT, "note": _TEXT, "created_at": _TIME},
    ("session_id", "message_ordinal", "user_id"),
)
SESSION_DELETES = Table(
    "session_deletes",
    SessionDelete,
    {"session_id": _ID, "user_id": _TEXT, "created_at": _TIME},
    ("session_id",),
)


class SessionFloor(Record, frozen=True):
    """Rows of the session that are older than this one are not seen any more: those of ``scope``, see ddl/0004.

    Those of scopes 'copies' and 'subagents' hide nothing (ddl/0006), and are written by statements only.
    """

    scope: str
    session_id: str
    org_id: str = ""


CONTENT, MARKS, PURGED = "content", "marks", "purged"

SESSION_FLOORS = Table(
    "session_floors",
    SessionFloor,
    {"scope": ("String", choice(CONTENT, MARKS, PURGED)), "session_id": _ID},
    ("scope", "session_id"),
)

# Which sessions hold which source ids, made from the messages that have one.
MESSAGE_SOURCES = Table(
    "message_sources",
    Message,
    {"session_id": _ID, "source": ("UInt64", encode_sources)},
    ("session_id", "source_id"),
    fields={"source": "source_id"},
    versioned=False,
)

# What was read of which file, and what it was: rows of files, not of sessions (ddl/0009).
SOURCE_FILES = Table(
    "source_files",
    SourceFile,
    {
        "machine": _TEXT,
        "path": _ID,
        "source_id": _TEXT,
        "importer": _TEXT,
        "importer_version": _UINT32,
        "root": _TEXT,
        "user_id": _TEXT,
        "user_name": _TEXT,
        "stat": _TEXT,
        "context": _TEXT,
        "size": _UINT64,
        "outcome": _TEXT,
        "session_ids": ("String", encode_joined),
        "original_id": _TEXT,
        "state": _BYTES,
        "facts": _BYTES,
    },
    ("machine", "path", "source_id"),
    bulky=("session_ids", "state", "facts"),
)
ORIGINALS = Table(
    "originals",
    OriginalPart,
    {
        "original_id": _ID,
        "file": _TEXT,
        "start": _UINT64,
        "end": _UINT64,
        "session_id": _TEXT,
        "data": ("String", encode_packed),
    },
    ("original_id", "file", "start"),
    bulky=("data",),
)

# Which tables the floors of a scope are about. The others have the session's id for a key: a tombstone is enough.
FLOORED = {CONTENT: (MESSAGES, TOOL_CALLS, FILE_TOUCHES), MARKS: (GIT_LINKS, SESSION_STARS, MESSAGE_PINS, ORIGINALS)}

# The order of publication: a session row becomes visible after everything that belongs to it.
TABLES = (
    MESSAGES,
    TOOL_CALLS,
    GIT_LINKS,
    FILE_TOUCHES,
    SESSION_STARS,
    MESSAGE_PINS,
    SESSION_DELETES,
    SESSION_FLOORS,
    SESSIONS,
)
# Of files: nothing that is read about sessions depends on them.
KEPT = (ORIGINALS, SOURCE_FILES)
# And what is no record of anybody's, first: families are found by it.
BATCHED = (MESSAGE_SOURCES, *TABLES, *KEPT)
