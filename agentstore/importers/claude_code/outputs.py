"""Results that were too long for the transcript: a stub stands in their place, the whole text elsewhere.

It is in ``toolUseResult`` of the same line, or in a file of its own, ``<session>/tool-results/<id>.txt``, which a
``ReadOutput`` reads: it gets a bare file name, never a path, whatever the stub says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from agentstore.importers.claude_code.blocks import result_text
from agentstore.importers.claude_code.lines import content_of, value_of

ReadOutput = Callable[[str], str | None]

STUB = "<persisted-output>"
_SAVED = re.compile(r"Output too large \((\d{1,9}(?:\.\d{1,3})?) ?([KMG]?)B\)\. Full output saved to: ([^\n]{1,4096})")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def whole_output(stub: str, tool_id: str, raw: msgspec.Raw, read: ReadOutput | None) -> str:
    """The result as the tool gave it, for a stub (it begins with ``STUB``); the stub where nothing has more."""
    inline = max(_texts(value_of(raw)), key=len, default="")
    found = _SAVED.search(stub)
    size = float(found.group(1)) * _UNITS[found.group(2)] if found else 0.0
    # The sizes in stubs are rounded; and of some results line numbers were counted in that ``toolUseResult`` omits.
    if read is not None and len(inline.encode("utf-8", errors="replace")) < 0.8 * size:
        saved = (read(name) for name in _names(found.group(3) if found else "", tool_id))
        inline = max(inline, next(filter(None, saved), ""), key=len)
    # The stub quotes the beginning of the text, and so is itself longer than a short one.
    return inline if len(inline) > len(stub) // 2 else stub


def _names(path: str, tool_id: str) -> Iterator[str]:
    for name in (re.split(r"[/\\]", path)[-1].strip(), f"{tool_id}.txt"):
        if _NAME.fullmatch(name) and ".." not in name:
            yield name


def _texts(value: Any) -> Iterator[str]:
    """The texts of a structured result that may be its output."""
    if isinstance(value, (str, list)):
        yield result_text(content_of(value))
    elif isinstance(value, dict):
        outputs = [value.get("stdout"), value.get("stderr")]
        yield "\n".join(part for part in outputs if isinstance(part, str) and part)
        for key in ("content", "result", "output", "text"):
            yield result_text(content_of(value.get(key)))
        file = value.get("file")
        if isinstance(file, dict):
            yield result_text(content_of(file.get("content")))
