"""Tables that fit: columns give way by their rank, texts are cut, numbers never are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentstore.cli.terminal.screen import Cell, Piece, Screen, pieces
from agentstore.cli.terminal.width import cut, width

_GAP = 2


@dataclass(frozen=True)
class Column:
    """A column of a table.

    ``least``: the columns of the terminal that it keeps when it is cut; 0: it is never cut. ``most``: it never takes
    more. ``rank``: where there is no room, columns of the highest rank go first; those of rank 0 stay.
    ``good``: columns of rank 2 and more go before this one has less.
    """

    title: str
    right: bool = False
    least: int = 0
    good: int = 0
    most: int = 0
    rank: int = 0
    style: str = ""


def table(screen: Screen, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, indent: str = "") -> None:
    """Print rows under their titles. A column without anything in it is left out, unless it has rank 0."""
    cells = [[pieces(cell) for cell in row] for row in rows]
    natural = [_natural(column, [row[number] for row in cells]) for number, column in enumerate(columns)]
    shown = [
        number
        for number, column in enumerate(columns)
        if not column.rank or any(piece.text for row in cells for piece in row[number])
    ]
    widths = fitted(columns, natural, shown, screen.width - len(indent))
    chosen = [number for number in shown if number in widths]
    titles: list[tuple[Piece, ...]] = [(Piece(columns[number].title, "dim"),) for number in range(len(columns))]
    head = [titles] if any(column.title for column in columns) else []
    for row in [*head, *cells]:
        line: list[Cell] = [indent]
        for position, number in enumerate(chosen):
            style = "" if row is titles else columns[number].style
            line += [" " * _GAP] if position else []
            line += _fitted_cell(row[number], widths[number], columns[number].right, style)
        screen.line(*line)


def fitted(columns: Sequence[Column], natural: Sequence[int], shown: Sequence[int], room: int) -> dict[int, int]:
    """The width of each column that has room. Pure."""
    ranked = sorted(shown, key=lambda one: (columns[one].rank, one))
    kept: list[int] = []
    for one in ranked:
        wanted = [_needed(columns[each], natural[each], is_good=columns[one].rank > 1) for each in [*kept, one]]
        if not columns[one].rank or sum(wanted) + _GAP * len(kept) <= room:
            kept.append(one)
    kept.sort()
    widths = {one: natural[one] for one in kept}
    excess = sum(widths.values()) + _GAP * max(0, len(kept) - 1) - room
    # The widest gives first, until all that can be cut are as wide as the next.
    while excess > 0:
        soft = [one for one in kept if columns[one].least and widths[one] > columns[one].least]
        if not soft:
            break
        widest = max(soft, key=lambda one: widths[one])
        others = [widths[one] for one in soft if widths[one] < widths[widest]]
        step = widths[widest] - max([columns[widest].least, *others])
        taken = max(1, min(excess, step))
        widths[widest] -= taken
        excess -= taken
    return widths


def _needed(column: Column, natural: int, *, is_good: bool) -> int:
    if not column.least:
        return natural
    return min(natural, max(column.least, column.good if is_good else 0))


def _natural(column: Column, cells: Sequence[tuple[Piece, ...]]) -> int:
    found = max([width(column.title), *(sum(width(piece.text) for piece in cell) for cell in cells)])
    return min(found, column.most) if column.most else found


def _fitted_cell(cell: tuple[Piece, ...], columns: int, right: bool, style: str) -> list[Cell]:
    """A cell in exactly so many columns, in the column's style where it has none of its own."""
    left = columns
    found: list[Cell] = []
    for piece in cell:
        text = cut(piece.text, left)
        left -= width(text)
        found.append(Piece(text, piece.style or style))
        if text != piece.text:
            break
    space = Piece(" " * left)
    return [space, *found] if right else [*found, space]
