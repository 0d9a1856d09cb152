"""Bars over time. All that is drawn is in shares of the room there is, so that it fits any width. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from agentstore.web.charts.buckets import Bucket
from agentstore.web.charts.scales import percent, ticks

# Of the room that a bar has, so much is itself, and of a bar that is not 0 so much can be seen.
_FILLED = 0.78
_LEAST = 1.2
_LABELS = 8


class Bar(NamedTuple):
    """A bar as it is drawn, with what it says and where it leads; one of height 0 is a gap."""

    bucket: Bucket
    value: int
    told: str
    link: str
    x: str
    width: str
    y: str
    height: str


class Line(NamedTuple):
    """A line across with its number."""

    y: str
    told: str


class Label(NamedTuple):
    """A name below the bars."""

    x: str
    text: str
    anchor: str


class BarChart(NamedTuple):
    """All of it."""

    bars: list[Bar]
    lines: list[Line]
    labels: list[Label]


def bar_chart(
    values: Sequence[tuple[Bucket, int]],
    told: Callable[[int], str],
    on_axis: Callable[[int], str],
    link: Callable[[Bucket], str],
) -> BarChart:
    """The bars of these values, which ``told`` puts into words, ``on_axis`` into few characters; ``link`` is where the
    bar leads."""
    scale = ticks(max((value for _, value in values), default=0))
    top = scale[-1]
    room = 100 / max(1, len(values))
    width = room * _FILLED
    bars = []
    for at, (bucket, value) in enumerate(values):
        height = max(_LEAST, 100 * value / top) if value > 0 else 0.0
        x = at * room + (room - width) / 2
        bars.append(
            Bar(
                bucket,
                value,
                told(value),
                link(bucket) if value > 0 else "",
                percent(x, 100),
                percent(width, 100),
                percent(100 - height, 100),
                percent(height, 100),
            )
        )
    lines = [Line(percent(top - one, top), on_axis(one)) for one in scale]
    return BarChart(bars, lines, _labels([bucket for bucket, _ in values], room))


def _labels(pieces: Sequence[Bucket], room: float) -> list[Label]:
    """Names of some, at equal distances: all of them would not fit."""
    every = max(1, -(-len(pieces) // _LABELS))
    found = []
    for at in range(0, len(pieces), every):
        middle = at * room + room / 2
        anchor = "start" if middle < 4 else "end" if middle > 96 else "middle"
        x = 0.0 if anchor == "start" else 100.0 if anchor == "end" else middle
        found.append(Label(percent(x, 100), pieces[at].short_name, anchor))
    return found
