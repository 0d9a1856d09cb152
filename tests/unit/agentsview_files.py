"""agentsview's database, written for tests: as it is now, and as it was at first."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from agentstore.importers import ImportResult, ImportState
from agentstore.importers.agentsview.importer import AgentsView
from agentstore.importers.importer import Options
from tests.unit.databases import opened

NOW = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, project TEXT NOT NULL DEFAULT 'clock', machine TEXT DEFAULT 'local',
  agent TEXT NOT NULL DEFAULT 'claude', first_message TEXT, display_name TEXT, session_name TEXT, started_at TEXT,
  ended_at TEXT, message_count INTEGER DEFAULT 0, user_message_count INTEGER DEFAULT 0, file_path TEXT,
  parent_session_id TEXT, relationship_type TEXT NOT NULL DEFAULT '', total_output_tokens INTEGER DEFAULT 0,
  peak_context_tokens INTEGER DEFAULT 0, cwd TEXT NOT NULL DEFAULT '', git_branch TEXT NOT NULL DEFAULT '',
  transcript_revision TEXT DEFAULT '0', deleted_at TEXT, deletion_cause TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, ordinal INTEGER NOT NULL, role TEXT NOT NULL,
  content TEXT NOT NULL, thinking_text TEXT DEFAULT '', timestamp TEXT, has_thinking INTEGER DEFAULT 0,
  has_tool_use INTEGER DEFAULT 0, content_length INTEGER DEFAULT 0, is_system INTEGER DEFAULT 0, model TEXT DEFAULT '',
  token_usage TEXT DEFAULT '', context_tokens INTEGER DEFAULT 0, output_tokens INTEGER DEFAULT 0,
  claude_message_id TEXT DEFAULT '', source_uuid TEXT DEFAULT '', is_sidechain INTEGER DEFAULT 0,
  is_compact_boundary INTEGER DEFAULT 0, UNIQUE(session_id, ordinal));
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, message_id INTEGER NOT NULL, session_id TEXT NOT NULL,
  tool_name TEXT NOT NULL, category TEXT NOT NULL DEFAULT '', tool_use_id TEXT, input_json TEXT, skill_name TEXT,
  result_content_length INTEGER, result_content TEXT, subagent_session_id TEXT, file_path TEXT, call_index INTEGER);
CREATE TABLE tool_result_events (id INTEGER PRIMARY KEY, session_id TEXT NOT NULL,
  tool_call_message_ordinal INTEGER NOT NULL, call_index INTEGER DEFAULT 0, tool_use_id TEXT, agent_id TEXT,
  subagent_session_id TEXT, source TEXT DEFAULT '', status TEXT DEFAULT '', content TEXT DEFAULT '',
  content_length INTEGER DEFAULT 0, timestamp TEXT, event_index INTEGER DEFAULT 0);
CREATE TABLE usage_events (id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, message_ordinal INTEGER,
  source TEXT DEFAULT '', model TEXT DEFAULT '', input_tokens INTEGER DEFAULT 0, output_tokens INTEGER DEFAULT 0,
  cache_creation_input_tokens INTEGER DEFAULT 0, cache_read_input_tokens INTEGER DEFAULT 0,
  reasoning_tokens INTEGER DEFAULT 0);
"""
# The first release.
THEN = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, project TEXT NOT NULL DEFAULT 'clock', machine TEXT DEFAULT 'local',
  agent TEXT NOT NULL DEFAULT 'claude', first_message TEXT, started_at TEXT, ended_at TEXT,
  message_count INTEGER DEFAULT 0, parent_session_id TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, ordinal INTEGER NOT NULL, role TEXT NOT NULL,
  content TEXT NOT NULL, timestamp TEXT, has_thinking INTEGER DEFAULT 0, has_tool_use INTEGER DEFAULT 0,
  content_length INTEGER DEFAULT 0, UNIQUE(session_id, ordinal));
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, message_id INTEGER NOT NULL, session_id TEXT NOT NULL,
  tool_name TEXT NOT NULL, category TEXT NOT NULL DEFAULT '');
"""


class Archive:
    """A database that is open, as while agentsview runs."""

    def __init__(self, path: pathlib.Path, tables: str = NOW) -> None:
        self.path = path
        self.connection = opened(path)
        self.connection.executescript("PRAGMA journal_mode=WAL;" + tables)
        self._ordinals: dict[str, int] = {}

    def session(self, id: str, agent: str = "claude", **fields: Any) -> str:
        self._row("sessions", id=id, agent=agent, **fields)
        return id

    def message(self, session: str, role: str, content: str, **fields: Any) -> int:
        ordinal = self._ordinals.get(session, 0)
        self._ordinals[session] = ordinal + 1
        known = {"ordinal": ordinal, "content_length": len(content.encode("utf-8", "surrogatepass"))}
        return self._row("messages", session_id=session, role=role, content=content, **(known | fields))

    def call(self, session: str, message: int, name: str, arguments: Any = None, **fields: Any) -> None:
        given = {} if arguments is None else {"input_json": json.dumps(arguments)}
        self._row("tool_calls", session_id=session, message_id=message, tool_name=name, **given, **fields)

    def event(self, session: str, ordinal: int, content: str, **fields: Any) -> None:
        self._row(
            "tool_result_events", session_id=session, tool_call_message_ordinal=ordinal, content=content, **fields
        )

    def usage(self, session: str, **fields: Any) -> None:
        self._row("usage_events", session_id=session, **fields)

    def _row(self, table: str, **values: Any) -> int:
        marks = ", ".join("?" * len(values))
        cursor = self.connection.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
        )
        self.connection.commit()
        return cursor.lastrowid or 0

    def read(self, state: ImportState | None = None, options: Options | None = None) -> list[ImportResult]:
        return list(AgentsView().survey([self.path], options or Options()).read(self.path, state))

    def sessions(self, options: Options | None = None) -> dict[str, ImportResult]:
        """The results that have a session, by its id; all are copies, and nothing is a problem."""
        results = self.read(None, options)
        assert not any(result.problems for result in results)
        assert all(session.copied_by == "agentsview" for result in results for session in result.sessions)
        found = {result.sessions[0].id: result for result in results if result.sessions}
        assert len(found) == sum(bool(result.sessions) for result in results)
        return found


def at(second: int) -> str:
    return f"2026-03-02T08:{second // 60:02d}:{second % 60:02d}.125Z"
