"""The clauses that only a client acts on, which the engine must not see: the semicolon, INTO OUTFILE, FORMAT."""

from __future__ import annotations

from agentstore.local.sql.statement import MultiStatementError
from agentstore.local.sql.tokens import Token, is_word_at, tokens


def without_client_clauses(sql: str, *, keeps_outfile: bool) -> str:
    """The statement without what only a client acts on: the semicolon, INTO OUTFILE and FORMAT."""
    # Most statements have none of these words, and are not taken apart.
    lowered = sql.lower()
    if not any(end in lowered for end in (";", "format", "outfile")):
        return sql
    found = list(tokens(sql))
    found = found[: end_of_statement(found)]
    end = found[-1].end if found else 0
    cuts: list[tuple[int, int]] = []
    for index, token in enumerate(found):
        # A subquery has no FORMAT of the client's: what is within parentheses is something else of that name.
        if token.depth:
            continue
        if _is_format(found, index):
            cuts.append((token.start, found[index + 1].end))
        elif token.is_word("INTO") and not keeps_outfile and is_word_at(found, index + 1, "OUTFILE"):
            cuts.append((token.start, found[_end_of_outfile(found, index)].end))
    # As many spaces in their place: the engine's errors name positions, and mean the text that the client sent.
    for start, stop in reversed(cuts):
        sql = sql[:start] + " " * (stop - start) + sql[stop:]
    return sql[:end]


def end_of_statement(found: list[Token]) -> int:
    """The index of the semicolon that ends the statement, or behind the last token. Raises MultiStatementError."""
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
    """``FORMAT Name`` at the end of the statement, or before its last SETTINGS."""
    if not found[index].is_word("FORMAT") or index == 0 or index + 1 >= len(found):
        return False
    if found[index - 1].is_word("FROM", "JOIN", "AS", "SELECT") or found[index - 1].text in (".", ","):
        return False
    following = index + 2
    ends = following == len(found) or is_word_at(found, following, "SETTINGS", "INTO")
    return found[index + 1].kind == "word" and ends


def _end_of_outfile(found: list[Token], index: int) -> int:
    last = index + 1
    while last + 1 < len(found) and not found[last + 1].is_word("FORMAT", "SETTINGS"):
        last += 1
    return last
