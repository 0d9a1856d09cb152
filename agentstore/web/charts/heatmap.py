"""Weekdays and hours as a table whose cells have shades and numbers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from agentstore.models import HeatmapCell
from agentstore.web.charts.scales import shades

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = range(24)


class Cell(NamedTuple):
    """One hour of one weekday; ``link`` is "" where nothing is behind it."""

    day: int
    hour: int
    value: int
    shade: int
    link: str

    @property
    def told(self) -> str:
        """When it is, in words."""
        return f"{WEEKDAYS[self.day - 1]}, {hours_of(self.hour)}"


def hours_of(hour: int) -> str:
    """The hour as a span."""
    return f"{hour:02}:00 to {(hour + 1) % 24:02}:00"


def heatmap(cells: Iterable[HeatmapCell], link: Callable[[int, int], str]) -> list[list[Cell]]:
    """Seven rows of 24 cells; ``link`` is where those of a weekday and an hour lead."""
    counts = {(one.day_of_week, one.hour): one.session_count for one in cells}
    shade = shades(list(counts.values()))
    return [
        [
            Cell(day, hour, value, shade.get(value, 0), link(day, hour) if value else "")
            for hour in HOURS
            for value in [counts.get((day, hour), 0)]
        ]
        for day in range(1, 8)
    ]
