"""The edit calls of a file carried out again, one after the other, to see which of them each line is from. Pure.

A file is known from the first call that writes all of it. While it is known, a call that does not fit (a person edited
in between, or the calls are from different checkouts) makes it unknown again; what such a call wrote is still known as
far as its own arguments tell: lines that it added, and lines that it took away.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from agentstore.blame.differing import common
from agentstore.blame.written import Change, Hunk, Inserted, Replaced, Unknown, Whole


class Edit(NamedTuple):
    """A call that wrote the file, and what it wrote. ``is_fresh``: there was no file before, as far as is stored."""

    session_id: str
    message_ordinal: int
    tool_use_id: str
    call_index: int
    tool_name: str
    when: dt.datetime | None
    changes: Sequence[Change]
    is_fresh: bool = False


class Line(NamedTuple):
    """A line of a known file, and the call that wrote it; ``doubt`` says why it may be another one, "": it is not."""

    text: str
    origin: int
    doubt: str = ""


class Block(NamedTuple):
    """Lines in a row as a call left them, which of them it added, and the doubt about each."""

    lines: Sequence[str]
    added: Sequence[bool]
    doubts: Sequence[str]


class Step(NamedTuple):
    """What one call did: stretches of the file as it left them, and lines that it took away."""

    blocks: list[Block]
    removed: list[str]


class Replay(NamedTuple):
    """What came of all calls. ``file`` is None where the file is not known at the end."""

    steps: list[Step]
    file: list[Line] | None


_AROUND = 3
BEFORE = "the call wrote the whole file: the line may have been there before"
REPEATED = "the call moved or repeated lines like this one"


def replay(edits: Sequence[Edit]) -> Replay:
    """Carry the calls out in the order given."""
    steps: list[Step] = []
    file: list[Line] | None = None
    for origin, edit in enumerate(edits):
        step = Step([], [])
        for change in edit.changes:
            file = _carried_out(change, origin, edit.is_fresh, file, step)
        steps.append(step)
    return Replay(steps, file)


def _carried_out(change: Change, origin: int, is_fresh: bool, file: list[Line] | None, step: Step) -> list[Line] | None:
    if isinstance(change, Whole):
        return _whole(change, origin, is_fresh, file, step)
    if isinstance(change, Unknown):
        return None
    if isinstance(change, Inserted):
        lines = _lines(change.text)
        step.blocks.append(Block(lines, [True] * len(lines), [""] * len(lines)))
        return None
    if file is not None and (changed := _changed(change, file)) is not None:
        return _stepped(file, changed, origin, step)
    old, new = _told(change)
    _fragment(old, new, step)
    return None


def _whole(change: Whole, origin: int, is_fresh: bool, file: list[Line] | None, step: Step) -> list[Line]:
    lines = _lines(change.text)
    is_new = change.is_new or (is_fresh and change.is_new is None)
    if file is not None and not is_new:
        return _stepped(file, lines, origin, step)
    doubt = "" if is_new else BEFORE
    step.blocks.append(Block(lines, [True] * len(lines), [doubt] * len(lines)))
    return [Line(line, origin, doubt) for line in lines]


def _changed(change: Replaced | Hunk, file: list[Line]) -> list[str] | None:
    """The file's lines after the change; None where it does not fit."""
    texts = [line.text for line in file]
    if isinstance(change, Hunk):
        position = _position(texts, change.old)
        return None if position is None else [*texts[:position], *change.new, *texts[position + len(change.old) :]]
    text = "\n".join(texts) + "\n"
    old, new = change.old.replace("\r\n", "\n"), change.new.replace("\r\n", "\n")
    count = text.count(old)
    if not count or (count > 1 and not change.everywhere):
        return None
    return _lines(text.replace(old, new))


def _position(texts: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Where these lines stand in a row; None where they do not, or at several places."""
    if not wanted:
        return None
    places = [
        at for at in range(len(texts) - len(wanted) + 1)
        if texts[at] == wanted[0] and tuple(texts[at : at + len(wanted)]) == tuple(wanted)
    ]  # fmt: skip
    return places[0] if len(places) == 1 else None


def _stepped(file: list[Line], lines: list[str], origin: int, step: Step) -> list[Line]:
    """The file with these lines, each of which keeps its origin where it was there before."""
    before = [line.text for line in file]
    first, end = _same_ends(before, lines)
    told = _compared(before[first : len(before) - end], lines[first : len(lines) - end])
    step.removed.extend(told.removed)
    after = file[:first]
    for line in told.lines:
        if line.was is None:
            after.append(Line(line.text, origin, line.doubt))
        else:
            known = file[first + line.was]
            after.append(known._replace(doubt=known.doubt or line.doubt))
    after += file[len(file) - end :]
    changed = [line.was is None for line in told.lines]
    for start, stop in _stretches(changed):
        begin, finish = max(0, first + start - _AROUND), min(len(lines), first + stop + _AROUND)
        inside = range(begin - first, finish - first)
        step.blocks.append(Block(
            lines[begin:finish],
            [0 <= at < len(changed) and changed[at] for at in inside],
            [told.lines[at].doubt if 0 <= at < len(changed) else "" for at in inside],
        ))  # fmt: skip
    return after


class _Compared(NamedTuple):
    """The lines in place of others, and which of those are gone."""

    lines: list[_Of]
    removed: list[str]


class _Of(NamedTuple):
    """A line, and where it was before; None: nowhere."""

    text: str
    was: int | None
    doubt: str


def _compared(old: Sequence[str], new: Sequence[str]) -> _Compared:
    """Which of several equal lines stayed is a matter of how one compares, so all of them are in doubt."""
    kept = {now: was for was, now in common(old, new)}
    before, after = Counter(old), Counter(new)
    left = before - Counter(old[was] for was in kept.values())
    lines = []
    for at, text in enumerate(new):
        was = kept.get(at)
        if was is None and left[text] > 0:  # it was moved
            left[text] -= 1
            was = old.index(text)
        is_repeated = before[text] and (before[text] > 1 or after[text] > 1)
        lines.append(_Of(text, was, REPEATED if is_repeated else ""))
    return _Compared(lines, list((before - Counter(line.text for line in lines if line.was is not None)).elements()))


def _same_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines at the beginning and at the end are the same."""
    least = min(len(old), len(new))
    first = next((at for at in range(least) if old[at] != new[at]), least)
    end = next((at for at in range(least - first) if old[-1 - at] != new[-1 - at]), least - first)
    return first, end


def _stretches(wanted: Sequence[bool]) -> list[tuple[int, int]]:
    """The stretches of what is wanted, end exclusive."""
    found: list[tuple[int, int]] = []
    for at, is_wanted in enumerate(wanted):
        if not is_wanted:
            continue
        if found and found[-1][1] == at:
            found[-1] = (found[-1][0], at + 1)
        else:
            found.append((at, at + 1))
    return found


def _told(change: Replaced | Hunk) -> tuple[Sequence[str], Sequence[str]]:
    if isinstance(change, Hunk):
        return change.old, change.new
    return change.old.replace("\r\n", "\n").split("\n"), change.new.replace("\r\n", "\n").split("\n")


def _fragment(old: Sequence[str], new: Sequence[str], step: Step) -> None:
    told = _compared(old, new)
    added = [line.was is None for line in told.lines]
    step.blocks.append(Block(new, added, [line.doubt for line in told.lines]))
    step.removed.extend(told.removed)


def _lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines
