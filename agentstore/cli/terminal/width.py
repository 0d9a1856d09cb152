"""How wide text is on a terminal: CJK and emoji take two columns, combining marks none. Pure."""

from __future__ import annotations

import textwrap

from rich.cells import cell_len, chop_cells, set_cell_size

ELLIPSIS = "…"


def width(text: str) -> int:
    """The columns that safe text takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, columns: int) -> str:
    """The text in at most so many columns; where it is cut, the last one says so."""
    if width(text) <= columns:
        return text
    if columns < 1:
        return ""
    return set_cell_size(text, columns - 1).rstrip() + ELLIPSIS


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """The text in exactly so many columns, cut where it is longer."""
    text = cut(text, columns)
    space = " " * (columns - width(text))
    return space + text if right else text + space


def folded(text: str, columns: int) -> list[str]:
    """One line of text as lines of so many columns, broken between words where that is possible.

    Spaces at a break stay at the end of the line before it.
    """
    columns = max(1, columns)
    if width(text) <= columns:
        return [text]
    if text.isascii():
        wrapped = textwrap.wrap(text, columns, replace_whitespace=False, drop_whitespace=False, break_on_hyphens=False)
        return _without_leading_spaces(wrapped)
    found, current, used = [], "", 0
    for word in _words(text):
        for piece in chop_cells(word, columns) if width(word) > columns else [word]:
            if current and used + width(piece.rstrip()) > columns:
                found.append(current)
                current, used = "", 0
            current += piece
            used += width(piece)
    return [*found, current]


def _without_leading_spaces(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        rest = line.lstrip(" ")
        if found:
            found[-1] += line[: len(line) - len(rest)]
        if not found or rest:
            found.append(rest if found else line)
    return found or [""]


def _words(text: str) -> list[str]:
    """The words, each with the spaces after it."""
    found = []
    start = 0
    for at, character in enumerate(text):
        if character == " " and text[at + 1 : at + 2] != " ":
            found.append(text[start : at + 1])
            start = at + 1
    return [*found, text[start:]]
