"""INSERT: where its rows come from, the table they go to, and the columns it names."""

from __future__ import annotations

import re

from agentstore.local.sql.client_clauses import end_of_statement, without_client_clauses
from agentstore.local.sql.statement import INPUT_TABLE, Kind, Statement
from agentstore.local.sql.tokens import Token, is_word_at, tokens, unquoted


def analyse_insert(sql: str) -> Statement:
    """INSERT: does the text hold the rows (or say where they are), or will the client send them as blocks?"""
    seen: list[Token] = []
    # Token by token, up to the word that decides: behind it there may be megabytes of rows.
    for token in tokens(sql):
        if token.depth == 0 and token.is_word("SELECT", "WITH", "FROM", "WATCH", "EXPLAIN") and len(seen) > 1:
            return _insert_select(without_client_clauses(sql, keeps_outfile=True))
        if token.depth == 0 and token.is_word("VALUES") and _follows_target(seen):
            if _rest_is_empty(sql, token.end):
                return _insert_of_blocks(sql, seen, token.start)
            return Statement(Kind.OTHER, sql)
        if token.depth == 0 and token.is_word("FORMAT") and _follows_target(seen):
            return _insert_with_format(sql, seen, token)
        if token.is_mark(";"):
            # Only for its error, if another statement follows.
            end_of_statement(list(tokens(sql, token.start)))
            return _insert_of_blocks(sql, seen, token.start)
        seen.append(token)
    return _insert_of_blocks(sql, seen, len(sql))


def _insert_select(sql: str) -> Statement:
    found = list(tokens(sql)) if "input" in sql.lower() else []
    for call in zip(found, found[1:], found[2:], found[3:], found[4:], strict=False):
        before, name, opening, structure, closing = call
        is_call = name.is_word("INPUT") and opening.is_mark("(") and closing.is_mark(")")
        if is_call and before.is_word("FROM", "JOIN") and structure.kind == "string":
            table = sql[: name.start] + INPUT_TABLE + sql[closing.end :]
            return Statement(Kind.INSERT_BLOCKS, table, structure=structure.text)
    return Statement(Kind.OTHER, sql)


def _follows_target(seen: list[Token]) -> bool:
    """False where the word is the table's own name."""
    return not seen[-1].is_word("INTO", "TABLE", "FUNCTION") and not seen[-1].is_mark(".")


def _insert_with_format(sql: str, seen: list[Token], token: Token) -> Statement:
    name = next(tokens(sql, token.end), None)
    if name is None:
        return Statement(Kind.OTHER, sql)
    end = name.end
    if _rest_is_empty(sql, end):
        return _insert_of_blocks(sql, seen, token.start)
    return Statement(Kind.OTHER, sql)


def _rest_is_empty(sql: str, start: int) -> bool:
    return all(token.is_mark(";") for token in tokens(sql, start))


def _insert_of_blocks(sql: str, seen: list[Token], end: int) -> Statement:
    head = sql[:end]
    target_start = 1
    while target_start < len(seen) and seen[target_start].is_word("INTO", "TABLE"):
        target_start += 1
    is_function = is_word_at(seen, target_start, "FUNCTION")
    target_start += is_function
    target_end = target_start
    while target_end < len(seen) and not _ends_target(seen, target_end, is_function):
        target_end += 1
    if target_end == target_start:
        return Statement(Kind.INSERT_BLOCKS, head)
    target = sql[seen[target_start].start : seen[target_end - 1].end]
    columns = _column_names(seen[target_end:])
    column_list = "" if columns is not None else _column_text(sql, seen[target_end:])
    return Statement(Kind.INSERT_BLOCKS, head, target, columns, column_list)


def _ends_target(seen: list[Token], index: int, is_function: bool) -> bool:
    token = seen[index]
    if token.depth == 0 and token.is_word("SETTINGS", "PARTITION"):
        return True
    # The first parentheses after a function's name are its arguments, the next ones the column list.
    return token.depth == 0 and token.is_mark("(") and (not is_function or seen[index - 1].is_mark(")"))


def _column_names(rest: list[Token]) -> tuple[str, ...] | None:
    """The names in ``(a, b.c, "d")``; None if there is no list, or something else is in it."""
    if not rest or not rest[0].is_mark("("):
        return None
    names: list[str] = []
    name = ""
    for token in rest[1:]:
        if token.is_mark(")"):
            return (*names, name) if name else tuple(names)
        if token.is_mark(","):
            names.append(name)
            name = ""
        # A name may be of several tokens, ``b.c``. What is no name (``* EXCEPT``, a function) is left to the engine.
        elif token.kind in ("word", "name") or re.fullmatch(r"[\w.]+", token.text):
            name += unquoted(token.text)
        else:
            return None
    return None


def _column_text(sql: str, rest: list[Token]) -> str:
    """What is between the parentheses that ``rest`` begins with; "" if it begins otherwise."""
    if not rest or not rest[0].is_mark("("):
        return ""
    end = next((token.start for token in rest[1:] if token.is_mark(")") and token.depth == 0), rest[-1].end)
    return sql[rest[0].end : end]
