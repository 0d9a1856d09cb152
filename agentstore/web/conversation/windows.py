"""Which messages of a session are shown at once: bounded by how much there is to them, not only by how many. Pure.

A session may have thirty thousand messages, and one of them may have megabytes. A window is what a browser takes in at
once; the next one in either direction is asked for by the ordinal at its end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal, NamedTuple

from agentstore.models import MessageOutline
from agentstore.web import links

MOST_MESSAGES = 40
MOST_CHARACTERS = 100_000
# Of each text so much is asked for; the rest is behind a link.
TEXT = 12_000
# What a message costs that says nothing, and a call whose input's length an outline does not know.
_MESSAGE, _CALL = 300, 1_500


class Window(NamedTuple):
    """Ordinals, both ends included, and whether there is more on either side. Empty: ``last`` is before ``first``."""

    first: int
    last: int
    earlier: bool
    later: bool

    @property
    def is_empty(self) -> bool:
        return self.last < self.first


EMPTY = Window(0, -1, False, False)


def weight(message: MessageOutline) -> int:
    """How many characters it brings, about."""
    results = min(message.result_length, message.call_count * TEXT)
    return _MESSAGE + min(message.content_length, TEXT) + results + message.call_count * _CALL


def after(outline: Sequence[MessageOutline], ordinal: int) -> Window:
    """The messages behind an ordinal."""
    return _grown(outline, _place(outline, ordinal + 1), later_only=True)


def before(outline: Sequence[MessageOutline], ordinal: int) -> Window:
    """The messages in front of an ordinal, up to it."""
    end = _place(outline, ordinal)
    start, room = end, MOST_CHARACTERS
    while start > 0 and end - start < MOST_MESSAGES and (start == end or room >= weight(outline[start - 1])):
        start -= 1
        room -= weight(outline[start])
    return _window(outline, start, end)


def around(outline: Sequence[MessageOutline], ordinal: int) -> Window:
    """The message with this ordinal, or the next one there is, with a few before it and those behind it."""
    return _grown(outline, _place(outline, ordinal), later_only=False)


def first(outline: Sequence[MessageOutline]) -> Window:
    """How it begins."""
    return _grown(outline, 0, later_only=True)


def last(outline: Sequence[MessageOutline]) -> Window:
    """How it ends."""
    return before(outline, outline[-1].ordinal + 1) if outline else EMPTY


def _grown(outline: Sequence[MessageOutline], at: int, *, later_only: bool) -> Window:
    """From a place on, a fifth of the room for what is before it."""
    start, used = at, 0
    if at == len(outline) and not later_only:
        return last(outline)
    while not later_only and start > 0 and at - start < MOST_MESSAGES // 5:
        used += weight(outline[start - 1])
        if used > MOST_CHARACTERS // 5:
            used -= weight(outline[start - 1])
            break
        start -= 1
    end = at
    while end < len(outline) and end - start < MOST_MESSAGES:
        used += weight(outline[end])
        # The one that was asked for is there however long it is.
        if used > MOST_CHARACTERS and end > at:
            break
        end += 1
    return _window(outline, start, end)


def _window(outline: Sequence[MessageOutline], start: int, end: int) -> Window:
    if start >= end:
        return Window(0, -1, start > 0, end < len(outline))
    return Window(outline[start].ordinal, outline[end - 1].ordinal, start > 0, end < len(outline))


def _place(outline: Sequence[MessageOutline], ordinal: int) -> int:
    """Where the first message with this ordinal or a later one is."""
    return bisect_left(outline, ordinal, key=lambda one: one.ordinal)


class Found(NamedTuple):
    """Where a link points to now. "moved": by its source id or its time it is another ordinal; "gone": no more."""

    ordinal: int
    state: Literal["here", "moved", "gone"]


def find(outline: Sequence[MessageOutline], at: int, source: str = "", micros: int | None = None) -> Found:
    """The message that a link means. A session that was imported anew may have other ordinals."""
    place = _place(outline, at)
    one = outline[place] if place < len(outline) and outline[place].ordinal == at else None
    if one is not None and _is_it(one, source, micros):
        return Found(at, "here")
    same = [other.ordinal for other in outline if _is_it(other, source, micros)] if source or micros is not None else []
    if same:
        return Found(min(same, key=lambda ordinal: abs(ordinal - at)), "moved")
    nearest = outline[min(place, len(outline) - 1)].ordinal if outline else at
    return Found(nearest, "gone")


def _is_it(message: MessageOutline, source: str, micros: int | None) -> bool:
    if source:
        return message.source_id == source
    return micros is None or (message.timestamp is not None and links.micros(message.timestamp) == micros)
