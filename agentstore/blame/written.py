"""What an edit call wrote, from its arguments. Pure.

Arguments are known by their names, for whichever tool: the text of a whole file, texts that stand for other texts,
patches, and here-documents of a shell. What cannot be told for sure is ``Unknown``: the file was changed, into what is
not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from agentstore.blame.patched import in_patch, is_same
from agentstore.importers.shell_text import command_of, is_shell
from agentstore.models import ToolCall

_WHOLE = ("content", "file_text", "contents", "text", "code", "CodeContent", "file_content", "new_contents")
_PAIRS = (
    ("old_string", "new_string"), ("oldString", "newString"), ("old_str", "new_str"), ("search", "replace"),
    ("oldText", "newText"), ("old_text", "new_text"), ("TargetContent", "ReplacementContent"), ("find", "replace"),
)  # fmt: skip
_INSERTED = ("new_str", "insert_text", "text", "content", "replacement_text", "new_text")
_SEVERAL = ("edits", "replacements", "ReplacementChunks", "operations")
_ALL = ("replace_all", "replaceAll", "AllowMultiple")
_PATCH = ("patchText", "patch", "patch_text", "diff", "input", "content")
_HERE = re.compile(
    r"\bcat\s+(?:>(>?)\s*(\S+)\s*<<-?\s*(['\"]?)(\w{1,60})\3|<<-?\s*(['\"]?)(\w{1,60})\5\s*>(>?)\s*(\S+))[^\n]*\n"
)
_EXPANDED = re.compile(r"[$`\\]")
_MADE = re.compile(r"\bcreated\b|\bnew file\b", re.IGNORECASE)
_OVERWRITTEN = re.compile(r"\boverw|\bupdated\b|\bhas been edited\b", re.IGNORECASE)
_LONGEST = 8 * 1024 * 1024


class Whole(NamedTuple):
    """The whole file. ``is_new``: there was none before; None where that is not told."""

    text: str
    is_new: bool | None = None


class Replaced(NamedTuple):
    """One text in place of another, once or wherever it stands."""

    old: str
    new: str
    everywhere: bool = False


class Hunk(NamedTuple):
    """Lines in place of others, both whole, with those around them."""

    old: tuple[str, ...]
    new: tuple[str, ...]


class Inserted(NamedTuple):
    """A text that was put in somewhere, or at the end."""

    text: str


class Unknown(NamedTuple):
    """Something else."""


Change = Whole | Replaced | Hunk | Inserted | Unknown


def changes_of(call: ToolCall, path: str, operation: str) -> list[Change]:
    """What a call that "write"s or "edit"s did to the file with this path."""
    if len(call.input_json) > _LONGEST:
        return [Unknown()]
    try:
        given = msgspec.json.decode(call.input_json.encode("utf-8", errors="replace"))
    except (msgspec.MsgspecError, RecursionError):
        given = call.input_json
    patch = _patch_in(given, call.tool_name)
    if patch:
        # "Add File" writes over a file that is there, so it does not tell that there was none.
        found = [Whole("\n".join(new)) if old is None else Hunk(old, new) for old, new in in_patch(patch, path)]
        return list(found) or [Unknown()]
    if is_shell(call.tool_name):
        return list(_in_shell(command_of(given), path)) or [Unknown()]
    if not isinstance(given, dict):
        return [Unknown()]
    return list(_in_arguments(given, operation, call.result_content)) or [Unknown()]


def _patch_in(given: Any, tool: str) -> str:
    if isinstance(given, str):
        texts = [given]
    elif isinstance(given, dict):
        command = given.get("command")
        words = command if isinstance(command, list) else [command]
        texts = [one for one in [*words, *(given.get(key) for key in _PATCH)] if isinstance(one, str)]
    else:
        return ""
    is_patch_tool = "patch" in tool.casefold()
    for text in texts:
        if "*** Begin Patch" in text or (is_patch_tool and re.search(r"^(?:\*\*\* |@@|--- )", text, re.MULTILINE)):
            return text
    return ""


def _in_shell(command: str, path: str) -> Iterator[Change]:
    """Here-documents that ``cat`` writes into the file."""
    for found in _HERE.finditer(command):
        append, target, quote, end = found.group(1, 2, 3, 4) if found.group(4) else found.group(7, 8, 5, 6)
        close = re.compile(rf"^\t*{re.escape(end)}$", re.MULTILINE).search(command, found.end())
        if close is None or not is_same(target.strip("\"'"), path):
            continue
        text = command[found.end() : close.start()]
        if not quote and _EXPANDED.search(text):
            yield Unknown()
        else:
            yield Inserted(text) if append else Whole(text)


def _in_arguments(given: dict[str, Any], operation: str, result: str) -> Iterator[Change]:
    several: list[Any] = next((given[key] for key in _SEVERAL if isinstance(given.get(key), list)), [])
    pairs = [one for one in (_pair(each) for each in [given, *several] if isinstance(each, dict)) if one]
    if pairs:
        yield from pairs
    elif operation == "write":
        text = next((given[key] for key in _WHOLE if isinstance(given.get(key), str)), None)
        if text is not None:
            yield Whole(text, _is_new(result))
    elif text := next((given[key] for key in _INSERTED if isinstance(given.get(key), str)), ""):
        yield Inserted(text)


def _pair(given: dict[str, Any]) -> Change | None:
    for old, new in _PAIRS:
        if isinstance(given.get(old), str) and isinstance(given.get(new), str):
            everywhere = any(given.get(key) is True for key in _ALL)
            # An empty text to replace is a new file to some, and an insertion to others.
            return Replaced(given[old], given[new], everywhere) if given[old] else Inserted(given[new])
    return None


def _is_new(result: str) -> bool | None:
    head = result[:200]
    if _OVERWRITTEN.search(head):
        return False
    return True if _MADE.search(head) else None
