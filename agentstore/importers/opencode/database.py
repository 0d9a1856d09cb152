"""OpenCode's SQLite database (``opencode.db``, since 1.2), read beside the running program.

=================================  ====================================================================================
``session``                        one row a session; older ones have no ``directory``
``message``, ``part``              ``data`` is the JSON of the files, without the ids
``session_v2``,                    since 2.0: the same session again, written anew by a migration: these count where a
``session_message``                session has messages there
``project``                        ``worktree``
=================================  ====================================================================================

Only columns that exist are read. How a change shows: rows change in place, and an undo deletes some, so no row says
what is new. What tells is the sum of all: the newest ``time_updated`` of a session, its project, messages and parts,
their number, and the total of these times (one row in place of another). A state keeps 8 bytes of that for each
session, and the next import reads the sessions again for which it is another, each from its start. It is asked before
the rows are read: what is written meanwhile is read again next time, and never missed. A database without
``time_updated`` is read whole each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from agentstore.importers.jsonl import Record, read_document
from agentstore.importers.opencode.current import message_of
from agentstore.importers.opencode.messages import Stored
from agentstore.importers.opencode.reader import Problems
from agentstore.importers.sqlite_files import Database, Row

_COLUMNS = {
    "id": "id",
    "project_id": "projectID",
    "parent_id": "parentID",
    "fork_session_id": "forkSessionID",
    "directory": "directory",
    "title": "title",
    "version": "version",
    "time_created": "created",
    "time_updated": "updated",
}


class Listed(NamedTuple):
    """A session in the database: what its row says, and what changes when anything of it does (b"": not known)."""

    id: str
    table: str
    info: Record
    worktree: str
    proof: bytes


def sessions_of(database: Database) -> list[Listed]:
    """All sessions, the newest first: subagents before who asked for them."""
    worktrees = _worktrees(database)
    children = [_children(database, table) for table in ("message", "part", "session_message")]
    found: dict[str, Listed] = {}
    for table in ("session_v2", "session"):
        names = [name for name in _COLUMNS if name in database.columns(table)]
        if "id" not in names:
            continue
        for row in database.rows(f"SELECT {', '.join(names)} FROM {table}"):
            info = _info(names, row)
            if info["id"] and info["id"] not in found:
                worktree, moved = worktrees.get(str(info.get("projectID")), ("", None))
                known = [child.get(info["id"]) for child in children]
                proof = _proof(info["time"]["updated"], moved, *known) if _is_timed(database) else b""
                found[info["id"]] = Listed(info["id"], table, info, worktree, proof)
    return sorted(found.values(), key=lambda one: (-_number(one.info["time"]["created"]), one.id))


def messages_of(database: Database, id: str, problems: Problems) -> Iterator[Stored]:
    """A session's messages in the order of their times and ids."""
    if database.has("session_message", "id", "session_id", "type", "data"):
        is_current = False
        for stored in _current_messages(database, id, problems):
            is_current = is_current or stored.info["role"] in ("user", "assistant")
            yield stored
        if is_current:
            return
    if database.has("message", "id", "session_id", "data"):
        yield from _messages(database, id, problems)


def _current_messages(database: Database, id: str, problems: Problems) -> Iterator[Stored]:
    order = "seq, id" if database.has("session_message", "seq") else "time_created, id"
    query = f"SELECT rowid FROM session_message WHERE session_id = ? ORDER BY {order}"
    for message, type, data in _one_by_one(database, "SELECT id, type, data FROM session_message", query, id):
        record = _record(data, f"message {message}", problems)
        if record is not None and isinstance(type, str):
            yield message_of(type, record)


def _messages(database: Database, id: str, problems: Problems) -> Iterator[Stored]:
    parts: dict[str, list[int]] = {}
    if database.has("part", "id", "message_id", "session_id", "data"):
        # Only where they are: a part may be long, and they are not in the order of their messages.
        query = "SELECT message_id, rowid FROM part WHERE session_id = ? ORDER BY id"
        for message, rowid in database.rows(query, id):
            parts.setdefault(str(message), []).append(rowid)
    order = "time_created, id" if database.has("message", "time_created") else "id"
    query = f"SELECT rowid FROM message WHERE session_id = ? ORDER BY {order}"
    for message, data in _one_by_one(database, "SELECT id, data FROM message", query, id):
        info = _record(data, f"message {message}", problems)
        if info is not None:
            yield Stored(info, list(_parts(database, id, parts.get(str(message), []), str(message), problems)))


def _one_by_one(database: Database, columns: str, query: str, id: str) -> Iterator[Row]:
    """The rows whose numbers a query gives. No query is open while one of them is handed on: what comes of it may be
    stored before the next one is asked for, and so long the program could not write, or not shorten its log. The number
    of a row that is gone may be another session's meanwhile."""
    for (rowid,) in list(database.rows(query, id)):
        yield from list(database.rows(f"{columns} WHERE rowid = ? AND session_id = ?", rowid, id))


def _parts(database: Database, id: str, rowids: list[int], message: str, problems: Problems) -> Iterator[Record]:
    for rowid in rowids:
        for (data,) in database.rows("SELECT data FROM part WHERE rowid = ? AND session_id = ?", rowid, id):
            part = _record(data, f"a part of message {message}", problems)
            if part is not None:
                yield part


def _record(data: object, what: str, problems: Problems) -> Record | None:
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")
    if not isinstance(data, bytes) or not data.strip():
        problems.report(f"{what}: no JSON")
        return None
    return read_document(data, lambda _, reason: problems.report(f"{what}: {reason}"))


# --- what a session is, and whether it has changed -------------------------------------------------------------------


def _info(names: list[str], row: Row) -> Record:
    told = {_COLUMNS[name]: value for name, value in zip(names, row, strict=True)}
    times = {name: told.pop(name, None) for name in ("created", "updated")}
    id = told.get("id")
    return told | {"id": id if isinstance(id, str) else "", "time": times}


def _worktrees(database: Database) -> dict[str, tuple[str, object]]:
    if not database.has("project", "id", "worktree"):
        return {}
    updated = "time_updated" if database.has("project", "time_updated") else "NULL"
    rows = database.rows(f"SELECT id, worktree, {updated} FROM project")
    return {str(id): (path if isinstance(path, str) else "", moved) for id, path, moved in rows}


def _children(database: Database, table: str) -> dict[str, Row]:
    """What tells that messages or parts of a session have changed, by session."""
    if not database.has(table, "session_id", "time_updated"):
        return {}
    # total(), not sum(): that one fails where it is too great.
    totals = "count(*), max(time_updated), total(time_updated)"
    rows = database.rows(f"SELECT session_id, {totals} FROM {table} GROUP BY session_id")
    return {str(row[0]): row[1:] for row in rows}


def _is_timed(database: Database) -> bool:
    tables = [table for table in ("message", "part", "session_message") if database.columns(table)]
    return bool(tables) and all(database.has(table, "time_updated") for table in tables)


def _proof(*known: object) -> bytes:
    return hashlib.blake2b(repr(known).encode("utf-8", "replace"), digest_size=8).digest()


def _number(value: object) -> int:
    return value if type(value) is int else 0
