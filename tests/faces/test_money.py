"""Numbers as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.faces.money import count, dollars, short_count


@pytest.mark.parametrize(
    ("nanodollars", "shown"),
    [
        (0, "$0"),
        (1, "<$0.0001"),
        (99_999, "<$0.0001"),
        (100_000, "$0.0001"),
        (9_949_999, "$0.0099"),
        (9_999_999, "$0.01"),
        (10_000_000, "$0.01"),
        (1_004_999_999, "$1.00"),
        (1_005_000_000, "$1.01"),
        (1_234_567_890_000_000, "$1,234,567.89"),
        (-1_500_000_000, "-$1.50"),
        (-1, "-<$0.0001"),
    ],
)
def test_dollars(nanodollars: int, shown: str) -> None:
    assert dollars(nanodollars) == shown


@given(st.integers(-(10**18), 10**18))
def test_dollars_are_right_to_what_they_show(nanodollars: int) -> None:
    shown = dollars(nanodollars)
    assert (shown[0] == "-") == (nanodollars < 0)
    if "<" in shown:
        assert 0 < abs(nanodollars) < 100_000
        return
    places = len(shown.partition(".")[2])
    told = float(re.sub(r"[$,]", "", shown))
    assert abs(told - nanodollars / 1e9) <= 0.51 * 10**-places


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.0k"),
        (9_949, "9.9k"),
        (9_999, "9.9k"),
        (10_000, "10k"),
        (999_999, "999k"),
        (1_000_000, "1.0M"),
        (5_600_000_000, "5.6G"),
    ],
)
def test_short_counts(number: int, shown: str) -> None:
    assert short_count(number) == shown


@given(st.integers(0, 10**12))
def test_short_counts_are_short(number: int) -> None:
    assert len(short_count(number)) <= 5
    assert int(count(number).replace(",", "")) == number
