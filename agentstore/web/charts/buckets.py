"""A span of days, cut into as many pieces as can be seen side by side. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeVar

Size = Literal["day", "week", "month", "year"]

# Of so many pieces one is wide enough to be pointed at.
_MOST = 92
_MOST_MONTHS = 120


class Bucket(NamedTuple):
    """Some days in a row, both ends included: a day, or a week, month or year as far as the span has it."""

    first: dt.date
    last: dt.date
    size: Size

    @property
    def name(self) -> str:
        """What it is called where there is room."""
        if self.size == "day":
            return f"{self.first:%a} {self.first.day} {self.first:%b} {self.first.year}"
        if self.size == "week":
            return f"{self.first.day} {self.first:%b} {self.first.year} to {self.last.day} {self.last:%b}"
        return f"{self.first:%B} {self.first.year}" if self.size == "month" else f"{self.first.year}"

    @property
    def short_name(self) -> str:
        """What stands below it on an axis."""
        if self.size in ("day", "week"):
            return f"{self.first.day} {self.first:%b}"
        return f"{self.first:%b} {self.first.year}" if self.size == "month" else f"{self.first.year}"


def size_for(first: dt.date, last: dt.date) -> Size:
    """The smallest size in which the span has not too many pieces."""
    days = (last - first).days + 1
    if days <= _MOST:
        return "day"
    if days <= _MOST * 7:
        return "week"
    return "month" if days <= _MOST_MONTHS * 31 else "year"


def buckets(first: dt.date, last: dt.date) -> list[Bucket]:
    """The pieces from the first day to the last, without a gap."""
    size = size_for(first, last)
    found = []
    start = first
    while True:
        end = min(_end(start, size), last)
        found.append(Bucket(start, end, size))
        if end >= last:
            return found
        start = end + dt.timedelta(days=1)


def _end(day: dt.date, size: Size) -> dt.date:
    """The last day of the piece that this one is in."""
    if size == "day":
        return day
    if size == "week":
        return dt.date.fromordinal(min(day.toordinal() + 6 - day.weekday(), dt.date.max.toordinal()))
    month = day.month if size == "month" else 12
    if (day.year, month) == (dt.MAXYEAR, 12):
        return dt.date.max
    following = dt.date(day.year + month // 12, month % 12 + 1, 1)
    return following - dt.timedelta(days=1)


T = TypeVar("T")


def sorted_in(pieces: Iterable[Bucket], by_day: Mapping[dt.date, T]) -> Iterator[tuple[Bucket, list[T]]]:
    """Each piece with what its days have."""
    days = sorted(by_day)
    at = 0
    for piece in pieces:
        inside = []
        while at < len(days) and days[at] <= piece.last:
            if days[at] >= piece.first:
                inside.append(by_day[days[at]])
            at += 1
        yield piece, inside
