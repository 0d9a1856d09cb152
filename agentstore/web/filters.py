"""What is asked for in the address of a page, and the filter of the library that it means."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from agentstore.errors import InvalidArgumentError
from agentstore.faces.times import parse_when
from agentstore.models import SessionFilter
from agentstore.web.charts.heatmap import WEEKDAYS, hours_of
from agentstore.web.links import with_query

USUAL_SPAN = "30d"
# What the choice of spans offers; any other one of the command line's may stand in the address.
SPANS = (
    ("today", "Today"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("1y", "1 year"),
    ("all", "All time"),
)
LONGEST = 1000


def needle(q: str) -> str:
    """What is looked for, where it is no longer than it may be: cut it would be found where it is not."""
    if len(q) > LONGEST:
        raise InvalidArgumentError(f"q: more than {LONGEST} characters", field="q")
    return q


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The filters of a page as they stand in its address: every view is a link. "" is what nobody asked for."""

    text: str = ""
    project: str = ""
    user: str = ""
    agent: str = ""
    branch: str = ""
    since: str = USUAL_SPAN
    until: str = ""
    commits: bool = False
    starred: bool = False
    hidden: bool = False
    parent: str = ""
    # What the figures of the overview lead to: sessions that began in the span, on that weekday, with that tool.
    project_name: str = ""
    tool: str = ""
    model: str = ""
    weekday: str = ""
    hour: str = ""
    started: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, str) and len(value) > LONGEST:
                raise InvalidArgumentError(f"{name}: more than {LONGEST} characters", field=name)

    def session_filter(self, zone: ZoneInfo, user: str, *, cursor: str = "", limit: int = 50) -> SessionFilter:
        """The sessions that were going on at some moment of that span, or that ``started`` in it.

        ``user`` is who looks: the stars are theirs.
        """
        since, until = self.span(zone)
        begun = self.started or bool(self.weekday or self.hour)
        return SessionFilter(
            title=self.text,
            project_id=self.project,
            user_id=self.user,
            agent_type=self.agent,
            git_branch=self.branch,
            project_name=self.project_name,
            tool_name=self.tool,
            model=self.model,
            tz=zone.key,
            weekday=_number(self.weekday, "weekday") or 0,
            hour=_number(self.hour, "hour"),
            date_from=since if begun else None,
            date_to=until if begun else None,
            active_from=None if begun else since,
            active_to=None if begun else until,
            with_commits=self.commits,
            starred_by=user if self.starred else "",
            parent_session_id=self.parent,
            include_subagents=bool(self.parent),
            include_deleted=self.hidden,
            cursor=cursor,
            limit=limit,
        )

    def span(self, zone: ZoneInfo) -> tuple[dt.datetime | None, dt.datetime | None]:
        """Its two ends; None where there is none. What is no time is ``InvalidArgumentError``."""
        since = "" if self.since == "all" else self.since
        return (
            parse_when(since, zone, option="since"),
            parse_when(self.until, zone, option="until", is_end=True),
        )

    @property
    def in_address(self) -> dict[str, Any]:
        """What has to stand in an address, which is what differs from an address without anything."""
        usual = asdict(Asked())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    @property
    def is_narrowed(self) -> bool:
        """Whether more is asked for than a span."""
        return bool(set(self.in_address) - {"since", "until", "started"})

    @property
    def on_the_clock(self) -> str:
        """Weekday and hour in words."""
        day, hour = _number(self.weekday, "weekday"), _number(self.hour, "hour")
        name = WEEKDAYS[day - 1] if day and 1 <= day <= 7 else ""
        return ", ".join(filter(None, [name, hours_of(hour) if hour is not None else ""]))

    def link(self, path: str, **changed: Any) -> str:
        """The address of a page with these filters, some of them changed."""
        extra = {name: value for name, value in changed.items() if name not in _NAMES}
        asked = self.changed(**{name: value for name, value in changed.items() if name in _NAMES})
        return with_query(path, {**asked.in_address, **extra})

    def changed(self, **changed: Any) -> Asked:
        """The same with other values."""
        return replace(self, **changed)


def _number(text: str, field: str) -> int | None:
    """A number in the address; None of "". What is none is ``InvalidArgumentError``."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise InvalidArgumentError(f"{field}: {text[:20]!r} is no number of it", field=field)
    return int(text)


_NAMES = frozenset(asdict(Asked()))
