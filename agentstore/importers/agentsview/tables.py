"""The columns that are read, whichever of them a database has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from agentstore.importers.jsonl import Record
from agentstore.importers.sqlite_files import Database

SESSIONS = (
    "id", "agent", "project", "machine", "cwd", "git_branch", "parent_session_id", "relationship_type", "display_name",
    "session_name", "started_at", "ended_at", "message_count", "total_output_tokens", "peak_context_tokens",
    "deleted_at", "deletion_cause", "transcript_revision", "data_version", "file_hash", "file_mtime",
)  # fmt: skip
MESSAGES = (
    "id", "session_id", "ordinal", "role", "content", "thinking_text", "timestamp", "has_thinking", "is_system",
    "is_sidechain", "is_compact_boundary", "model", "token_usage", "context_tokens", "output_tokens",
    "claude_message_id", "source_uuid",
)  # fmt: skip
CALLS = (
    "tool_name", "tool_use_id", "input_json", "result_content", "result_content_length", "subagent_session_id",
    "call_index",
)  # fmt: skip
EVENTS = ("call_index", "agent_id", "status", "content", "subagent_session_id")
USAGE = (
    "message_ordinal", "model", "input_tokens", "output_tokens", "cache_creation_input_tokens",
    "cache_read_input_tokens", "reasoning_tokens", "source", "cost_microdollars", "cost_usd",
)  # fmt: skip


def is_agentsview(database: Database) -> bool:
    is_there = database.has("sessions", "id", "agent", "project", "machine")
    return is_there and database.has("messages", "id", "session_id", "ordinal", "role", "content")


def records(
    database: Database, table: str, columns: tuple[str, ...], rest: str = "", *values: str | float
) -> Iterator[Record]:
    """Rows as objects with all of these columns; one that the table does not have is None."""
    known = [name for name in columns if database.has(table, name)]
    if not known:
        return
    nothing: Record = dict.fromkeys(columns)
    for row in database.rows(f"SELECT {', '.join(known)} FROM {table} {rest}", *values):
        yield nothing | dict(zip(known, row, strict=True))


def proofs(database: Database) -> dict[str, bytes]:
    """What changes when anything of a session does, by session.

    A session that is read anew gets new rows, with other numbers, and one that goes on gets more of them. Names and
    times are in the row itself.
    """
    found: dict[str, list[Any]] = {}
    for row in records(database, "sessions", SESSIONS):
        found.setdefault(str(row["id"]), []).append(tuple(row.values()))
    for table, weight in (
        ("messages", "content_length"),
        ("tool_calls", "result_content_length"),
        ("tool_result_events", "content_length"),
        ("usage_events", "output_tokens"),
    ):
        if database.has(table, "session_id"):
            # total(), not sum(): that one fails where it is too great.
            total = f"total({weight})" if database.has(table, weight) else "0"
            query = f"SELECT session_id, count(*), max(rowid), {total} FROM {table} GROUP BY session_id"
            for id, *known in database.rows(query):
                found.setdefault(str(id), []).append((table, *known))
    return {
        id: hashlib.blake2b(repr(known).encode("utf-8", "replace"), digest_size=8).digest()
        for id, known in found.items()
    }


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    return value if type(value) is int else 0
