"""Dates as callers give them: whole days of a zone, both ends included; anything unclear is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore import InvalidArgumentError
from agentstore.connection.sql import literal
from agentstore.models import parse_iso
from agentstore.read.dates import date_conditions, zone

DAY = dt.date(2026, 1, 5)
NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


def bounds(date_from: Any, date_to: Any, tz: str = "UTC") -> list[str]:
    return [condition.text for condition in date_conditions(date_from, date_to, tz)]


def at(*parts: int) -> str:
    return literal(dt.datetime(*parts, tzinfo=dt.UTC))  # type: ignore[arg-type,misc]


def test_nothing_given_is_no_condition() -> None:
    assert bounds(None, None) == bounds("", "") == []


def test_a_day_is_all_of_it() -> None:
    whole = [f"started_at >= {at(2026, 1, 5)}", f"started_at < {at(2026, 1, 6)}"]
    assert bounds(DAY, DAY) == bounds("2026-01-05", "2026-01-05") == whole
    assert bounds(DAY, None) == whole[:1]
    assert bounds(None, DAY) == whole[1:]


def test_a_moment_is_included() -> None:
    exact = [f"started_at >= {at(2026, 1, 5, 12)}", f"started_at <= {at(2026, 1, 5, 12)}"]
    tokyo = NOON.astimezone(ZoneInfo("Asia/Tokyo"))
    for moment in (NOON, tokyo, NOON.isoformat(), tokyo.isoformat(), "2026-01-05T12:00:00Z", "2026-01-05 12:00+00:00"):
        assert bounds(moment, moment) == bounds(moment, moment, "America/New_York") == exact


def test_days_are_those_of_the_zone() -> None:
    assert bounds(DAY, DAY, "Asia/Tokyo") == [
        f"started_at >= {at(2026, 1, 4, 15)}",
        f"started_at < {at(2026, 1, 5, 15)}",
    ]
    change = dt.date(2026, 3, 29)
    assert bounds(change, change, "Europe/Berlin") == [
        f"started_at >= {at(2026, 3, 28, 23)}",
        f"started_at < {at(2026, 3, 29, 22)}",
    ]


@given(st.dates(), st.timezone_keys())
def test_days_of_a_zone_meet_without_gap_or_overlap(day: dt.date, tz: str) -> None:
    if day < dt.date.max:
        [end] = bounds(None, day, tz)
        [start] = bounds(day + dt.timedelta(days=1), None, tz)
        assert end.replace("<", ">=") == start


def test_the_ends_of_the_calendar() -> None:
    for tz in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        assert len(bounds(dt.date.min, dt.date.min, tz)) == 2
        assert bounds(None, dt.date.max, tz) == []
        assert len(bounds(dt.date.max, None, tz)) == 1


BAD: list[Any] = [
    "soon", "2026-02-30", "2026-1-5", "05.01.2026", "2026-01-05T25:00Z", " 2026-01-05", "'; --", "\0", 5, 1.5,
    b"2026-01-05", ["2026-01-05"], dt.time(12), dt.timedelta(1), dt.datetime(2026, 1, 5), "2026-01-05T12:00:00",
    object(),
]  # fmt: skip


# Without the address of the object: every process has to name the tests alike.
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: ascii(bad).partition(" at 0x")[0])
def test_what_is_unclear_is_refused_by_the_name_of_its_field(bad: Any) -> None:
    for field, span in (("date_from", (bad, None)), ("date_to", (None, bad))):
        with pytest.raises(InvalidArgumentError, match=rf"^{field}: ") as caught:
            bounds(*span)
        assert caught.value.field == field


@pytest.mark.parametrize(
    "bad", ["", "Nowhere/Land", "../UTC", "/etc/localtime", "UTC\0", "Europe", "UTC'", "ä", None, 5]
)
def test_unknown_zones_are_refused(bad: Any) -> None:
    for span in ((None, None), (DAY, DAY)):
        with pytest.raises(InvalidArgumentError, match=r"^tz: ") as caught:
            bounds(span[0], span[1], bad)
        assert caught.value.field == "tz"
    assert zone("Europe/Berlin").key == "Europe/Berlin"


def test_text_that_spells_no_date_is_kept_for_the_method_to_refuse() -> None:
    assert parse_iso("soon") == "soon"
    assert parse_iso("2026-01-05") == DAY
    assert parse_iso("2026-01-05T12:00:00Z") == NOON
