"""Small transcripts of Copilot and Cursor, as (agent, path, bytes, shape, what lies beside them)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tests.unit import test_copilot_events as events
from tests.unit import test_copilot_vscode as chats
from tests.unit import test_cursor_databases as databases
from tests.unit import test_cursor_transcripts as transcripts
from tests.unit.cursor_databases import fill_state, fill_store

Shape = Literal["lines", "document", "database"]
Seed = tuple[str, str, bytes, Shape, Mapping[str, bytes]]


def seeds() -> Iterator[Seed]:
    yield from _copilot()
    yield from _vscode()
    yield from _cursor()


def _copilot() -> Iterator[Seed]:
    folder = f"session-state/{events.ID}"
    beside = {f"{folder}/workspace.yaml": b"name: Fixing\n"}
    yield "copilot", f"{folder}/events.jsonl", events.lines(*events.LONGER), "lines", beside


def _vscode() -> Iterator[Seed]:
    folder = "User/workspaceStorage/0a1b"
    beside = {f"{folder}/workspace.json": b'{"folder": "file:///home/u/shop"}'}
    path = f"{folder}/chatSessions/{chats.ID}"
    yield "vscode-copilot", f"{path}.json", json.dumps(chats.CHAT, indent=1).encode(), "document", beside
    request = chats.REQUEST
    log: list[dict[str, Any]] = [
        {"kind": 0, "v": {**chats.CHAT, "requests": []}},
        {"kind": 2, "k": ["requests"], "v": [{**request, "response": [], "result": None}]},
        {"kind": 2, "k": ["requests", 0, "response"], "v": request["response"][:4]},
        {"kind": 2, "k": ["requests", 0, "response"], "i": 3, "v": request["response"][3:]},
        {"kind": 1, "k": ["requests", 0, "result"], "v": request["result"]},
        {"kind": 2, "k": ["requests"], "v": [{"requestId": "r2", "message": "thanks", "response": [{"value": "."}]}]},
    ]
    yield "vscode-copilot", f"{path}.jsonl", chats.entries(*log), "lines", beside


def _cursor() -> Iterator[Seed]:
    id = transcripts.ID
    meta = {f".cursor/chats/0a1b/{id}/meta.json": b'{"createdAtMs": 1772438400000, "updatedAtMs": 1772438405000}'}
    path = f".cursor/projects/home-u-my-shop/agent-transcripts/{id}/{id}.jsonl"
    yield "cursor", path, transcripts.lines(*transcripts.WHOLE), "lines", meta
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        fill_store(connection, databases.MESSAGES, 1, {"createdAt": databases.NOW})
        yield "cursor", f".cursor/chats/0a1b/{id}/store.db", connection.serialize(), "database", meta
    connection.close()
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        fill_state(connection, {id: databases.COMPOSER, databases.OTHER: databases.CHILD}, {})
        yield "cursor", "Cursor/User/globalStorage/state.vscdb", connection.serialize(), "database", {}
    connection.close()
