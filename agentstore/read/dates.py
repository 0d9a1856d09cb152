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
