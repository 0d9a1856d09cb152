"""Bars and grids of characters: what they say is there without colours, too. Pure."""

from __future__ import annotations

from collections.abc import Mapping

_EIGHTHS = " ▏▎▍▌▋▊▉█"
SHADES = "░▒▓█"
NOTHING = "·"
_HOURS = 24


def bar(value: int, largest: int, columns: int) -> str:
    """A bar as long as the value is beside the largest, which takes all columns. What is not 0 is to be seen."""
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, round(8 * columns * min(value, largest) / largest))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def shade(value: int, largest: int) -> str:
    """How dark a cell is: in as many steps as there are shades."""
    return SHADES[-(-len(SHADES) * min(value, largest) // largest) - 1] if value > 0 else NOTHING


def shades_told(largest: int) -> list[tuple[str, int, int]]:
    """Each shade that occurs where this is the largest, and from which value to which."""
    steps = len(SHADES)
    told = [(one, largest * at // steps + 1, largest * (at + 1) // steps) for at, one in enumerate(SHADES)]
    return [(one, first, last) for one, first, last in told if first <= last]


def hours_row(counts: Mapping[int, int], largest: int, columns: int) -> str:
    """A cell for each hour of a day, of so many columns."""
    cells = (shade(counts.get(hour, 0), largest) for hour in range(_HOURS))
    return "".join((one * max(1, columns - 1) if one != NOTHING else one).ljust(columns) for one in cells)


def hours_title(columns: int) -> str:
    """The hours above such rows: all of them where there is room, else every sixth."""
    step = 1 if columns >= len("00 ") else 6
    return "".join(f"{hour:02d}".ljust(columns * step) for hour in range(0, _HOURS, step))
