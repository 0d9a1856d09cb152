"""What "2w" and "yesterday" mean, in zones where days are not 24 hours long, too."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from agentstore.errors import InvalidArgumentError
from agentstore.faces.times import moment, parse_when, span, zone_of, zone_title

BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 3, 29, 22, 30, tzinfo=dt.UTC)  # the 30th, half past midnight; the 29th had 23 hours


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2w", "2026-03-15T22:30:00+00:00", "2026-03-15T22:30:00+00:00"),
        ("90 min ago", "2026-03-29T21:00:00+00:00", "2026-03-29T21:00:00+00:00"),
        ("today", "2026-03-29T22:00:00+00:00", "2026-03-30T21:59:59.999999+00:00"),
        ("Yesterday", "2026-03-28T23:00:00+00:00", "2026-03-29T21:59:59.999999+00:00"),
        ("2026-01-01", "2025-12-31T23:00:00+00:00", "2026-01-01T22:59:59.999999+00:00"),
        ("2026-01-01T12:00", "2026-01-01T11:00:00+00:00", "2026-01-01T11:00:00+00:00"),
        ("2026-01-01T12:00Z", "2026-01-01T12:00:00+00:00", "2026-01-01T12:00:00+00:00"),
    ],
)
def test_what_texts_mean(text: str, begin: str, end: str) -> None:
    for is_end, expected in ((False, begin), (True, end)):
        found = parse_when(text, BERLIN, option="--since", is_end=is_end, now=NOW)
        assert found is not None
        assert found.astimezone(dt.UTC).isoformat() == expected


def test_nothing_is_no_bound_and_nonsense_is_refused() -> None:
    assert parse_when("", BERLIN, option="--since") is None
    for text in ("soon", "2x", "2026-13-01", "999999y", "-1d"):
        with pytest.raises(InvalidArgumentError, match="--until"):
            parse_when(text, BERLIN, option="--until")


def test_times_are_shown_in_their_zone() -> None:
    assert moment(NOW, BERLIN) == "2026-03-30 00:30"
    assert moment(None, BERLIN) == ""
    assert zone_title("started", ZoneInfo("Etc/UTC")) == "started UTC"
    assert zone_title("started", BERLIN) == "Europe/Berlin"
    assert span(NOW, NOW + dt.timedelta(hours=25)) == "1d 1h"
    assert span(NOW, NOW - dt.timedelta(hours=25)) == ""


def test_the_zone_of_this_machine_is_what_tz_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert zone_of("").key == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "no zone at all")
    assert zone_of("").key
    with pytest.raises(InvalidArgumentError, match="Mars"):
        zone_of("Mars")


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00", "9999-12-31", "9999-12-31T23:59"])
@pytest.mark.parametrize("name", ["Asia/Tokyo", "America/New_York", "UTC"])
def test_the_first_and_the_last_day_are_moments_in_every_zone(text: str, name: str) -> None:
    for is_end in (False, True):
        found = parse_when(text, ZoneInfo(name), option="--since", is_end=is_end)
        assert found is not None
        assert found.astimezone(dt.UTC).year in (1, 9999)
