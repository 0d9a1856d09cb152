"""Which files a patch is about: those of ``apply_patch``, and unified diffs as git and ``diff`` write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentstore.models import FileOperation

_LONGEST = 16 * 1024 * 1024
_HEADER = re.compile(r"^\*\*\* (?:(Add|Update|Delete) File|(Move) to): ([^\n]{1,4096})$", re.MULTILINE)
_BEGINS = re.compile(r"^\*\*\* Begin Patch\b", re.MULTILINE)
_OPERATIONS: dict[str, FileOperation] = {"Add": "write", "Update": "edit", "Delete": "delete"}
_DIFF = re.compile(
    r"^(?:--- ([^\n]{1,4096})\n\+\+\+ ([^\n]{1,4096})\n@@|rename from ([^\n]{1,4096})\nrename to ([^\n]{1,4096})$)",
    re.MULTILINE,
)
_TIME = re.compile(r"\t.*|\s+\d{4}-\d\d-\d\d .*")
_NOTHING = "/dev/null"


class Touched(NamedTuple):
    """What was done with a file, whose path is as it was told, relative to ``base`` (and that to where the agent was).

    ``moved_to`` is the new path of what was moved.
    """

    operation: FileOperation
    path: str
    moved_to: str = ""
    base: str = ""


def in_patch(text: str) -> Iterator[Touched]:
    """The files of an ``apply_patch``, or of a diff."""
    text = text[:_LONGEST].replace("\r\n", "\n")
    if _BEGINS.search(text) or text.startswith("*** "):
        yield from _in_apply_patch(text)
    else:
        yield from _in_diff(text)


def _in_apply_patch(text: str) -> Iterator[Touched]:
    # In a patch every line of a file begins with " ", "+" or "-": what begins with "***" is a header.
    last: Touched | None = None
    for kind, moves, path in _HEADER.findall(text):
        if moves:
            last = last and Touched("move", last.path, path.strip())
            continue
        if last:
            yield last
        last = Touched(_OPERATIONS[kind], path.strip())
    if last:
        yield last


def _in_diff(text: str) -> Iterator[Touched]:
    moved: set[str] = set()
    for old, new, moved_from, moved_to in _DIFF.findall(text):
        if moved_from:
            moved.add(moved_to)
            yield Touched("move", _unquoted(moved_from), _unquoted(moved_to))
            continue
        old, new = _unquoted(_TIME.sub("", old)), _unquoted(_TIME.sub("", new))
        if old.startswith("a/") or new.startswith("b/"):
            old, new = old.removeprefix("a/"), new.removeprefix("b/")
        if new == _NOTHING:
            yield Touched("delete", old)
        elif new not in moved:
            yield Touched("write" if old == _NOTHING else "edit", new)


def _unquoted(path: str) -> str:
    path = path.strip()
    return path[1:-1] if len(path) > 1 and path[0] == path[-1] == '"' else path
