"""Changes of files as lines that were removed, added and kept. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

Kind = Literal["added", "removed", "kept", "place", "file"]

# What is compared line by line: beyond, all old lines and then all new ones are as true. Pairs of equal lines are what
# the comparison takes its time for.
_COMPARED = 1_200
_PAIRS = 20_000
_BEGINS = "*** Begin Patch"
_FILE = re.compile(r"\*\*\* (?:(Add|Update|Delete) File|Move to): (.*)")
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_UNIFIED = re.compile(
    r"\A(?:[^\n]*\n){0,40}?diff --git |\A\s{0,9}(?:"
    r"(?:Index: [^\n]+\n=+\n)?--- [^\n]+\n\+\+\+ [^\n]+\n@@ "
    r"|@@ -\d{1,9}(?:,\d{1,9})? \+\d)"
)


class Line(NamedTuple):
    """``file``: what is no change. ``old``, ``new``: the line's number before and after, 0 where that is unknown."""

    kind: Kind
    text: str
    old: int = 0
    new: int = 0


def is_patch(text: str) -> bool:
    """Whether it is a patch as ``apply_patch`` takes it."""
    return _BEGINS in text[:2_000]


def is_unified(text: str) -> bool:
    """Whether it is the output of a diff, or of ``git show``: what comes before the first file is short."""
    return _UNIFIED.match(text) is not None


def changed_lines(old: str, new: str) -> list[Line]:
    """What became of a text: its numbers begin with it, and where it stands in its file is not known."""
    before, after = _lines(old), _lines(new)
    head = _same(before, after)
    tail = _same(before[head:][::-1], after[head:][::-1])
    inner_before, inner_after = before[head : len(before) - tail], after[head : len(after) - tail]
    return [
        *(Line("kept", text) for text in before[:head]),
        *_compared(inner_before, inner_after),
        *(Line("kept", text) for text in before[len(before) - tail :]),
    ]


def patch_lines(patch: str) -> list[Line]:
    """The lines of a patch of ``apply_patch``, or of what may be one; other lines around it are kept."""
    found: list[Line] = []
    for text in _lines(patch):
        if text.startswith(("*** Begin Patch", "*** End Patch", "*** End of File")):
            continue
        if match := _FILE.match(text):
            found.append(Line("file", f"{match[1] or 'Move to'} {match[2]}"))
        elif text.startswith("@@"):
            found.append(Line("place", text[2:].strip().removesuffix("@@").strip()))
        else:
            found.append(_signed(text))
    return found


def unified_lines(diff: str) -> list[Line]:
    """The lines of a unified diff, numbered by its hunks."""
    found: list[Line] = []
    old = new = old_left = new_left = 0
    for text in _lines(diff):
        if hunk := _HUNK.match(text):
            old, new = int(hunk[1]), int(hunk[3])
            old_left, new_left = int(hunk[2] or 1), int(hunk[4] or 1)
            found.append(Line("place", text))
        elif old_left > 0 or new_left > 0:
            line = _signed(text)
            if text.startswith("\\"):
                found.append(Line("place", text))
                continue
            is_old, is_new = line.kind != "added", line.kind != "removed"
            found.append(line._replace(old=old * is_old, new=new * is_new))
            old, old_left = old + is_old, old_left - is_old
            new, new_left = new + is_new, new_left - is_new
        else:
            found.append(Line("file", text))
    return found


def _signed(text: str) -> Line:
    if text.startswith("+"):
        return Line("added", text[1:])
    if text.startswith("-"):
        return Line("removed", text[1:])
    return Line("kept", text.removeprefix(" "))


def _compared(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    if not before or not after or not _is_cheap(before, after):
        yield from _replaced(before, after)
        return
    for kind, first, end, other, other_end in SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            yield from (Line("kept", text) for text in before[first:end])
        else:
            yield from _replaced(before[first:end], after[other:other_end])


def _replaced(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    yield from (Line("removed", text) for text in before)
    yield from (Line("added", text) for text in after)


def _is_cheap(before: Sequence[str], after: Sequence[str]) -> bool:
    if len(before) + len(after) > _COMPARED:
        return False
    counts = Counter(after)
    return sum(counts[text] for text in before) <= _PAIRS


def _same(before: Sequence[str], after: Sequence[str]) -> int:
    """How many lines are the same at the beginning of both."""
    number = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        number += 1
    return number


def _lines(text: str) -> list[str]:
    """Its lines; the end of the last one is not the beginning of another."""
    return text.removesuffix("\n").split("\n") if text else []
