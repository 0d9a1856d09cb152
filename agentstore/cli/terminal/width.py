"""How wide text is on a terminal: CJK and emoji take two columns, combining marks none. Pure."""

from __future__ import annotations

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
        return _folded_ascii(text, columns)
    found, current, used = [], "", 0
    for word in _words(text):
        for piece in chop_cells(word, columns) if width(word) > columns else [word]:
            if current and used + width(piece.rstrip()) > columns:
                found.append(current)
                current, used = "", 0
            current += piece
            used += width(piece)
    return [*found, current]


def _folded_ascii(text: str, columns: int) -> list[str]:
    # Not textwrap: it copies what is left for each line, and a line of a megabyte has many.
    found, start = [], 0
    while len(text) - start > columns:
        cut = text.rfind(" ", start, start + columns + 1)
        # Not behind an indentation alone.
        end = cut + 1 if cut > start and text[start:cut].strip(" ") else start + columns
        while text[end : end + 1] == " ":
            end += 1
        found.append(text[start:end])
        start = end
    return [*found, text[start:]] if start < len(text) or not found else found


def _words(text: str) -> list[str]:
    """The words, each with the spaces after it."""
    found = []
    start = 0
    for at, character in enumerate(text):
        if character == " " and text[at + 1 : at + 2] != " ":
            found.append(text[start : at + 1])
            start = at + 1
    return [*found, text[start:]]
