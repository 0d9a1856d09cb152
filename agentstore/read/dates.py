"""Dates as callers give them, as conditions. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from agentstore.connection.sql import Sql, sql
from agentstore.errors import InvalidArgumentError
from agentstore.models import parse_iso


def zone(tz: str) -> ZoneInfo:
    """The named zone of the IANA database, or ``InvalidArgumentError``."""
    try:
        return ZoneInfo(tz)
    except (ValueError, TypeError, OSError, KeyError):
        raise InvalidArgumentError(f"tz: {tz!r} is no IANA time zone", field="tz") from None


def date_conditions(date_from: Any, date_to: Any, tz: str = "UTC") -> list[Sql]:
    """Conditions on ``started_at``: from, and up to and including; a date means that whole day in ``tz``."""
    found = []
    lower = _moment(date_from, "date_from", tz)
    upper = _moment(date_to, "date_to", tz)
    if isinstance(lower, dt.datetime):
        found.append(sql("started_at >= {moment}", moment=lower))
    elif lower is not None:
        found.append(sql("started_at >= {moment}", moment=_midnight(lower, tz)))
    if isinstance(upper, dt.datetime):
        found.append(sql("started_at <= {moment}", moment=upper))
    elif upper is not None and upper < dt.date.max:
        found.append(sql("started_at < {moment}", moment=_midnight(upper + dt.timedelta(days=1), tz)))
    return found


def overlap_conditions(active_from: Any, active_to: Any, tz: str = "UTC") -> list[Sql]:
    """Conditions that the time from ``started_at`` to ``ended_at`` has a moment in the span, read as above."""
    lower = _moment(active_from, "active_from", tz)
    upper = _moment(active_to, "active_to", tz)
    if lower is None and upper is None:
        return []
    if _is_upside_down(lower, upper, tz):
        return [sql("0")]
    found = [sql("started_at IS NOT NULL")]
    if lower is not None:
        # One that ends before it starts, or does not say when, is the moment of its start.
        moment = lower if isinstance(lower, dt.datetime) else _midnight(lower, tz)
        found.append(sql("(started_at >= {moment} OR ifNull(ended_at >= {moment}, 0))", moment=moment))
    return found + date_conditions(None, upper, tz)


def _is_upside_down(lower: dt.date | None, upper: dt.date | None, tz: str) -> bool:
    """Whether nothing is in the span: a session that goes on over both ends, the wrong way round, would match both."""
    if lower is None or upper is None:
        return False
    begin = lower if isinstance(lower, dt.datetime) else _midnight(lower, tz)
    if isinstance(upper, dt.datetime):
        return begin > upper
    return upper < dt.date.max and begin >= _midnight(upper + dt.timedelta(days=1), tz)


def _moment(value: Any, field: str, tz: str) -> dt.date | dt.datetime | None:
    zone(tz)
    if isinstance(value, str) and value:
        value = parse_iso(value)
    if value is None or value == "":
        return None
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        raise InvalidArgumentError(f"{field}: {value.isoformat()} has no timezone", field=field)
    if not isinstance(value, dt.date):
        raise InvalidArgumentError(f"{field}: {value!r} is no date, datetime or ISO text", field=field)
    return value


def _midnight(day: dt.date, tz: str) -> dt.datetime:
    local = dt.datetime.combine(day, dt.time(), tzinfo=zone(tz))
    try:
        return local.astimezone(dt.UTC)
    except OverflowError:  # the first and the last day there is, in a zone that moves it out of the calendar
        return local.replace(tzinfo=dt.UTC)
