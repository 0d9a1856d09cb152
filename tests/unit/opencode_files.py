"""Sessions of OpenCode written for tests: the same one as an export, as a tree and in a database."""

from __future__ import annotations

import copy
import json
import pathlib
import sqlite3
from typing import Any

from agentstore.importers import ImportResult, import_tree
from agentstore.importers.importer import Options
from agentstore.importers.opencode.importer import OpenCode
from tests.unit.databases import opened

SESSION = "ses_39b9a333bffeVNXMK6bSZru9Uq"
START = 1_771_200_000_000

TABLES = """
CREATE TABLE project(id TEXT PRIMARY KEY, worktree TEXT NOT NULL, time_created INTEGER, time_updated INTEGER);
CREATE TABLE session(id TEXT PRIMARY KEY, project_id TEXT, parent_id TEXT, slug TEXT, directory TEXT, title TEXT,
  version TEXT, time_created INTEGER, time_updated INTEGER, time_archived INTEGER);
CREATE TABLE message(id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);
CREATE TABLE part(id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, time_created INTEGER, time_updated INTEGER,
  data TEXT);
CREATE INDEX message_session_idx ON message(session_id);
CREATE INDEX part_session_idx ON part(session_id);
"""
CURRENT = """
CREATE TABLE session_v2(id TEXT PRIMARY KEY, project_id TEXT, parent_id TEXT, fork_session_id TEXT, directory TEXT,
  title TEXT, version TEXT, time_created INTEGER, time_updated INTEGER);
CREATE TABLE session_message(id TEXT PRIMARY KEY, session_id TEXT, type TEXT, seq INTEGER, time_created INTEGER,
  time_updated INTEGER, data TEXT);
"""


def info(**fields: Any) -> dict[str, Any]:
    known = {
        "id": SESSION,
        "slug": "kind-meadow",
        "projectID": "p1",
        "directory": "/home/ada/clock",
        "title": "Winding",
        "version": "1.2.5",
        "time": {"created": START, "updated": START + 90_000},
    }
    return known | fields


def user(second: int, *parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return _message("user", second, parts, {"model": {"providerID": "openai", "modelID": "gpt-5"}} | fields)


def assistant(second: int, *parts: dict[str, Any], output: int = 0, **fields: Any) -> dict[str, Any]:
    tokens = {"total": 157 + output, "input": 7, "output": output, "reasoning": 0, "cache": {"read": 100, "write": 50}}
    finish = {"type": "step-finish", "reason": "stop", "tokens": tokens, "cost": 0.1}
    known = {"modelID": "gpt-5", "providerID": "openai", "tokens": tokens, "cost": 0.1}
    return _message("assistant", second, (*parts, finish), known | fields, completed=START + second * 1000 + 400)


def _message(role: str, second: int, parts: Any, fields: dict[str, Any], **times: int) -> dict[str, Any]:
    id = f"msg_{second:04d}"
    own = [{"id": f"prt_{second:04d}_{n:04d}", "messageID": id, "sessionID": SESSION} | p for n, p in enumerate(parts)]
    times = {"created": START + second * 1000} | times
    return {"info": {"id": id, "sessionID": SESSION, "role": role, "time": times} | fields, "parts": own}


def said(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": text} | fields


def call(id: str, tool: str, input: Any, status: str = "completed", **state: Any) -> dict[str, Any]:
    return {"type": "tool", "callID": id, "tool": tool, "state": {"status": status, "input": input} | state}


def export(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    own = info(**fields)
    return {"info": own, "messages": copy.deepcopy([_of(message, own["id"]) for message in messages])}


def _of(message: dict[str, Any], id: str) -> dict[str, Any]:
    if id == SESSION:
        return message
    # Ids are unique over sessions, as they are in a database.
    other: dict[str, Any] = json.loads(
        json.dumps(message).replace(SESSION, id).replace("msg_", f"msg_{id}_").replace("prt_", f"p_{id}")
    )
    return other


def write_export(path: pathlib.Path, session: dict[str, Any]) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(session, indent=2), encoding="utf-8")
    return path


def write_tree(root: pathlib.Path, session: dict[str, Any]) -> pathlib.Path:
    """The file of the session; ``root`` is the folder of the program's data."""
    own, storage = session["info"], root / "storage"
    _write(storage / "project" / f"{own['projectID']}.json", {"id": own["projectID"], "worktree": "/home/ada/project"})
    for message in session["messages"]:
        _write(storage / "message" / own["id"] / f"{message['info']['id']}.json", message["info"])
        for part in message["parts"]:
            _write(storage / "part" / message["info"]["id"] / f"{part['id']}.json", part)
    return _write(storage / "session" / own["projectID"] / f"{own['id']}.json", own)


def _write(path: pathlib.Path, value: Any) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_database(path: pathlib.Path, *sessions: dict[str, Any], tables: str = TABLES) -> sqlite3.Connection:
    """A database in WAL mode, open: what is written stays in the log."""
    connection = opened(path)
    connection.executescript("PRAGMA journal_mode=WAL;" + tables)
    for session in sessions:
        insert(connection, session)
    return connection


def insert(connection: sqlite3.Connection, session: dict[str, Any]) -> None:
    own = session["info"]
    times = (own["time"]["created"], own["time"]["updated"])
    _row(connection, "project", id=own["projectID"], worktree="/home/ada/project", time_updated=times[0])
    _row(
        connection,
        "session",
        id=own["id"],
        project_id=own["projectID"],
        parent_id=own.get("parentID"),
        directory=own.get("directory"),
        title=own["title"],
        version=own["version"],
        time_created=times[0],
        time_updated=times[1],
    )
    for message in session["messages"]:
        data, created = message["info"], message["info"]["time"]["created"]
        known = {"session_id": own["id"], "time_created": created, "time_updated": created}
        _row(connection, "message", id=data["id"], **known, data=_without(data, "id", "sessionID"))
        for part in message["parts"]:
            text = _without(part, "id", "sessionID", "messageID")
            _row(connection, "part", id=part["id"], message_id=data["id"], **known, data=text)
    connection.commit()


def _row(connection: sqlite3.Connection, table: str, **values: Any) -> None:
    there = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
    known = {name: value for name, value in values.items() if name in there}
    marks = ", ".join("?" * len(known))
    connection.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(known)}) VALUES ({marks})", tuple(known.values()))


def insert_current(connection: sqlite3.Connection, own: dict[str, Any], *messages: tuple[str, dict[str, Any]]) -> None:
    """A session in the tables of 2.0."""
    _row(
        connection,
        "session_v2",
        id=own["id"],
        project_id=own["projectID"],
        parent_id=own.get("parentID"),
        fork_session_id=own.get("forkSessionID"),
        directory=own["directory"],
        title=own["title"],
        time_created=own["time"]["created"],
        time_updated=own["time"]["updated"],
    )
    for seq, (kind, data) in enumerate(messages):
        times = {"time_created": data["time"]["created"], "time_updated": data["time"]["created"]}
        text = json.dumps(data)
        _row(connection, "session_message", id=f"m{seq}", session_id=own["id"], type=kind, seq=seq, **times, data=text)
    connection.commit()


def _without(record: dict[str, Any], *names: str) -> str:
    return json.dumps({name: value for name, value in record.items() if name not in names})


def read(path: pathlib.Path, options: Options | None = None) -> list[ImportResult]:
    """What is imported of all that lies there, without the results that have no session."""
    results = list(import_tree(path, options, importers=(OpenCode(),)))
    for result in results:
        assert result.problems == []
        assert result.unknown_records == {}
    return [result for result in results if result.sessions]
