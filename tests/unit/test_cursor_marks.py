"""A ``state.vscdb`` that is read again gives the conversations that have changed, and no others."""

from __future__ import annotations

import json
import pathlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from agentstore.importers import ImportState, Options
from agentstore.importers.cursor.importer import Cursor
from tests.unit.cursor_databases import state_db

ONE, TWO, THREE = (f"{number * 8}-1111-2222-3333-444444444444" for number in "123")
Opened = tuple[pathlib.Path, sqlite3.Connection]


def bubble(text: str, kind: int = 1) -> dict[str, Any]:
    return {"type": kind, "text": text}


@pytest.fixture
def opened(tmp_path: pathlib.Path) -> Iterator[Opened]:
    path = tmp_path / "Cursor" / "User" / "globalStorage" / "state.vscdb"
    composers = {id: {"name": id[:1], "bubbles": {"a": bubble("why?"), "b": bubble("so", 2)}} for id in (ONE, TWO)}
    connection = state_db(path, composers, heads=[(ONE, "hash", {"name": "Called one"})])
    yield path, connection
    connection.close()


def read(path: pathlib.Path, state: ImportState | None = None) -> tuple[set[str], ImportState]:
    """The conversations that are given, and the state after them."""
    history = Cursor().survey([path], Options())
    results = list(history.read(path, state))
    last = results[-1].state
    assert last is not None
    assert last.is_of_sessions
    return {session.id.partition(":")[2] for result in results for session in result.sessions}, last


def put(connection: sqlite3.Connection, key: str, value: Any) -> None:
    connection.execute("INSERT INTO cursorDiskKV VALUES (?, ?)", (key, json.dumps(value).encode()))
    connection.commit()


def test_what_has_not_changed_is_not_given_again(opened: Opened) -> None:
    path, _ = opened
    given, state = read(path)
    assert given == {ONE, TWO}
    assert read(path, state) == (set(), state)


def test_a_bubble_that_is_written_again_and_again_is_seen_each_time(opened: Opened) -> None:
    """Also the newest row of the table, as while an answer is written; of the same length, too."""
    path, connection = opened
    _, state = read(path)
    for text in ("ab", "cd", "ef"):
        put(connection, f"bubbleId:{TWO}:b", {"_v": 3, "bubbleId": "b"} | bubble(text, 2))
        given, state = read(path, state)
        assert given == {TWO}


def test_a_conversation_that_is_new_or_renamed_or_shorter_is_given(opened: Opened) -> None:
    path, connection = opened
    _, state = read(path)
    put(connection, f"composerData:{THREE}", {"composerId": THREE, "fullConversationHeadersOnly": [{"bubbleId": "a"}]})
    put(connection, f"bubbleId:{THREE}:a", {"_v": 3, "bubbleId": "a"} | bubble("else"))
    given, state = read(path, state)
    assert given == {THREE}
    connection.execute("UPDATE composerHeaders SET value = ?", (json.dumps({"name": "Called otherwise"}),))
    connection.commit()
    given, state = read(path, state)
    assert given == {ONE}
    connection.execute("DELETE FROM cursorDiskKV WHERE key = ?", (f"bubbleId:{TWO}:b",))
    connection.commit()
    given, state = read(path, state)
    assert given == {TWO}


def test_in_a_table_that_may_change_rows_in_place_nothing_counts_as_known(opened: Opened) -> None:
    path, connection = opened
    connection.execute("CREATE TABLE other (key TEXT UNIQUE, value BLOB)")
    connection.execute("INSERT INTO other SELECT key, value FROM cursorDiskKV")
    connection.execute("DROP TABLE cursorDiskKV")
    connection.execute("ALTER TABLE other RENAME TO cursorDiskKV")
    connection.commit()
    _, state = read(path)
    assert read(path, state)[0] == {ONE, TWO}
