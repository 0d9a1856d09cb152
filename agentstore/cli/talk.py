"""A session as one reads it: who said what, without what machines said to each other. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_THINKING = re.compile(r"\[Thinking\]\n(.*?)\n\[/Thinking\]\n?", re.DOTALL)


class Part(NamedTuple):
    """A stretch of a message: thinking, or what was said."""

    text: str
    is_thinking: bool = False


def parts_of(content: str) -> Iterator[Part]:
    """The stretches of a message, in order, none of them empty."""
    position = 0
    for found in _THINKING.finditer(content):
        yield from _said(content[position : found.start()])
        if found.group(1).strip():
            yield Part(found.group(1).strip("\n"), is_thinking=True)
        position = found.end()
    yield from _said(content[position:])


def _said(text: str) -> Iterator[Part]:
    if text.strip():
        yield Part(text.strip("\n"))


def first_lines(text: str, most: int) -> tuple[str, int]:
    """The first lines of a text, and how many are left out; 0: all of them."""
    lines = text.split("\n")
    if not most or len(lines) <= most + 1:  # to say that one is missing takes a line, too
        return text, 0
    return "\n".join(lines[:most]), len(lines) - most
