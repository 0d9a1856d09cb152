"""What a server must know of a statement before it runs: its kind, where its data comes from, and its client-side ends.

Not a parser: the engine parses. This looks at words outside of strings, comments and parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|//[^\n]*|\#(?:!|\ )[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<string>'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\Z)|‘[^’]*(?:’|\Z)|(?P<tag>\$[^$]*\$).*?(?P=tag))
      | (?P<name>`[^`\\]*(?:(?:\\.|``)[^`\\]*)*(?:`|\Z)|"[^"\\]*(?:(?:\\.|"")[^"\\]*)*(?:"|\Z)|“[^”]*(?:”|\Z))
      | (?P<word>[^\W\d][\w$]*)
      | (?P<other>[\w.]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


INPUT_TABLE = "agentstore_input"
"""The temporary table that stands for `input('…')`."""


class Kind(Enum):
    SELECT = "select"
    """Its result can be streamed."""
    INSERT_BLOCKS = "insert"
    """The rows come from the client as blocks."""
    SET = "set"
    ROWS = "rows"
    """Answers with rows (SHOW, DESCRIBE, …) but cannot be streamed."""
    OTHER = "other"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int
    depth: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words

    def is_mark(self, mark: str) -> bool:
        return self.kind == "other" and self.text == mark


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` is ready for the engine: no FORMAT of the client's, no trailing semicolon.

    For an INSERT whose rows come as blocks, `target` is the text that names the table and `columns` the names in the
    column list, None where there is no list. A list that holds more than names is in `column_list` as text. Where a
    SELECT reads the blocks by `input('…')`, that is INPUT_TABLE in `sql`, and `structure` the literal.
    """

    kind: Kind
    sql: str
    target: str = ""
    columns: tuple[str, ...] | None = None
    column_list: str = ""
    structure: str = ""


class MultiStatementError(ValueError):
    """More than one statement in one query."""


def tokens(sql: str, start: int = 0) -> Iterator[Token]:
    """The tokens of `sql` from `start`, without comments and white space; `depth` counts open parentheses."""
    depth = 0
    for match in _TOKEN.finditer(sql, start):
        kind = match.lastgroup or "other"
        if kind == "skip":
            continue
        text = match[0]
        if text in (")", "]", "}"):
            depth -= 1
        yield Token(kind, text, match.start(), match.end(), depth)
        if text in ("(", "[", "{"):
            depth += 1


def analyse(sql: str) -> Statement:
    """Raises MultiStatementError if something follows the semicolon."""
    first = _first_word(sql)
    if first is None:
        return Statement(Kind.EMPTY, sql)
    word = first.text.upper()
    if word == "INSERT":
        return _insert(sql)
    kind = _KINDS.get(word, Kind.OTHER)
    return Statement(kind, _without_client_ends(sql, keeps_outfile=kind is Kind.OTHER))


_GROWING = frozenset(
    {"INSERT", "CREATE", "ALTER", "OPTIMIZE", "UPDATE", "DELETE", "ATTACH", "RENAME", "EXCHANGE", "RESTORE"}
)


def needs_space(sql: str) -> bool:
    """Whether the statement may make the store grow, so that it is better not begun on a full disk.

    What frees space (DROP, TRUNCATE, dropped parts) and what every client says when it opens a store that is there
    (CREATE … IF NOT EXISTS) is not among them.
    """
    words = (token.text.upper() for token in tokens(sql) if token.kind == "word" and not token.depth)
    first = next(words, "")
    if first not in _GROWING:
        return False
    head = set(islice(words, 8)) if first in ("CREATE", "ALTER") else set()
    return not ({"IF", "NOT", "EXISTS"} <= head or "TEMPORARY" in head or head & {"DROP", "DETACH"})


_KINDS = {
    "SELECT": Kind.SELECT, "WITH": Kind.SELECT, "FROM": Kind.SELECT, "VALUES": Kind.SELECT, "SET": Kind.SET,
    "SHOW": Kind.ROWS, "DESCRIBE": Kind.ROWS, "DESC": Kind.ROWS, "EXPLAIN": Kind.ROWS, "EXISTS": Kind.ROWS,
    "CHECK": Kind.ROWS, "KILL": Kind.ROWS,
}  # fmt: skip


def _first_word(sql: str) -> Token | None:
    for token in tokens(sql):
        if token.kind == "other" and token.text in "(;":
            continue
        return token
    return None


def _without_client_ends(sql: str, *, keeps_outfile: bool) -> str:
    """The statement without what only a client acts on: the semicolon, INTO OUTFILE and FORMAT."""
    lowered = sql.lower()
    if not any(end in lowered for end in (";", "format", "outfile")):
        return sql
    found = list(tokens(sql))
    found = found[: _end_of_statement(found)]
    end = found[-1].end if found else 0
    cuts: list[tuple[int, int]] = []
    for index, token in enumerate(found):
        if token.depth:
            continue
        if _is_format(found, index):
            cuts.append((token.start, found[index + 1].end))
        elif token.is_word("INTO") and not keeps_outfile and _is_word_at(found, index + 1, "OUTFILE"):
            cuts.append((token.start, found[_end_of_outfile(found, index)].end))
    for start, stop in reversed(cuts):
        sql = sql[:start] + " " * (stop - start) + sql[stop:]
    return sql[:end]


def _end_of_statement(found: list[Token]) -> int:
    for index, token in enumerate(found):
        if token.is_mark(";"):
            if any(not later.is_mark(";") for later in found[index:]):
                later = next(later for later in found[index:] if not later.is_mark(";"))
                raise MultiStatementError(
                    "Syntax error (Multi-statements are not allowed): failed at position "
                    f"{token.start + 1} (end of query): {later.text[:100]}"
                )
            return index
    return len(found)


def _is_format(found: list[Token], index: int) -> bool:
    """`FORMAT Name` at the end of the statement, or before its last SETTINGS."""
    if not found[index].is_word("FORMAT") or index == 0 or index + 1 >= len(found):
        return False
    if found[index - 1].is_word("FROM", "JOIN", "AS", "SELECT") or found[index - 1].text in (".", ","):
        return False
    following = index + 2
    ends = following == len(found) or _is_word_at(found, following, "SETTINGS", "INTO")
    return found[index + 1].kind == "word" and ends


def _is_word_at(found: list[Token], index: int, *words: str) -> bool:
    return index < len(found) and found[index].is_word(*words)


def _end_of_outfile(found: list[Token], index: int) -> int:
    last = index + 1
    while last + 1 < len(found) and not found[last + 1].is_word("FORMAT", "SETTINGS"):
        last += 1
    return last


def _insert(sql: str) -> Statement:
    """INSERT: does the text hold the rows (or say where they are), or will the client send them as blocks?"""
    seen: list[Token] = []
    for token in tokens(sql):
        if token.depth == 0 and token.is_word("SELECT", "WITH", "FROM", "WATCH", "EXPLAIN") and len(seen) > 1:
            return _insert_select(_without_client_ends(sql, keeps_outfile=True))
        if token.depth == 0 and token.is_word("VALUES") and _follows_target(seen):
            if _rest_is_empty(sql, token.end):
                return _insert_of_blocks(sql, seen, token.start)
            return Statement(Kind.OTHER, sql)
        if token.depth == 0 and token.is_word("FORMAT") and _follows_target(seen):
            return _insert_with_format(sql, seen, token)
        if token.is_mark(";"):
            _end_of_statement(list(tokens(sql, token.start)))
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
    is_function = _is_word_at(seen, target_start, "FUNCTION")
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
    """The names in `(a, b.c, "d")`; None if there is no list, or something else is in it."""
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
        elif token.kind in ("word", "name") or re.fullmatch(r"[\w.]+", token.text):
            name += unquoted(token.text)
        else:
            return None
    return None


def _column_text(sql: str, rest: list[Token]) -> str:
    """What is between the parentheses that `rest` begins with; "" if it begins otherwise."""
    if not rest or not rest[0].is_mark("("):
        return ""
    end = next((token.start for token in rest[1:] if token.is_mark(")") and token.depth == 0), rest[-1].end)
    return sql[rest[0].end : end]


def unquoted(name: str) -> str:
    """An identifier without its quotes and escapes."""
    if name[:1] == "“":
        return name[1:-1]
    if name[:1] not in ('"', "`"):
        return name
    quote = name[0]
    inner = name[1:-1].replace(quote * 2, quote)
    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
