"""Which edit call a line of the file is from, and how sure that is. Pure.

"high" is a promise: the call added just this line, at this place, and no other call that is stored did. Lines that
stand everywhere (a brace, an empty line, ``else:``) say nothing by themselves; their neighbours do.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from agentstore.blame.differing import common
from agentstore.blame.records import BlameConfidence
from agentstore.blame.replay import Block, Edit, Replay

_WORDS = re.compile(r"\w")
_DISTINCT = 10  # letters and digits of a line that is hardly there twice by chance
_TRIVIAL = 4
_FAR = 40  # lines before and after that are compared
# Of a call that wrote a line thousands of times so many places are looked at, those with its neighbours first.
_MOST_PLACES = 20
# Clocks of machines differ, and a commit's time is whole seconds.
_SLACK = dt.timedelta(seconds=120)

WROTE = "an edit call wrote this line"
NOBODY = "no edit call that is stored wrote this line"
TAKEN_BACK = "the edit call that wrote this line was undone by a later one"
COMMON = "a line like this stands in many places"
SEVERAL = "several edit calls wrote this line: this is the newest that fits"
ELSEWHERE = "the line stands in the file more often than the call wrote it"


class Choice(NamedTuple):
    """The position of the edit call, -1: none."""

    edit: int
    confidence: BlameConfidence
    reason: str


class _Fit(NamedTuple):
    """How a call's stretch of the file lies on the file around a line."""

    edit: int
    length: int  # lines in a row that are the same
    is_anchored: bool  # one of them is hardly there twice
    is_inside: bool  # the lines beside it are the call's, too
    is_only: bool  # the stretch has this line once
    doubt: str

    @property
    def rank(self) -> tuple[bool, int]:
        """The better it fits, the more."""
        return self.is_anchored, self.length


class Chooser:
    """All that can be known of the lines of one file."""

    def __init__(self, lines: Sequence[str], edits: Sequence[Edit], replay: Replay) -> None:
        self._lines, self._edits, self._replay = lines, edits, replay
        self._counts = Counter(lines)
        # What stands there twice may be somebody's copy.
        self._distinct = [self._counts[line] == 1 and len(_WORDS.findall(line)) >= _DISTINCT for line in lines]
        self._places = [_Places(step.blocks) for step in replay.steps]
        self._removed = [Counter(step.removed) for step in replay.steps]
        file = replay.file or []
        self._aligned = {at: old for old, at in common([line.text for line in file], lines)} if file else {}
        self._file_counts = Counter(line.text for line in file)
        self._lives: dict[tuple[str, dt.datetime | None], tuple[list[int], bool]] = {}
        self._origins: dict[str, set[int]] = {}
        for line in file:
            self._origins.setdefault(line.text, set()).add(line.origin)

    def choose(self, at: int, *, until: dt.datetime | None = None, session_id: str = "") -> Choice:
        """The call that wrote the line at this position, none later than ``until``; rather one of the session named."""
        known = self._known(at, until)
        if known is None or known.confidence != "high":
            found = self._from_steps(at, until, session_id)
            known = found if known is None or found.confidence == "high" else known
        # Where such a line belongs is a matter of how versions are compared.
        return known._replace(confidence="medium", reason=COMMON) if self._is_empty_high(known, at) else known

    def _is_empty_high(self, choice: Choice, at: int) -> bool:
        return choice.confidence == "high" and not self._is_telling(at)

    def _known(self, at: int, until: dt.datetime | None) -> Choice | None:
        """What the file as all calls left it tells."""
        file = self._replay.file
        if file is None or at not in self._aligned:
            return None
        there = self._aligned[at]
        line = file[there]
        if not self._is_in_time(line.origin, until):
            return None
        beside = [file[one].origin for one in (there - 1, there + 1) if 0 <= one < len(file)]
        is_inside = all(one == line.origin for one in beside) and self._origins[line.text] == {line.origin}
        if not (is_inside and self._is_anchored(at)) and not (
            self._distinct[at] and self._file_counts[line.text] == 1 and self._counts[line.text] == 1
        ):
            return Choice(line.origin, "medium", COMMON) if self._is_telling(at) else None
        if set(self._live(line.text, until)[0]) - {line.origin}:
            return Choice(line.origin, "medium", SEVERAL)
        return Choice(line.origin, "medium", line.doubt) if line.doubt else Choice(line.origin, "high", WROTE)

    def _is_anchored(self, at: int) -> bool:
        """Whether a line that is hardly there twice is in a row with this one, here and in the file as it was left."""
        for direction in (-1, 1):
            here = at
            while here in self._aligned and self._aligned[here] - self._aligned[at] == here - at:
                if self._distinct[here]:
                    return True
                here += direction
        return False

    def _from_steps(self, at: int, until: dt.datetime | None, session_id: str) -> Choice:
        """What the calls' own arguments tell."""
        line = self._lines[at]
        live, were_any = self._live(line, until)
        fits = [fit for edit in dict.fromkeys(live) if (fit := self._fit(edit, at)) is not None]
        if not fits:
            return Choice(-1, "unknown", TAKEN_BACK if were_any and self._is_telling(at) else NOBODY)
        own = [fit for fit in fits if self._edits[fit.edit].session_id == session_id]
        chosen = own or fits
        best = max(chosen, key=lambda fit: (*fit.rank, fit.edit))
        rivals = [fit for fit in fits if fit is not best and (fit.rank >= best.rank or fit.edit > best.edit)]
        if not self._is_telling(at) and not (best.is_anchored and best.is_inside):
            return Choice(-1, "unknown", COMMON)
        return self._judged(at, best, rivals, len([one for one in live if one == best.edit]), len(set(live)))

    def _judged(self, at: int, best: _Fit, rivals: list[_Fit], times: int, calls: int) -> Choice:
        if best.doubt:
            return Choice(best.edit, "medium", best.doubt)
        if rivals:
            return Choice(best.edit, "medium", SEVERAL)
        is_distinct = self._distinct[at] and best.is_only
        is_placed = best.is_anchored and calls == 1 and (is_distinct or best.is_inside)
        is_unique = is_distinct and calls == 1 and times == 1
        if is_placed or is_unique:
            return Choice(best.edit, "high", WROTE)
        return Choice(best.edit, "medium", ELSEWHERE if self._counts[self._lines[at]] > times else COMMON)

    def _live(self, line: str, until: dt.datetime | None) -> tuple[list[int], bool]:
        """The calls whose addition of the line no later one took away, oldest first; and whether there were any."""
        if known := self._lives.get((line, until)):
            return known
        live: list[int] = []
        were_any = False
        for edit, places in enumerate(self._places):
            if not self._is_in_time(edit, until):
                continue
            # Whose of several it was that went is not known: then all of them may be the one that is left.
            if len(set(live)) == 1:
                del live[: self._removed[edit][line]]
            added = places.added(line)
            live += [edit] * added
            were_any = were_any or added > 0
        self._lives[(line, until)] = live, were_any
        return live, were_any

    def _is_in_time(self, edit: int, until: dt.datetime | None) -> bool:
        when = self._edits[edit].when
        return until is None or when is None or when <= until + _SLACK

    def _is_telling(self, at: int) -> bool:
        return len(_WORDS.findall(self._lines[at])) >= _TRIVIAL

    def _fit(self, edit: int, at: int) -> _Fit | None:
        """How the call's stretches fit around the line, the best of them."""
        lines, places = self._lines, self._places[edit]
        before, after = lines[at - 1] if at else None, lines[at + 1] if at + 1 < len(lines) else None
        found = [self._laid(edit, *place, at) for place in places.chosen(before, lines[at], after)]
        best = max(found, key=lambda fit: (*fit.rank, fit.is_inside), default=None)
        if best is not None and places.added(lines[at]) > _MOST_PLACES:  # there may be a better one
            return best._replace(doubt=best.doubt or COMMON)
        return best

    def _laid(self, edit: int, block: Block, there: int, at: int) -> _Fit:
        lines, shift = self._lines, at - there
        least, most = max(0, there - _FAR, -shift), min(len(block.lines), there + _FAR, len(lines) - shift) - 1
        first = last = there
        while first > least and block.lines[first - 1] == lines[first - 1 + shift]:
            first -= 1
        while last < most and block.lines[last + 1] == lines[last + 1 + shift]:
            last += 1
        anchored = last > first and any(self._distinct[one + shift] for one in range(first, last + 1))
        inside = all(first <= one <= last and block.added[one] for one in (there - 1, there + 1))
        is_only = self._places[edit].is_only(block, lines[at])
        return _Fit(edit, last - first + 1, anchored, inside, is_only, block.doubts[there])


class _Places:
    """Where each line stands that a call added."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._found: dict[str, list[tuple[Block, int]]] = {}
        self._between: dict[tuple[str | None, str, str | None], list[tuple[Block, int]]] = {}
        self._counts = {id(block): Counter(block.lines) for block in blocks}
        for block in blocks:
            around = [None, *block.lines, None]
            for at, (line, is_added) in enumerate(zip(block.lines, block.added, strict=True)):
                if is_added:
                    self._found.setdefault(line, []).append((block, at))
                    self._between.setdefault((around[at], line, around[at + 2]), []).append((block, at))

    def chosen(self, before: str | None, line: str, after: str | None) -> list[tuple[Block, int]]:
        """Where the line stands; of very many places those between the same lines, and the first ones."""
        found = self._found.get(line, [])
        if len(found) <= _MOST_PLACES:
            return found
        return [*self._between.get((before, line, after), [])[:_MOST_PLACES], *found[:_MOST_PLACES]]

    def is_only(self, block: Block, line: str) -> bool:
        """Whether the stretch has this line once."""
        return self._counts[id(block)][line] == 1

    def added(self, line: str) -> int:
        return len(self._found.get(line, []))
