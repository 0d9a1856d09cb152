"""What happened over time, as bars and as a table. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agentstore.faces.money import count, dollars, short_count
from agentstore.models import CostReport, DailyActivity
from agentstore.web.charts.bars import BarChart, bar_chart
from agentstore.web.charts.buckets import Bucket, Size, buckets, sorted_in
from agentstore.web.overview.scope import Scope


class Amounts(NamedTuple):
    """What happened in some days."""

    sessions: int = 0
    messages: int = 0
    tokens: int = 0
    cost: int = 0


class Line(NamedTuple):
    """A line of the table."""

    bucket: Bucket
    amounts: Amounts
    link: str


class Days(NamedTuple):
    """The bars, with a table of those that are not empty."""

    chart: BarChart
    table: list[Line]
    size: Size


_WORDS: dict[str, tuple[str, str]] = {
    "sessions": ("session", "sessions"),
    "messages": ("message", "messages"),
    "tokens": ("output token", "output tokens"),
}


def days(activity: Sequence[DailyActivity], cost: CostReport | None, scope: Scope, show: str) -> Days | None:
    """None where nothing happened."""
    by_day = {one.date: Amounts(one.session_count, one.message_count, one.total_output_tokens) for one in activity}
    for row in cost.rows if cost else ():
        # Sessions without a start have no day.
        if row.key:
            day = dt.date.fromisoformat(row.key)
            by_day[day] = by_day.get(day, Amounts())._replace(cost=row.cost_nanodollars)
    by_day = {day: amounts for day, amounts in by_day.items() if any(amounts)}
    if not by_day:
        return None
    first, last = _ends(scope, min(by_day), max(by_day))
    pieces = [(piece, _sum(inside)) for piece, inside in sorted_in(buckets(first, last), by_day)]
    chart = bar_chart(
        [(piece, getattr(sum, show)) for piece, sum in pieces], _teller(show), _on_axis(show), scope.sessions
    )
    table = [Line(piece, sum, scope.sessions(piece)) for piece, sum in pieces if any(sum)]
    return Days(chart, table, pieces[0][0].size)


def _ends(scope: Scope, first: dt.date, last: dt.date) -> tuple[dt.date, dt.date]:
    """The ends of the axis: those of the span, and where it is open, of what there is."""
    begin = scope.first if scope.first is not None else first
    end = scope.last if scope.last is not None else max(last, scope.today)
    # A span of a thousand years has no room for a day: only what there is of it.
    if (end - begin).days > 366 * 100:
        return first, last
    return begin, end


def _sum(amounts: Sequence[Amounts]) -> Amounts:
    return Amounts(*(sum(column) for column in zip(*amounts, strict=True))) if amounts else Amounts()


def _teller(show: str) -> Callable[[int], str]:
    if show == "cost":
        return dollars
    one, many = _WORDS[show]
    return lambda number: f"{count(number)} {one if number == 1 else many}"


def _on_axis(show: str) -> Callable[[int], str]:
    """The same where there is room for a few characters only."""
    return dollars if show == "cost" else short_count
