"""What is shown of long texts: so many lines and characters, and how much was left out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from agentstore.web.rendering.patches import Line


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is shown. Also the whole is bounded: a line of it may be a megabyte."""

    lines: int
    characters: int


FIRST = Limits(20, 4_000)
WHOLE = Limits(20_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Block:
    """A text as HTML. ``more`` lines and ``more_characters`` were left out, of ``lines`` in all.

    ``is_cut``: the store itself gave only its beginning; what is left out counts without what was not given.
    """

    html: Markup
    lines: int = 0
    more: int = 0
    more_characters: int = 0
    is_cut: bool = False

    @property
    def is_marked(self) -> bool:
        """Whether a hit is seen in it. One that was left out is seen with ``WHOLE``."""
        return "<mark>" in self.html

    @property
    def is_whole(self) -> bool:
        return not (self.more or self.more_characters or self.is_cut)


class Room:
    """What is left to be shown, of one block; each text that comes takes some of it."""

    def __init__(self, limits: Limits) -> None:
        self.left = limits
        self.lines = 0
        self.more = 0
        self.more_characters = 0

    def cut(self, text: str) -> str:
        """As much of a text as there is room for."""
        lines = text.count("\n") + 1 if text else 0
        self.lines += lines
        end = self._end(text, lines)
        shown = text[:end]
        if end < len(text):
            self.more_characters += len(text) - end
            # A line of which the beginning is shown is not missing.
            self.more += text.count("\n", end) + (end == 0)
        self._take(shown.count("\n") + bool(shown), len(shown))
        return shown

    def cut_lines(self, lines: Sequence[Line]) -> list[Line]:
        """Likewise of the lines of a diff."""
        self.lines += len(lines)
        shown: list[Line] = []
        for number, line in enumerate(lines):
            if self.left.lines <= 0 or self.left.characters <= 0:
                self.more += len(lines) - number
                self.more_characters += sum(len(one.text) + 1 for one in lines[number:])
                break
            text = line.text[: self.left.characters]
            self.more_characters += len(line.text) - len(text)
            self._take(1, len(text) + 1)
            shown.append(line._replace(text=text))
        return shown

    def block(self, html: Markup, *, is_cut: bool = False) -> Block:
        return Block(html, self.lines, self.more, self.more_characters, is_cut)

    def _end(self, text: str, lines: int) -> int:
        """Where the shown part ends. To say that one line is missing takes a line, too."""
        if self.left.lines <= 0 or self.left.characters <= 0:
            return 0
        end = len(text)
        if lines > self.left.lines + 1:
            end = -1
            for _ in range(self.left.lines):
                end = text.index("\n", end + 1)
        return min(end, self.left.characters)

    def _take(self, lines: int, characters: int) -> None:
        self.left = Limits(self.left.lines - lines, self.left.characters - characters)
