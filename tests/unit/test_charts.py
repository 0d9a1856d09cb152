"""What charts are made of: spans in pieces, scales, shades."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from agentstore.models import HeatmapCell
from agentstore.web.charts.bars import bar_chart
from agentstore.web.charts.buckets import buckets, size_for, sorted_in
from agentstore.web.charts.heatmap import heatmap, hours_of
from agentstore.web.charts.scales import percent, shades, ticks

DAY = dt.timedelta(days=1)


@pytest.mark.parametrize("first", [dt.date(2026, 1, 1), dt.date(2024, 2, 29), dt.date.min, dt.date(1999, 12, 31)])
@pytest.mark.parametrize("days", [1, 2, 7, 92, 93, 400, 644, 645, 3720, 3721, 30_000])
def test_a_span_is_cut_without_gaps_and_overlaps(first: dt.date, days: int) -> None:
    last = first + DAY * (days - 1)
    found = buckets(first, last)
    assert (found[0].first, found[-1].last) == (first, last)
    for one, following in itertools.pairwise(found):
        assert one.last + DAY == following.first
        assert one.first <= one.last
    assert {one.size for one in found} == {size_for(first, last)}
    assert len(found) <= 124
    assert all(one.name and one.short_name for one in found)


def test_pieces_are_days_weeks_months_years() -> None:
    first = dt.date(2026, 1, 1)
    assert [size_for(first, first + DAY * days) for days in (0, 91, 92, 643, 644, 3719, 3720)] == [
        "day", "day", "week", "week", "month", "month", "year",
    ]  # fmt: skip
    # A Thursday: the first week is what is left of it, the others begin on Mondays.
    weeks = buckets(first, first + DAY * 100)
    assert weeks[0].last == dt.date(2026, 1, 4)
    assert {one.first.weekday() for one in weeks[1:]} == {0}
    assert [one.first.day for one in buckets(first, dt.date(2028, 1, 15))][1:] == [1] * 24


def test_the_end_of_all_days_is_no_error() -> None:
    assert buckets(dt.date.max - DAY * 400, dt.date.max)[-1].last == dt.date.max
    assert buckets(dt.date(9000, 1, 1), dt.date.max)[-1].last == dt.date.max


def test_each_day_is_in_one_piece() -> None:
    first = dt.date(2026, 1, 1)
    by_day = {first + DAY * number: number for number in range(0, 300, 3)}
    told = list(sorted_in(buckets(first, first + DAY * 300), by_day))
    assert [one for _, inside in told for one in inside] == list(by_day.values())
    for piece, inside in told:
        assert all(piece.first <= first + DAY * one <= piece.last for one in inside)
    # What is outside of the span is in none.
    assert [inside for _, inside in sorted_in(buckets(first, first), {first - DAY: 1, first: 2, first + DAY: 3})] == [
        [2]
    ]


@pytest.mark.parametrize("largest", [1, 2, 3, 4, 5, 7, 9, 10, 11, 99, 100, 101, 12_345, 10**12])
def test_a_scale_has_few_round_lines_and_holds_the_largest(largest: int) -> None:
    found = ticks(largest)
    assert found[0] == 0
    assert found[-1] >= largest > (found[-2] if len(found) > 1 else 0)
    assert 2 <= len(found) <= 5
    assert str(found[1]).rstrip("0") in ("1", "2", "5")


def test_shares_and_shades() -> None:
    assert [percent(*pair) for pair in ((1, 4), (0, 5), (5, 5), (9, 5), (1, 0))] == ["25%", "0%", "100%", "100%", "0%"]
    assert shades([0, 1, 2, 3, 4]) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}
    assert shades([0]) == {0: 0}
    assert shades([1, 1000]) == {1: 1, 1000: 4}


def test_bars_are_as_high_as_their_numbers_and_gaps_stay() -> None:
    pieces = buckets(dt.date(2026, 1, 1), dt.date(2026, 1, 4))
    values = list(zip(pieces, [10, 0, 5, 1], strict=True))
    chart = bar_chart(values, lambda n: f"{n} things", str, lambda piece: f"/{piece.first}")
    assert [one.height for one in chart.bars] == ["100%", "0%", "50%", "10%"]
    assert [one.y for one in chart.bars] == ["0%", "100%", "50%", "90%"]
    assert [one.link for one in chart.bars] == ["/2026-01-01", "", "/2026-01-03", "/2026-01-04"]
    assert chart.bars[3].told == "1 things"
    assert [line.told for line in chart.lines] == ["0", "5", "10"]
    assert [label.text for label in chart.labels] == ["1 Jan", "2 Jan", "3 Jan", "4 Jan"]
    # What is next to nothing is seen all the same.
    tiny = bar_chart(list(zip(pieces, [100_000, 1, 0, 0], strict=True)), str, str, lambda piece: "/")
    assert float(tiny.bars[1].height.rstrip("%")) > 1


def test_a_heatmap_has_all_hours() -> None:
    rows = heatmap([HeatmapCell(1, 9, 4), HeatmapCell(7, 23, 1)], lambda day, hour: f"/{day}-{hour}")
    assert [len(row) for row in rows] == [24] * 7
    assert (rows[0][9].value, rows[0][9].shade, rows[0][9].link) == (4, 4, "/1-9")
    assert (rows[6][23].told, rows[6][23].shade) == ("Sunday, 23:00 to 00:00", 1)
    assert sum(cell.value for row in rows for cell in row) == 5
    assert {cell.link for row in rows for cell in row if not cell.value} == {""}
    assert hours_of(8) == "08:00 to 09:00"
