"""What a command prints on. Whatever is given to it is made safe here: no command can forget it."""

from __future__ import annotations

import codecs
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TextIO

from agentstore.cli.terminal.width import folded, width
from agentstore.faces import safe

# Bold, dim and the eight colours that every terminal has, and that follow its theme.
_CODES = {
    "": "",
    "bold": "1",
    "dim": "2",
    "italic": "3",
    "underline": "4",
    "reverse": "7",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "mark": "1;33",
    "note": "33",
    "head": "1",
}
NARROWEST = 20
_USUAL = 80
# Into a pipe nothing is cut: who reads there has no edge.
_ENDLESS = 100_000


class Piece(NamedTuple):
    """Some text in one style, a key of the styles above."""

    text: str
    style: str = ""


Cell = str | Piece | tuple[Piece, ...]


def pieces(cell: Cell) -> tuple[Piece, ...]:
    """A cell as pieces of safe text on one line."""
    given = (Piece(cell),) if isinstance(cell, str) else (cell,) if isinstance(cell, Piece) else cell
    return tuple(Piece(safe.line(one.text), one.style) for one in given)


class Screen:
    """Lines of text, styled or not, as wide as there is room. ``printed`` counts them."""

    def __init__(
        self,
        write: Callable[[str], object],
        columns: int,
        *,
        colours: bool,
        is_terminal: bool,
        is_unicode: bool = True,
    ) -> None:
        self._write = write
        self.width = max(NARROWEST, columns)
        self.colours = colours
        self.is_terminal = is_terminal
        self.printed = 0
        # JSON is UTF-8: to a stream of another encoding it goes in the characters that all have.
        self._is_unicode = is_unicode

    def line(self, *cells: Cell) -> None:
        """One line, as long as it is."""
        self._write("".join(self.painted(one) for cell in cells for one in pieces(cell)).rstrip(" ") + "\n")
        self.printed += 1

    def fold(self, *cells: Cell, indent: str = "", style: str = "") -> None:
        """Text of one line as lines within the width; ``style`` is for what has none of its own."""
        given = [self._marked(Piece(one.text, one.style or style)) for cell in cells for one in pieces(cell)]
        for room in folded("".join(one.text for one in given), self.width - len(indent)):
            line, left = [], len(room)
            while given and left >= len(given[0].text):
                line.append(given.pop(0))
                left -= len(line[-1].text)
            if left:
                line.append(Piece(given[0].text[:left], given[0].style))
                given[0] = Piece(given[0].text[left:], given[0].style)
            self.line(indent, *line)

    def block(self, text: str, *, indent: str = "", style: str = "") -> None:
        """Text of many lines, each folded."""
        for one in safe.lines(text):
            if width(one) <= self.width - len(indent):  # most are, and a session has very many
                self._write(f"{indent}{self.painted(Piece(one, style))}".rstrip(" ") + "\n")
                self.printed += 1
            else:
                self.fold(one, indent=indent, style=style)

    def raw(self, text: str) -> None:
        """What is safe already: JSON of ``jsons``."""
        self._write(text if self._is_unicode else safe.in_ascii(text))
        self.printed += 1

    def _marked(self, piece: Piece) -> Piece:
        """Where there are no colours, what was looked for is between marks."""
        return Piece(f"»{piece.text}«", piece.style) if piece.style == "mark" and not self.colours else piece

    def painted(self, piece: Piece) -> str:
        """A piece of safe text with its style, where there are colours."""
        code = _CODES[piece.style] if self.colours and piece.text else ""
        return f"\x1b[{code}m{piece.text}\x1b[0m" if code else piece.text


def screen_of(stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> Screen:
    """The screen of stdout: its width from ``COLUMNS`` or the terminal; colours as ``wants_colours`` says."""
    stream = stream or sys.stdout
    is_terminal = stream.isatty()
    return Screen(
        stream.write,
        width_of(is_terminal, environment),
        colours=wants_colours(is_terminal, environment),
        is_terminal=is_terminal,
        is_unicode=codecs.lookup(stream.encoding or "utf-8").name == "utf-8",
    )


def width_of(is_terminal: bool, environment: Mapping[str, str] = os.environ) -> int:
    """The columns there are."""
    told = environment.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told) > 0:
        return int(told)
    return shutil.get_terminal_size((_USUAL, 24)).columns if is_terminal else _ENDLESS


def wants_colours(is_terminal: bool, environment: Mapping[str, str] = os.environ) -> bool:
    """Colours on a terminal; never with ``NO_COLOR`` or ``TERM=dumb``, and always with ``FORCE_COLOR`` otherwise."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    forced = environment.get("FORCE_COLOR", "")
    return forced not in ("", "0") or (is_terminal and forced != "0")


def text_of(cells: Iterable[Cell]) -> str:
    """The safe text of cells, without style."""
    return "".join(one.text for cell in cells for one in pieces(cell))
