"""Times: in which zone they are shown, how, and what "2w" means."""

from __future__ import annotations

import datetime as dt
import os
import pathlib
import re
from zoneinfo import ZoneInfo

from agentstore.errors import InvalidArgumentError

_AGO = re.compile(r"(\d{1,6})\s*(m|min|h|d|w|mo|y)(?:\s*ago)?", re.IGNORECASE)
_UNITS = {"m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "mo": 30 * 86400, "y": 365 * 86400}
_HINT = "2w, 3d, 12h, today, yesterday, 2026-11-01, 2026-11-01T14:30"


def zone_of(name: str) -> ZoneInfo:
    """The zone of this name of the IANA database; "" is that of this machine."""
    try:
        return ZoneInfo(name) if name else _own_zone()
    except (ValueError, OSError, KeyError):
        raise InvalidArgumentError(
            f"there is no time zone {name!r}", hint="a name like Europe/Berlin, or --utc"
        ) from None


def _own_zone() -> ZoneInfo:
    """What ``TZ`` names, else what this system is set to, else UTC."""
    names = [os.environ.get("TZ", "").lstrip(":")]
    try:
        names.append(os.path.realpath("/etc/localtime").partition("zoneinfo/")[2])
        names.append(pathlib.Path("/etc/timezone").read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        pass
    for name in filter(None, names):
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            continue
    return ZoneInfo("UTC")


def parse_when(
    text: str, zone: ZoneInfo, *, option: str, is_end: bool = False, now: dt.datetime | None = None
) -> dt.datetime | None:
    """The moment that ``2w``, ``yesterday`` or a date means in the zone; None of "".

    A day is its beginning, or, where the span ends there, its last moment.
    """
    text = text.strip()
    if not text:
        return None
    moment = now or dt.datetime.now(dt.UTC)
    if ago := _AGO.fullmatch(text):
        try:
            return moment - dt.timedelta(seconds=int(ago.group(1)) * _UNITS[ago.group(2).lower()])
        except OverflowError:
            raise InvalidArgumentError(f"{option}: {text!r} is before all time", hint=_HINT) from None
    day = _day(text, moment.astimezone(zone).date())
    if day is not None:
        return _within_all_time(_edge(day, zone, is_end))
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgumentError(f"{option}: {text!r} is no time", hint=_HINT) from None
    return _within_all_time(found if found.tzinfo else found.replace(tzinfo=zone))


def _within_all_time(when: dt.datetime) -> dt.datetime:
    """The moment, or the first or last there is: in other zones the year 1 begins before that, and 9999 ends later."""
    try:
        when.astimezone(dt.UTC)
    except OverflowError:
        return (dt.datetime.min if when.year == 1 else dt.datetime.max).replace(tzinfo=dt.UTC)
    return when


def _day(text: str, today: dt.date) -> dt.date | None:
    named = {"today": 0, "now": 0, "yesterday": 1}
    if text.lower() in named:
        return today - dt.timedelta(days=named[text.lower()])
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _edge(day: dt.date, zone: ZoneInfo, is_end: bool) -> dt.datetime:
    if not is_end or day == dt.date.max:
        return dt.datetime.combine(day, dt.time.max if is_end else dt.time(), tzinfo=zone)
    following = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tzinfo=zone)
    # Between moments, not between what clocks show: the day that the clocks change is not 24 hours long.
    return following.astimezone(dt.UTC) - dt.timedelta(microseconds=1)


def moment(when: dt.datetime | None, zone: ZoneInfo) -> str:
    """Day and minute in the zone; "" of None."""
    return f"{when.astimezone(zone):%Y-%m-%d %H:%M}" if when else ""


def clock(when: dt.datetime | None, zone: ZoneInfo) -> str:
    """The minute alone, for what stands below its day."""
    return f"{when.astimezone(zone):%H:%M}" if when else ""


def span(start: dt.datetime | None, end: dt.datetime | None) -> str:
    """How long something took, in one or two units; "" where it is not known."""
    if start is None or end is None or end < start:
        return ""
    seconds = int((end - start).total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m" if minutes else f"{seconds}s"


def zone_title(word: str, zone: ZoneInfo, columns: int = 16) -> str:
    """The title of a column of times: the word and the zone, or the zone alone where both are too long."""
    name = zone.key.removeprefix("Etc/")
    return f"{word} {name}" if len(word) + 1 + len(name) <= columns else name
