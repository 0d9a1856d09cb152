"""Cursor's databases as tests make them."""

from __future__ import annotations

import hashlib
import json
import pathlib
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from tests.unit.databases import opened

Message = dict[str, Any]


def varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def store_db(
    path: pathlib.Path, messages: Sequence[Message], *, nodes: int = 1, mode: str = "wal", **meta: Any
) -> sqlite3.Connection:
    """``store.db`` of the CLI, left open: messages below a root, or below so many nodes below it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = opened(path)
    connection.execute(f"PRAGMA journal_mode={mode}")
    fill_store(connection, messages, nodes, meta)
    return connection


def fill_store(
    connection: sqlite3.Connection, messages: Sequence[Message], nodes: int, meta: Mapping[str, Any]
) -> None:
    connection.execute("CREATE TABLE blobs (id TEXT PRIMARY KEY, data BLOB)")
    connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")

    def put(data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (digest.hex(), data))
        return digest

    # Backwards, since the order of rows means nothing.
    ids = [put(json.dumps(message).encode()) for message in reversed(messages)][::-1]
    if nodes > 1:
        size = -(-len(ids) // nodes)
        parts = [ids[at : at + size] for at in range(0, len(ids), size)]
        ids = [put(b"".join(field(1, id) for id in part) + field(3, b"x")) for part in parts]
    root = put(b"".join(field(1, id) for id in ids) + b"\x10\x05" + field(9, b"file:///home/u/my%20shop"))
    document = {"agentId": "a", "latestRootBlobId": root.hex(), "name": "New Agent", **meta}
    connection.execute("INSERT INTO meta VALUES ('0', ?)", (json.dumps(document).encode().hex(),))
    connection.commit()


def state_db(
    path: pathlib.Path,
    composers: Mapping[str, Mapping[str, Any]],
    *,
    items: Mapping[str, Any] | None = None,
    heads: Sequence[tuple[str, str, Any]] = (),
    as_text: bool = False,
) -> sqlite3.Connection:
    """``state.vscdb`` of the editor, left open. The bubbles of a composer are in its ``bubbles``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = opened(path)
    connection.execute("PRAGMA journal_mode=wal")
    fill_state(connection, composers, items or {}, as_text=as_text)
    if heads:
        connection.execute(
            "CREATE TABLE composerHeaders (composerId TEXT PRIMARY KEY, workspaceId TEXT, isSubagent INTEGER,"
            " value TEXT)"
        )
        connection.executemany(
            "INSERT INTO composerHeaders VALUES (?, ?, 0, ?)", [(id, at, json.dumps(value)) for id, at, value in heads]
        )
    connection.commit()
    return connection


def fill_state(
    connection: sqlite3.Connection,
    composers: Mapping[str, Mapping[str, Any]],
    items: Mapping[str, Any],
    *,
    as_text: bool = False,
) -> None:
    for table in ("ItemTable", "cursorDiskKV"):
        connection.execute(f"CREATE TABLE {table} (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)")

    def put(table: str, key: str, value: Any) -> None:
        made = value if isinstance(value, (bytes, str)) or value is None else json.dumps(value)
        made = made.encode() if isinstance(made, str) and not as_text else made
        connection.execute(f"INSERT INTO {table} VALUES (?, ?)", (key, made))

    for id, composer in composers.items():
        bubbles = composer.get("bubbles", {})
        headers = [{"bubbleId": key, "type": one.get("type")} for key, one in bubbles.items()]
        kept = {key: value for key, value in composer.items() if key != "bubbles"}
        put("cursorDiskKV", f"composerData:{id}", {"composerId": id, "fullConversationHeadersOnly": headers} | kept)
        for key, one in bubbles.items():
            put("cursorDiskKV", f"bubbleId:{id}:{key}", {"_v": 3, "bubbleId": key} | one)
    for key, value in items.items():
        put("ItemTable", key, value)
    connection.commit()
