"""Cursor's ``state.vscdb``: all conversations of the editor, and where each was held.

``User/globalStorage/state.vscdb`` has every conversation since about 2025 (table ``cursorDiskKV``, see ``composer``);
since version 3.9 ``composerHeaders`` says for new ones which folder they belong to. For older ones the databases in
``User/workspaceStorage/<hash>/`` do (``ItemTable``, key ``composer.composerData``: ``allComposers``, with title and
branch), beside a ``workspace.json``. Still older ones hold conversations themselves: composers with their bubbles, and
chats (key ``workbench.panel.aichat.view.aichat.chatdata``: ``tabs`` of bubbles of type "user" or "ai").

Values are JSON, as text or as bytes. Draft composers have no bubbles, and are no sessions. (Read in public notes about
real databases of 2025 and 2026, and in several public parsers.)
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from agentstore.importers.editors import cwd_of_workspace, path_of_uri
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record, read_document
from agentstore.importers.sqlite_files import Database, Report
from agentstore.importers.tools import text_of

_COMPOSER, _AFTER = "composerData:", "composerData;"
_COMPOSERS = "composer.composerData"
_CHATS = "workbench.panel.aichat.view.aichat.chatdata"
_MOST_VALUE = 64 * 1024 * 1024
_MOST_ID = 200
_NO_BUBBLE: dict[str, int] = {"user": 1, "ai": 2}


class Where(NamedTuple):
    """What is known of a conversation beside its own data."""

    cwd: str = ""
    branch: str = ""
    name: str = ""
    parent: str = ""


def composer_ids(database: Database) -> list[str]:
    """The ids of all conversations that stand in rows of their own."""
    if not database.has("cursorDiskKV", "key", "value"):
        return []
    # A range, not LIKE: the table has an index, and gigabytes of other values.
    rows = database.rows("SELECT key FROM cursorDiskKV WHERE key >= ? AND key < ?", _COMPOSER, _AFTER)
    ids = [key[len(_COMPOSER) :] for (key,) in rows if isinstance(key, str)]
    return [id for id in ids if 0 < len(id) <= _MOST_ID]


def composer(database: Database, id: str, report: Report) -> Record:
    return _value(database, "cursorDiskKV", _COMPOSER + id, report)


def bubble(database: Database, composer_id: str, report: Report, id: str) -> Record:
    return _value(database, "cursorDiskKV", f"bubbleId:{composer_id}:{id}", report)


def bubble_ids(database: Database, composer_id: str) -> list[str]:
    """The bubbles of a conversation that have rows."""
    start = f"bubbleId:{composer_id}:"
    rows = database.rows("SELECT key FROM cursorDiskKV WHERE key >= ? AND key < ?", start, start[:-1] + ";")
    return [key[len(start) :] for (key,) in rows if isinstance(key, str)]


def kept_composers(database: Database, report: Report) -> Iterator[tuple[str, Record]]:
    """Conversations that a workspace's database holds itself, as composers."""
    if not database.has("ItemTable", "key", "value"):
        return
    for one in _list(_value(database, "ItemTable", _COMPOSERS, report).get("allComposers")):
        id = text_of(one, "composerId")
        if 0 < len(id) <= _MOST_ID and one.get("conversation"):
            yield id, one
    for tab in _list(_value(database, "ItemTable", _CHATS, report).get("tabs")):
        id = text_of(tab, "tabId", "id")
        said = [
            {**said, "type": _NO_BUBBLE.get(text_of(said, "type"), 0), "bubbleId": text_of(said, "id")}
            for said in _list(_object(tab).get("bubbles"))
            if isinstance(said, dict)
        ]
        if 0 < len(id) <= _MOST_ID and said:
            times = {
                "createdAt": tab.get("createdAt"),
                "lastUpdatedAt": tab.get("lastSendTime") or tab.get("timestamp"),
            }
            yield id, {"name": text_of(tab, "chatTitle", "title"), "conversation": said, **times}


def where_in_workspace(path: pathlib.Path, database: Database, intake: Intake) -> Iterator[tuple[str, Where]]:
    """The conversations that belong to the folder of a workspace's database."""
    cwd = cwd_of_workspace(path.parent, intake)
    if not database.has("ItemTable", "key", "value"):
        return
    for one in _list(_value(database, "ItemTable", _COMPOSERS, lambda _reason: None).get("allComposers")):
        if id := text_of(one, "composerId"):
            yield id, Where(cwd, text_of(one, "createdOnBranch", "committedToBranch"), text_of(one, "name"))


def heads(database: Database) -> Iterator[tuple[str, str, Where]]:
    """What the newer table of all conversations says, and the hash of the workspace of each."""
    if not database.has("composerHeaders", "composerId", "workspaceId", "value"):
        return
    query = "SELECT composerId, workspaceId, value FROM composerHeaders WHERE length(value) < ?"
    for id, workspace, value in database.rows(query, _MOST_VALUE):
        if isinstance(id, str):
            head = _document(value, lambda _reason: None)
            yield id, workspace if isinstance(workspace, str) else "", where_of(head, Where())


def parents(database: Database) -> Iterator[tuple[str, str]]:
    """The conversations of subagents, and those that started them."""
    if not database.has("cursorDiskKV", "key", "value"):
        return
    query = (
        "SELECT key, value FROM cursorDiskKV WHERE key >= ? AND key < ? AND length(value) < ?"
        " AND instr(CAST(value AS TEXT), ?) > 0 AND instr(CAST(value AS TEXT), ?) = 0"
    )
    named, empty = '"subagentComposerIds"', '"subagentComposerIds":[]'
    for key, value in database.rows(query, _COMPOSER, _AFTER, _MOST_VALUE, named, empty):
        for child in _list(_document(value, lambda _reason: None).get("subagentComposerIds")):
            if isinstance(child, str) and isinstance(key, str):
                yield child, key[len(_COMPOSER) :]


def where_of(data: Record, known: Where) -> Where:
    """What a conversation's own data says, or else what is known."""
    workspace = _object(_object(data.get("workspaceIdentifier")).get("uri"))
    cwd = text_of(workspace, "fsPath") or path_of_uri(text_of(workspace, "external")) or known.cwd
    repository = next(iter(_list(data.get("trackedGitRepos"))), None)
    tracked = next(iter(_list(_object(repository).get("branches"))), None)
    branch = text_of(data, "createdOnBranch") or text_of(tracked, "branchName") or known.branch
    parent = text_of(data.get("subagentInfo"), "parentComposerId") or known.parent
    return Where(cwd[:4096], branch[:300], text_of(data, "name")[:300] or known.name[:300], parent[:_MOST_ID])


def _value(database: Database, table: str, key: str, report: Report) -> Record:
    query = f"SELECT value FROM {table} WHERE key = ? AND length(value) < ?"
    for (value,) in database.rows(query, key, _MOST_VALUE):
        return _document(value, functools.partial(_tell, report, key))
    return {}


def _document(value: Any, report: Report) -> Record:
    data = value.encode() if isinstance(value, str) else value
    return (read_document(data, lambda _line, reason: report(reason)) or {}) if isinstance(data, bytes) else {}


def _tell(report: Report, key: str, reason: str) -> None:
    report(f"{key[:300]}: {reason}")


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
