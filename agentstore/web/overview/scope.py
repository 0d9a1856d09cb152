"""Which sessions an overview counts, and the links to them. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from agentstore.filters import AnalyticsKeywords
from agentstore.web.charts.buckets import Bucket
from agentstore.web.choices import Choices
from agentstore.web.filters import LONGEST, Asked
from agentstore.web.links import OVERVIEW, SESSIONS


@dataclass(frozen=True)
class Scope:
    """What is counted: sessions that began from one day to another one, as these are in the viewer's zone.

    None is an open end. Whole days, so that each bar has all of its day. ``asked`` has nothing that figures know
    nothing of.
    """

    asked: Asked
    zone: ZoneInfo
    first: dt.date | None
    last: dt.date | None
    today: dt.date

    @property
    def keywords(self) -> AnalyticsKeywords:
        """What statistics are asked with."""
        return AnalyticsKeywords(
            project_name=self.asked.project_name,
            user_id=self.asked.user,
            agent_type=self.asked.agent,
            date_from=self.first,
            date_to=self.last,
            tz=self.zone.key,
        )

    @property
    def told(self) -> str:
        """The span in words."""
        last = self.last or self.today
        if self.first is None:
            return "All time" if self.last is None else f"Until {_day(last)}"
        return _day(self.first) if self.first == last else f"{_day(self.first)} to {_day(last)}"

    def sessions(self, within: Bucket | None = None, **more: Any) -> str:
        """The address of the list of the sessions behind a figure: all of them, or those that began in these days."""
        first, last = (within.first, within.last) if within else (self.first, self.last)
        ends = {"since": first.isoformat() if first else "all", "until": last.isoformat() if last else ""}
        return self.asked.link(SESSIONS, started=bool(first or last), **ends, **more)

    def sessions_with(self, **named: str) -> str:
        """The address of the list of those with this name; "" where the name is none, or too long for an address."""
        if not all(0 < len(one) <= LONGEST for one in named.values()):
            return ""
        return self.sessions(None, **named)

    def panel(self, name: str, show: str = "") -> str:
        """The address of one panel alone."""
        return self.asked.link(f"{OVERVIEW}/{name}", show=show)

    def page(self, name: str, show: str = "") -> str:
        """The address of the page with that panel in it."""
        return self.asked.link(OVERVIEW, panel=name, show=show)


def scope_of(asked: Asked, zone: ZoneInfo, choices: Choices, now: dt.datetime | None = None) -> Scope:
    """What these filters count. Statistics know projects by their names."""
    since, until = asked.span(zone)
    known = Asked(
        project_name=asked.project_name or (choices.project_named(asked.project) if asked.project else ""),
        user=asked.user,
        agent=asked.agent,
        since=asked.since,
        until=asked.until,
    )
    today = (now or dt.datetime.now(dt.UTC)).astimezone(zone).date()
    return Scope(known, zone, _date(since, zone), _date(until, zone), today)


def _date(when: dt.datetime | None, zone: ZoneInfo) -> dt.date | None:
    if when is None:
        return None
    try:
        return when.astimezone(zone).date()
    except OverflowError:  # the first or the last day there is, in a zone that moves it out of the calendar
        return when.date()


def _day(day: dt.date) -> str:
    return f"{day:%a} {day.day} {day:%b} {day.year}"
