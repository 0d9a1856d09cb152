"""What a tool was given, as far as it can be read: JSON of anybody's, of which the end may be missing. Pure."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_READ = 2_000_000  # characters; longer ones are text
_MENDED = 100_000
_CLOSING = {"{": "}", "[": "]"}


class Given(NamedTuple):
    """``arguments`` by name; None where it is no object, or cannot be read: then only the text tells."""

    text: str
    arguments: dict[str, Any] | None = None
    is_cut: bool = False


def read_input(input_json: str) -> Given:
    """The arguments; of a text that was cut those that are whole, and as much as there is of the last one."""
    if len(input_json) > _READ:
        return Given(input_json)
    try:
        given = json.loads(input_json)
    except (ValueError, RecursionError):
        return _mended(input_json)
    return Given(input_json, given if isinstance(given, dict) else None)


def value_text(value: Any) -> str:
    """A value to be read: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    for indent in (2 if isinstance(value, dict | list) else None, None):
        try:
            return json.dumps(value, ensure_ascii=False, indent=indent)
        except (ValueError, RecursionError):  # nested deeply; a number of thousands of digits
            continue
    return "…"


def _mended(text: str) -> Given:
    """What was cut, closed where it ends, or behind the last value that is whole."""
    closed = _closed(text) if len(text) <= _MENDED and text.lstrip()[:1] == "{" else []
    for one in closed:
        try:
            given = json.loads(one)
        except (ValueError, RecursionError):
            continue
        if isinstance(given, dict) and given:
            return Given(text, given, is_cut=True)
    return Given(text)


def _closed(text: str) -> list[str]:
    """Two attempts: with the last text as far as it goes, and without what follows the last comma outside of texts."""
    open_: list[str] = []
    comma: tuple[int, str] = (0, "")
    in_text = is_escaped = False
    escape = 0
    for at, character in enumerate(text):
        if in_text:
            if is_escaped:
                is_escaped = False
            elif character == "\\":
                is_escaped, escape = True, at
            elif character == '"':
                in_text = False
        elif character == '"':
            in_text = True
        elif character in "{[":
            open_.append(_CLOSING[character])
        elif character in "}]":
            if open_:
                open_.pop()
        elif character == ",":
            comma = (at, "".join(reversed(open_)) if len(open_) < 200 else "")
    tail = "".join(reversed(open_))
    # An escape at the very end may be half: \u12.
    whole = (
        text[:escape] if in_text and escape and len(text) - escape < 6 and text[escape:][:2] in ("\\", "\\u") else text
    )
    return [whole + '"' * in_text + tail, text[: comma[0]] + comma[1]]
