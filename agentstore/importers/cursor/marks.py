"""Which conversations of a ``state.vscdb`` have changed, without reading their bubbles.

A conversation's own row names its bubbles and the time of the last one; it is read. Of the bubbles, which are most of
a database, only the numbers of their rows are asked for, which their index has: a row that is written takes the place
of the one before it under a new number. That is so where the table says ``ON CONFLICT REPLACE``, as Cursor's do; in any
other table nothing tells, and every conversation counts as changed.
"""

from __future__ import annotations

import hashlib

import msgspec

from agentstore.importers.cursor.state_db import Where, where_of
from agentstore.importers.facts import digest_of
from agentstore.importers.jsonl import REFUSED
from agentstore.importers.projects import Repositories
from agentstore.importers.sqlite_files import Database

_BUBBLES, _AFTER = "bubbleId:", "bubbleId;"
_TABLE = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'cursorDiskKV'"


class _Place(msgspec.Struct):
    """What a conversation's row says of where it was held."""

    workspaceIdentifier: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_Place).decode


class Marks:
    """What tells of the conversations of a database that they changed; asked before any of them is read."""

    def __init__(self, database: Database, repositories: Repositories) -> None:
        self._database = database
        self._repositories = repositories
        told = "".join(sql for (sql,) in database.rows(_TABLE) if isinstance(sql, str)).upper()
        self._tells = "ON CONFLICT REPLACE" in told and "WITHOUT ROWID" not in told
        self._bubbles: dict[str, list[int]] = {}
        if self._tells:
            query = "SELECT key, rowid FROM cursorDiskKV WHERE key >= ? AND key < ?"
            for key, number in database.rows(query, _BUBBLES, _AFTER):
                if isinstance(key, str):
                    mark = self._bubbles.setdefault(key.split(":", 2)[1], [0, 0, 0])
                    mark[:] = mark[0] + 1, max(mark[1], number), mark[2] + number

    def proof(self, id: str, known: Where) -> bytes:
        """What changes when a conversation does, or what is known of it; b"" where nothing tells."""
        query = "SELECT CAST(value AS BLOB) FROM cursorDiskKV WHERE key = ?"
        data = next((value for (value,) in list(self._database.rows(query, f"composerData:{id}"))), None)
        # Ids are UUIDs; in another one a colon would hide whose a bubble is.
        if not self._tells or ":" in id or not isinstance(data, bytes):
            return b""
        try:
            cwd = where_of({"workspaceIdentifier": msgspec.json.decode(_decode(data).workspaceIdentifier)}, known).cwd
        except REFUSED:
            return b""
        about = self._repositories.about(cwd) if cwd else self._repositories.everything()
        own = hashlib.blake2b(data, digest_size=16).digest()
        return digest_of(own, self._bubbles.get(id), known, about)
