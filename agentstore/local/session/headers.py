"""The columns of results and tables, as the engine describes them or as its blocks show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentstore.local.engine.connection import Chunk, EngineConnection
from agentstore.local.protocol.blocks import block_bounds, block_columns
from agentstore.local.protocol.column_shapes import UnmeasurableTypeError
from agentstore.local.protocol.columns import column_of
from agentstore.local.session.query_settings import PLAIN_DESCRIBE
from agentstore.local.sql.quoting import identifier


def described(connection: EngineConnection, sql: str) -> list[tuple[str, str]]:
    rows = connection.describe(f"DESCRIBE TABLE ({sql}\n){PLAIN_DESCRIBE}")
    return [(row["name"], row["type"]) for row in rows]


def has_hidden_zone(header: Sequence[tuple[str, str]]) -> bool:
    """Whether the engine's blocks call a column DateTime that has a zone, and have only columns that can be found."""
    try:
        for _, kind in header:
            column_of(kind)
    except UnmeasurableTypeError:
        return False
    return any(kind.startswith("DateTime(") for _, kind in header)


def visible_header(block: bytes) -> list[tuple[str, str]] | None:
    """Names and types of the columns; None if there is a column whose end cannot be found."""
    try:
        return block_columns(block)
    except UnmeasurableTypeError:
        return None


def one_per_block(result: Chunk) -> list[Chunk]:
    """A result that came in one piece, cut into its blocks; what was read counts with the first."""
    bounds = block_bounds(result.data)
    if len(bounds) == 1:
        return [result]
    pieces = [Chunk(result.data[start:end], rows) for start, end, rows in bounds]
    pieces[0] = replace(result, data=pieces[0].data, rows=pieces[0].rows)
    return pieces


def defaults(table: list[dict[str, str]]) -> str:
    """The columns of a table as text, in the engine's own form; "" for a table without defaults, which needs none."""
    if not any(row["default_type"] for row in table):
        return ""
    lines = [f"columns format version: 1\n{len(table)} columns:\n"]
    for row in table:
        lines.append(f"{identifier(row['name'])} {row['type']}")
        if row["default_type"]:
            expression = row["default_expression"].replace("\\", "\\\\").replace("\t", "\\t")
            lines.append(f"\t{row['default_type']}\t{expression}".replace("\n", "\\n"))
        lines.append("\n")
    return "".join(lines)
