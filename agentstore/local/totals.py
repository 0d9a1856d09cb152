"""Totals and extremes of a SELECT, which the engine leaves out of the Native format.

It gives them as JSON, so a query that asks for them is run once more for that; the values come back as Native blocks
through the engine itself, which reads the JSON with the types of the result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .engine import EngineConnection
from .overlay import PLAIN_DESCRIBE, identifier, literal
from .protocol import Setting

_ASKED_FOR = re.compile(r"\b(?:WITH\s+TOTALS|extremes)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Extras:
    """Native blocks: one row of totals; minimum and maximum. Empty where the query has none."""

    totals: bytes = b""
    extremes: bytes = b""


def may_have_extras(sql: str, settings: Sequence[Setting]) -> bool:
    by_setting = any(setting.name == "extremes" and setting.value not in ("0", "") for setting in settings)
    return by_setting or _ASKED_FOR.search(sql) is not None


def read_extras(connection: EngineConnection, sql: str) -> Extras:
    """Raises EngineError."""
    answer = json.loads(connection.text(sql, "JSONCompactStrings"))
    structure = ", ".join(f"{identifier(column['name'])} {column['type']}" for column in answer["meta"])

    def block(rows: list[list[str]]) -> bytes:
        lines = "\n".join(json.dumps(row) for row in rows)
        source = f"format(JSONCompactStringsEachRow, {literal(structure)}, {literal(lines)})"
        return connection.run(f"SELECT * FROM {source}{PLAIN_DESCRIBE}, extremes = 0").data

    totals, extremes = answer.get("totals"), answer.get("extremes")
    return Extras(
        block([totals]) if totals else b"",
        block([extremes["min"], extremes["max"]]) if extremes else b"",
    )
