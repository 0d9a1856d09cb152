"""Totals and extremes of a SELECT, which the engine leaves out of the Native format and out of every stream.

It gives them at the end of a text, so a query that has them is run once more for that. The text goes through a pipe: no
more than one row and what follows the rows is kept of it, whatever its size. The values come back as Native blocks
through the engine itself, which reads them with the types of the result.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.errors import EngineError
from agentstore.local.engine.syntax_tree import query_tree_of
from agentstore.local.session.query_settings import PLAIN_DESCRIBE
from agentstore.local.session.spool import Spool
from agentstore.local.sql.quoting import identifier, literal

_FORMAT = "JSONCompactStringsEachRowWithProgress"
# What a pipe holds.
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Extras:
    """Native blocks: one row of totals; minimum and maximum. Empty where the query has none."""

    totals: bytes = b""
    extremes: bytes = b""
    # How many rows the result had before its LIMIT; None where no limit was applied.
    rows_before_limit: int | None = None


def is_suspect(sql: str) -> bool:
    """Whether the text has a word that a query with totals or extremes cannot do without."""
    lowered = sql.lower()
    return "totals" in lowered or "extremes" in lowered


def has_extras(connection: EngineConnection, sql: str) -> bool:
    """Whether there is a WITH TOTALS or a setting ``extremes`` in this SELECT, by the engine's parser."""
    try:
        tree = query_tree_of(connection, sql)
    except EngineError:  # no SELECT with clauses (VALUES), or one that fails when it is run
        return False
    for node in tree.walk():
        words = node.text.split(" ")
        if words[0] == "QUERY" and "is_group_by_with_totals: 1" in node.text:
            return True
        if words[0] == "SETTINGS" and any(word.startswith("extremes=") and word != "extremes=0" for word in words):
            return True
    return False


def read_extras(connection: EngineConnection, sql: str, directory: str) -> Extras:
    """Values too large for memory wait in ``directory``. Raises EngineError."""
    lines = _read_end(connection, sql)
    structure = ", ".join(f"{identifier(column['name'])} {column['type']}" for column in lines.get("meta", ()))

    def block(*rows: Sequence[str]) -> bytes:
        spool = Spool(directory)
        try:
            spool.write("\n".join(json.dumps(row) for row in rows).encode())
            source = f"file({literal(spool.path())}, JSONCompactStringsEachRow, {literal(structure)})"
            return connection.run(f"SELECT * FROM {source}{PLAIN_DESCRIBE}, extremes = 0").data
        finally:
            spool.close()

    return Extras(
        block(lines["totals"]) if "totals" in lines else b"",
        block(lines["min"], lines["max"]) if "min" in lines else b"",
        int(lines["rows_before_limit_at_least"]) if "rows_before_limit_at_least" in lines else None,
    )


def _read_end(connection: EngineConnection, sql: str) -> dict[str, Any]:
    """What the text says beside the rows, by what each line is called."""
    reading, writing = os.pipe()
    end = _End()
    # Read while it is written: the engine would stop for ever where the pipe is full.
    thread = threading.Thread(target=end.read, args=(reading,), name="agentstore-totals")
    thread.start()
    try:
        connection.run(f"{sql}\nINTO OUTFILE '/dev/fd/{writing}' APPEND FORMAT {_FORMAT}")
    finally:
        # Closed before the thread is waited for: that is the end of file it reads up to.
        os.close(writing)
        thread.join()
        os.close(reading)
    return end.lines()


class _End:
    """Reads a text of lines and forgets the rows."""

    _ROW = b'\n{"row":'

    def __init__(self) -> None:
        # What comes before the first row: the names of the columns, and progress where that took long.
        self._head = b""
        self._kept = bytearray()

    def read(self, pipe: int) -> None:
        while piece := os.read(pipe, _PIECE_BYTES):
            # The mark may have come in two pieces.
            start = max(0, len(self._kept) - len(self._ROW))
            self._kept += piece
            row = self._kept.rfind(self._ROW, start)
            if row > 0:
                self._head = self._head or bytes(self._kept[: self._kept.index(self._ROW)])
                del self._kept[:row]

    def lines(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for line in [*self._head.split(b"\n"), *bytes(self._kept).split(b"\n")]:
            if line and not line.startswith(self._ROW[1:]):
                found |= json.loads(line.decode("utf-8", "replace"))
        return found
