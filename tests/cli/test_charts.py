"""Bars and shades say what they stand for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentstore.cli.terminal.charts import NOTHING, SHADES, bar, hours_row, hours_title, shade, shades_told
from agentstore.cli.terminal.width import width

LARGEST = st.integers(1, 10**9)


@given(LARGEST, st.integers(0, 10**9), st.integers(1, 60))
def test_a_bar_is_as_long_as_its_value(largest: int, value: int, columns: int) -> None:
    drawn = bar(value, largest, columns)
    assert width(drawn) <= columns
    assert bool(drawn) == (value > 0)
    assert width(bar(largest, largest, columns)) == columns
    assert width(bar(value // 2, largest, columns)) <= width(drawn)


@given(LARGEST, st.data())
def test_every_value_has_the_shade_that_is_told_of_it(largest: int, data: st.DataObject) -> None:
    told = shades_told(largest)
    assert told[0][1] == 1
    assert told[-1] == (SHADES[-1], told[-1][1], largest)
    assert [first for _, first, _ in told[1:]] == [last + 1 for _, _, last in told[:-1]]
    value = data.draw(st.integers(1, largest))
    assert [one for one, first, last in told if first <= value <= last] == [shade(value, largest)]
    assert shade(0, largest) == NOTHING


def test_a_day_is_as_wide_as_its_hours() -> None:
    for columns in (1, 3):
        assert len(hours_row({0: 1, 23: 4}, 4, columns)) == 24 * columns == len(hours_title(columns))
    assert hours_row({0: 1, 23: 4}, 4, 1) == "░" + NOTHING * 22 + "█"
