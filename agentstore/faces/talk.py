"""A session as one reads it: who said what, without what machines said to each other. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

_BEGINS, _ENDS = "[Thinking]\n", "\n[/Thinking]"


class Part(NamedTuple):
    """A stretch of a message: thinking, or what was said."""

    text: str
    is_thinking: bool = False


def parts_of(content: str) -> Iterator[Part]:
    """The stretches of a message, in order, none of them empty."""
    position = 0
    while (begins := content.find(_BEGINS, position)) >= 0:
        inside = begins + len(_BEGINS)
        # Looked for once: where there is no end, none of the later beginnings has one either.
        if (ends := content.find(_ENDS, inside)) < 0:
            break
        yield from _said(content[position:begins])
        if content[inside:ends].strip():
            yield Part(content[inside:ends].strip("\n"), is_thinking=True)
        position = ends + len(_ENDS)
        position += content.startswith("\n", position)
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


def input_text(input_json: str) -> str:
    """What a tool was given, to be read: a line for each argument, texts of many lines below its name."""
    try:
        given = json.loads(input_json)
    except (ValueError, RecursionError):
        return input_json
    if not isinstance(given, dict):
        return input_json
    return "\n".join(_argument(name, value) for name, value in given.items())


def _argument(name: str, value: object) -> str:
    if not isinstance(value, str):
        return f"{name}: {json.dumps(value, ensure_ascii=False)}"
    if "\n" not in value.strip("\n"):
        return f"{name}: {value.strip(chr(10))}"
    return f"{name}:\n" + "\n".join(f"  {line}" for line in value.strip("\n").split("\n"))
