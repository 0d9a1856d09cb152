"""What a server must know of a statement before it runs: its kind, where its data comes from, whether it needs space.

Not a parser: the engine parses. This looks at words outside of strings, comments and parentheses.
"""

from __future__ import annotations

from itertools import islice

from agentstore.local.sql.client_clauses import without_client_clauses
from agentstore.local.sql.inserts import analyse_insert
from agentstore.local.sql.statement import Kind, Statement
from agentstore.local.sql.tokens import Token, tokens

_KINDS = {
    "SELECT": Kind.SELECT, "WITH": Kind.SELECT, "FROM": Kind.SELECT, "VALUES": Kind.SELECT, "SET": Kind.SET,
    "SHOW": Kind.ROWS, "DESCRIBE": Kind.ROWS, "DESC": Kind.ROWS, "EXPLAIN": Kind.ROWS, "EXISTS": Kind.ROWS,
    "CHECK": Kind.ROWS, "KILL": Kind.ROWS,
}  # fmt: skip


# Statements that write. One that is missing here would be begun on a full disk.
_GROWING = frozenset(
    {"INSERT", "CREATE", "ALTER", "OPTIMIZE", "UPDATE", "DELETE", "ATTACH", "RENAME", "EXCHANGE", "RESTORE"}
)


def analyse(sql: str) -> Statement:
    """Raises MultiStatementError if something follows the semicolon."""
    # In parentheses, too: ``(SELECT 1)`` is a SELECT.
    first = _first_word(sql)
    if first is None:
        return Statement(Kind.EMPTY, sql)
    word = first.text.upper()
    if word == "INSERT":
        return analyse_insert(sql)
    kind = _KINDS.get(word, Kind.OTHER)
    return Statement(kind, without_client_clauses(sql, keeps_outfile=kind is Kind.OTHER))


def needs_space(sql: str) -> bool:
    """Whether the statement may make the store grow, so that it is better not begun on a full disk.

    What frees space (DROP, TRUNCATE, dropped parts) and what every client says when it opens a store that is there
    (CREATE … IF NOT EXISTS) is not among them.
    """
    # Lazily, here and in ``inserts``: an INSERT may have megabytes of rows in its text.
    words = (token.text.upper() for token in tokens(sql) if token.kind == "word" and not token.depth)
    first = next(words, "")
    if first not in _GROWING:
        return False
    head = set(islice(words, 8)) if first in ("CREATE", "ALTER") else set()
    return not ({"IF", "NOT", "EXISTS"} <= head or "TEMPORARY" in head or head & {"DROP", "DETACH"})


def _first_word(sql: str) -> Token | None:
    for token in tokens(sql):
        if token.kind == "other" and token.text in "(;":
            continue
        return token
    return None
