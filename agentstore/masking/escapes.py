"""Where a token can begin in source bytes, and where a quoted text ends, however deeply JSON stands in JSON.

In a JSON string ``"`` is written ``\\"``, and in JSON within it ``\\\\\\"``: a quote's backslashes tell how deep it is.
A newline there is a backslash and an n, so a token after it seems to follow a letter.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_ESCAPED = frozenset(b"nrtbfu")
# What ends in a letter and is no part of the word after it: \n, \u003d, the colours of a terminal, %3D.
_no_part = re.compile(rb"(?:\\[nrtbf]|\\u[0-9a-fA-F]{4}|\[[0-9;]{0,8}m|%[0-9A-Fa-f]{2})$")
_open = re.compile(rb"[rbfuRBFU]{0,2}(\\{0,15})([\"'`])")
_stop = re.compile(rb"\\+.|[\"'`\r\n]", re.DOTALL)
MAX_VALUE = 4096


class Quoted(NamedTuple):
    """What stands between two quotes."""

    start: int
    end: int
    quote: bytes


def free_before(data: bytes, start: int, *, plain: bool = False) -> bool:
    """Whether a token may begin at ``start``: what is before it is no part of the same word.

    ``plain`` says that its letters are those of base64, where + and / are letters, too, or - where it is for URLs.
    """
    if start == 0 or data[start] not in _WORD:
        return True
    before = data[start - 1]
    if before == 0x5C:  # a backslash: the first letter may belong to it, and a backslash alone is no JSON
        return data[start] not in _ESCAPED
    if before in _WORD:
        return bool(_no_part.search(data, max(0, start - 12), start))
    # A sign at the beginning of a line is a diff's.
    return not (plain and before in b"+/-") or (before != 0x2F and _starts_line(data, start - 1))


def _starts_line(data: bytes, position: int) -> bool:
    return position == 0 or data[position - 1] in b'\r\n"' or data[position - 2 : position] == b"\\n"


def free_after(data: bytes, end: int, *, plain: bool = False) -> bool:
    """Whether a token may end at ``end``."""
    if end >= len(data):
        return True
    after = data[end]
    return after not in _WORD and not (plain and after in b"+/=-")


def opening_quote(data: bytes, position: int) -> re.Match[bytes] | None:
    """The quote at ``position``: its backslashes and the quote itself; letters as in rb"" may stand before it."""
    return _open.match(data, position)


def quoted(data: bytes, opened: re.Match[bytes]) -> Quoted | None:
    """The text after an opening quote up to the quote that closes it; None where it does not end in its line.

    It never holds a double quote that ends a string around it, so that what replaces it leaves that string whole.
    """
    depth, quote = len(opened.group(1)), opened.group(2)
    start = opened.end()
    for found in _stop.finditer(data, start, start + MAX_VALUE):
        what = found.group()
        last, slashes = what[-1:], len(what) - 1
        if last in b"\r\n" or (last == b"\\"):
            return None
        if last == quote and slashes >= depth and (slashes - depth) % (2 * (depth + 1)) == 0:
            return Quoted(start, found.end() - depth - 1, quote)
        if last == b'"' and (quote != b'"' or slashes <= depth):
            return None
        if last not in b"\"'`" and slashes and _ends_line(last, slashes, depth, quote):
            return None
    return None


def _ends_line(letter: bytes, slashes: int, depth: int, quote: bytes) -> bool:
    """Whether an escape within quotes is a newline of the text around them: then the quotes are no pair."""
    if letter not in b"nr":
        return False
    return slashes <= depth if quote == b'"' else slashes == 1
