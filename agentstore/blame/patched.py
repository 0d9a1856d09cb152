"""The lines of a patch that are about one file. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FILE = re.compile(r"^\*\*\* (Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$|^\*\*\* End Patch")
_OLD, _NEW = re.compile(r"^--- (\S.*)$"), re.compile(r"^\+\+\+ (\S.*)$")
_COUNTS = re.compile(r"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")

# Lines that were there, and those in their place; None of a new file.
Lines = tuple[tuple[str, ...] | None, tuple[str, ...]]


def in_patch(text: str, path: str) -> Iterator[Lines]:
    """Hunk by hunk, what the patch does to the file with this path; nothing where that cannot be told for sure."""
    lines = text.replace("\r\n", "\n").split("\n")
    is_plain = any(line.startswith(("*** Begin Patch", "*** Update File", "*** Add File")) for line in lines)
    files = list(_of_apply_patch(lines) if is_plain else _of_diff(lines))
    named = [file for file in files if any(is_same(told, path) for told in file[0])]
    chosen = named or (files if len(files) == 1 else [])
    for _, is_new, hunks in chosen:
        if is_new:
            yield None, tuple(line for _, new in hunks for line in new)
        else:
            yield from ((tuple(old), tuple(new)) for old, new in hunks if old or new)


_Hunks = list[tuple[list[str], list[str]]]
_File = tuple[list[str], bool, _Hunks]


def _of_apply_patch(lines: list[str]) -> Iterator[_File]:
    current: _File | None = None
    for line in lines:
        if header := _FILE.match(line):
            if header.group(3) and current:  # of a move, both names are the file's
                current[0].append(header.group(3).strip())
                continue
            if current:
                yield current
            current = ([header.group(2).strip()], header.group(1) == "Add", [([], [])]) if header.group(2) else None
        elif current and line.startswith("@@"):
            current[2].append(([], []))
        elif current and not line.startswith("*** ") and (line or not current[1]):
            _add(current[2][-1], line)
    if current:
        yield current


def _of_diff(lines: list[str]) -> Iterator[_File]:
    current: _File | None = None
    left = [0, 0]  # lines of the hunk that are still to come, of the old file and of the new one
    old = ""
    for line in lines:
        if current and max(left) > 0 and line[:1] in (" ", "+", "-", ""):
            left[0] -= line[:1] != "+"
            left[1] -= line[:1] != "-"
            _add(current[2][-1], line)
        elif found := _OLD.match(line):
            old = found.group(1)
        elif found := _NEW.match(line):
            if current:
                yield current
            names = [name.split("\t")[0].strip().removeprefix(prefix)
                     for name, prefix in ((old, "a/"), (found.group(1), "b/"))]  # fmt: skip
            current = ([name for name in names if name != "/dev/null"], names[0] == "/dev/null", [])
        elif current and (counts := _COUNTS.match(line)):
            left = [int(count) if count is not None else 1 for count in counts.groups()]
            current[2].append(([], []))
    if current:
        yield current


def _add(hunk: tuple[list[str], list[str]], line: str) -> None:
    old, new = hunk
    if line[:1] in ("-", " ") or not line:
        old.append(line[1:])
    if line[:1] in ("+", " ") or not line:
        new.append(line[1:])


def is_same(told: str, path: str) -> bool:
    """Whether a path as a call told it may be this one of the history."""
    told = told.replace("\\", "/").removeprefix("./")
    return told == path or told.endswith(f"/{path}") or path.endswith(f"/{told}")
