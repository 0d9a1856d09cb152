"""What a server knows of a statement before it runs it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

# The temporary table that stands for ``input('…')``.
INPUT_TABLE = "agentstore_input"


class Kind(Enum):
    # Its result can be streamed.
    SELECT = "select"
    # The rows come from the client as blocks.
    INSERT_BLOCKS = "insert"
    SET = "set"
    # Answers with rows (SHOW, DESCRIBE, …) but cannot be streamed.
    ROWS = "rows"
    OTHER = "other"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Statement:
    """``sql`` is ready for the engine: no FORMAT of the client's, no trailing semicolon.

    For an INSERT whose rows come as blocks, ``target`` is the text that names the table and ``columns`` the names in
    the column list, None where there is no list. A list that holds more than names is in ``column_list`` as text. Where
    a SELECT reads the blocks by ``input('…')``, that is INPUT_TABLE in ``sql``, and ``structure`` the literal.
    """

    kind: Kind
    sql: str
    target: str = ""
    columns: tuple[str, ...] | None = None
    column_list: str = ""
    structure: str = ""


class MultiStatementError(ValueError):
    """More than one statement in one query."""
