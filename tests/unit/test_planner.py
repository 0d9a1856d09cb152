"""The planner of searches: which step follows which counts, and what that may cost."""

from __future__ import annotations

import math
import random

import pytest

from agentstore.read.search import planner
from agentstore.read.search.parts import RowCounts, TableSize, TableSizes
from agentstore.read.search.planner import (
    CheckCandidates,
    CheckNewest,
    NothingFound,
    OpenCandidates,
    ReadNewestSessions,
    ScanTexts,
    next_step,
    worth_asking_indexes,
    worth_reading_twice,
)

WANTED = 1001
FEW = frozenset({"tool_calls"})
BIG = TableSizes(
    sessions=52_000,
    of={"messages": TableSize(10**6, 3900, 400 << 20), "tool_calls": TableSize(880_000, 3440, 2200 << 20)},
)
LONG = TableSizes(
    3_000, {"messages": TableSize(60_000, 235, 2600 << 20), "tool_calls": TableSize(60_000, 235, 2600 << 20)}
)


def unindexed(share: float, sizes: TableSizes = BIG) -> TableSizes:
    of = {
        name: TableSize(one.rows, one.granules, one.bytes, int(one.bytes * share), ("all_1_1_0",))
        for name, one in sizes.of.items()
    }
    return TableSizes(sizes.sessions, of)


@pytest.mark.parametrize(
    ("messages", "calls", "step"),
    [
        (0, 0, NothingFound()),
        (1, 0, OpenCandidates()),
        (planner.OPENED, 0, OpenCandidates()),
        (planner.OPENED - 1, 1, OpenCandidates()),
        (planner.OPENED, 1, CheckCandidates()),
        (1142, 1142, CheckCandidates()),
        (9_000, 0, CheckNewest({"messages": 1142}, frozenset())),
        (9_000, 200, CheckNewest({"messages": 1142}, FEW)),
        (9_000, 1142, CheckNewest({"messages": 1142, "tool_calls": 193}, FEW)),
        (20_000, 20_000, CheckNewest({"messages": 857, "tool_calls": 857}, frozenset())),
    ],
)
def test_the_step_for_so_many_candidates(messages: int, calls: int, step: planner.Step) -> None:
    assert next_step({"messages": messages, "tool_calls": calls}, BIG, wanted=WANTED) == step


def test_candidates_in_most_granules_are_checked_before_a_page_of_them_is_opened() -> None:
    assert next_step({"messages": 128}, LONG, wanted=WANTED) == OpenCandidates()
    assert next_step({"messages": 129}, LONG, wanted=WANTED) == CheckCandidates()


def test_where_sessions_hold_candidates_the_newest_sessions_are_read() -> None:
    step = next_step({"messages": 600_000, "tool_calls": 500_000}, BIG, wanted=WANTED)
    assert step == ReadNewestSessions(61, frozenset())
    # A quarter more candidates than are wanted, where they are spread evenly.
    assert step.count * 1_100_000 / BIG.sessions > 1.25 * WANTED
    assert isinstance(next_step({"messages": 1_000_000, "tool_calls": 800_000}, BIG, wanted=10_000), ReadNewestSessions)


def test_where_the_newest_candidates_lie_in_most_granules_the_texts_are_scanned_at_once() -> None:
    # One candidate in each second session: 1,142 of them lie in all 235 granules.
    assert next_step({"messages": 1_500}, LONG, wanted=WANTED) == ScanTexts(frozenset())
    # In every row: 1,142 lie in few sessions, and so in few granules.
    frequent = {"messages": 60_000, "tool_calls": 60_000}
    assert isinstance(next_step(frequent, LONG, wanted=WANTED), ReadNewestSessions)
    assert isinstance(next_step(frequent, LONG, wanted=10_000), ScanTexts)


def test_only_granules_with_candidates_are_scanned_where_there_are_others() -> None:
    one = TableSize(50_000, 5000, 20 << 20)
    sizes = TableSizes(sessions=10, of={"messages": one, "tool_calls": one})
    assert next_step({"messages": 4_999, "tool_calls": 5_000}, sizes, wanted=WANTED) == ScanTexts(
        frozenset({"messages"})
    )


def test_texts_without_an_index_are_not_read_three_times() -> None:
    counts = {"messages": 9_000, "tool_calls": 0}
    assert isinstance(next_step(counts, unindexed(0.09), wanted=WANTED), CheckNewest)
    assert next_step(counts, unindexed(0.11), wanted=WANTED) == ScanTexts(frozenset())
    assert next_step({"messages": 5}, unindexed(0.4), wanted=WANTED) == OpenCandidates()
    assert worth_asking_indexes(unindexed(0.5), ["messages"])
    assert not worth_asking_indexes(unindexed(0.51), ["messages"])


def test_an_empty_database_is_looked_at() -> None:
    assert worth_asking_indexes(TableSizes(), ["messages"])


def test_a_statement_more_is_worth_it_only_where_a_scan_takes_long() -> None:
    assert worth_reading_twice(BIG, ["messages", "tool_calls"])
    short = TableSizes(
        15_000, {"messages": TableSize(300_000, 1172, 24 << 20), "tool_calls": TableSize(75_000, 293, 6 << 20)}
    )
    assert not worth_reading_twice(short, ["messages", "tool_calls"])
    frequent = {"messages": planner.COUNTED, "tool_calls": 75_000}
    assert next_step(frequent, short, wanted=WANTED) == ScanTexts(frozenset())


def test_long_sessions_are_not_read_first_where_few_of_them_are_most_of_the_texts() -> None:
    """A hundred sessions of 5,000 messages: 64 of them would be two thirds of the scan that may follow."""
    long = TableSizes(100, {"messages": TableSize(500_000, 1954, 500 << 20)})
    assert next_step({"messages": 2_001}, long, wanted=WANTED) == ScanTexts(frozenset())
    assert (
        planner.more_sessions(20, 2_000, 10_000, long, ["messages"], {"messages": 500_000}, each=planner.WORDS_COST)
        is None
    )
    assert isinstance(next_step({"messages": 50_000}, long, wanted=WANTED), ReadNewestSessions)


def test_the_newest_sessions_are_read_first_only_where_they_are_few() -> None:
    assert planner.worth_reading_first(64, 12_800)
    assert not planner.worth_reading_first(64, 12_799)
    assert planner.worth_reading_first(640, 25_600)
    assert not planner.worth_reading_first(640, 25_599)
    assert not planner.worth_reading_first(3, 3)


def test_no_plan_costs_more_than_half_a_scan_beside_one() -> None:
    """Bytes read to look at what has no index, once or twice, and to check the newest candidates, for any corpus."""
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    kinds = set()
    for _ in range(3000):
        of = {}
        for name in ("messages", "tool_calls"):
            size = int(10 ** rng.uniform(3, 11))
            granules = max(1, size >> 17)
            of[name] = TableSize(granules * 256, granules, size, int(size * rng.choice((0, 0, rng.random() ** 3))))
        rows = {name: one.rows for name, one in of.items()}
        sizes = TableSizes(sessions=max(1, int(rows["messages"] / 10 ** rng.uniform(0, 5))), of=of)
        counts = {
            name: min(planner.COUNTED, int(count * rng.choice((0, 1e-4, 0.01, 1)) * rng.random()))
            for name, count in rows.items()
        }
        if not worth_asking_indexes(sizes, of):
            continue
        every = sum(one.bytes + 256 * one.rows for one in of.values())
        fresh = sum(one.unindexed_bytes for one in of.values())
        step = next_step(counts, sizes, wanted=rng.choice((51, WANTED, 10_000)))
        kinds.add(type(step))
        read = fresh
        if isinstance(step, CheckNewest):
            read += fresh
        if isinstance(step, CheckNewest | ReadNewestSessions):
            for name, one in of.items():
                texts = step.count if isinstance(step, ReadNewestSessions) else step.limits.get(name, counts[name])
                share = step.count / sizes.sessions if isinstance(step, ReadNewestSessions) else 0
                read += math.floor(one.bytes * min(1, max(share, texts / one.granules)))
        assert read <= every / 2, (sizes, counts, step)
    assert kinds == {NothingFound, OpenCandidates, CheckCandidates, CheckNewest, ReadNewestSessions, ScanTexts}


SMALL = RowCounts(520, 10_000, 8_800)


def test_an_organisation_is_planned_for_by_its_share() -> None:
    few = BIG.share(SMALL)
    assert few.sessions == 520
    assert few["messages"] == TableSize(10_000, 39, 4 << 20)
    assert isinstance(next_step({"messages": 9_000, "tool_calls": 0}, few, wanted=WANTED), ScanTexts)
    assert BIG.share(RowCounts(90_000, 1_800_000, 0))["messages"] == BIG["messages"]
    assert BIG.share(RowCounts(90_000, 1_800_000, 0))["tool_calls"] == TableSize()
    # A new organisation may be the one whose parts are not merged yet.
    assert unindexed(0.02).share(SMALL)["messages"].unindexed_bytes == few["messages"].bytes
    assert next_step({"messages": 9_000, "tool_calls": 0}, unindexed(0.02).share(SMALL), wanted=51) == ScanTexts(
        frozenset()
    )
    assert TableSizes().share(RowCounts()) == TableSizes()


def test_filtered_sessions_are_planned_for_by_the_granules_around_them() -> None:
    one = BIG.share_of_sessions(1, 20)
    assert one.sessions == 1
    assert one["messages"].granules == 2
    assert BIG.share_of_sessions(0, 0)["messages"] == TableSize()
    assert (
        BIG.share_of_sessions(26_000, 0)["messages"] == BIG.share_of_sessions(52_000, 0)["messages"] == BIG["messages"]
    )


def test_what_filters_leave_is_read_at_once_only_where_it_is_little() -> None:
    names = ["messages", "tool_calls"]
    assert planner.is_small(BIG.share_of_sessions(1, 20), names)
    assert planner.is_small(BIG.share_of_sessions(1, 5_000), names)
    assert not planner.is_small(BIG.share_of_sessions(1, 500_000), names)
    assert not planner.is_small(BIG.share_of_sessions(5_000, 0), names)


def test_more_sessions_are_read_as_far_as_that_is_cheap() -> None:
    names, counts = ["messages", "tool_calls"], {"messages": 700_000, "tool_calls": 700_000}
    words = planner.WORDS_COST
    assert planner.more_sessions(400, 8_000, 10_000, BIG, names, counts, each=words) == 626
    assert planner.more_sessions(400, 10, 10_000, BIG, names, counts, each=words) is None
    assert planner.more_sessions(400, 0, 10_000, BIG, names, None, each=words) is None


@pytest.mark.parametrize(("found", "more"), [(900, 528), (206, 528), (1, 528), (0, None)])
def test_where_the_newest_sessions_are_not_like_the_others_more_are_read_before_all(
    found: int, more: int | None
) -> None:
    """What was imported a moment ago holds hardly any of what all others are full of."""
    counts = {"messages": 700_000, "tool_calls": 700_000}
    assert planner.more_sessions(66, found, 1001, BIG, [*counts], counts) == more
    assert planner.more_sessions(6_600, 0, 1001, BIG, [*counts], counts) is None
    assert planner.more_sessions(66, 100, 1001, BIG, [*counts], counts) == 528
    assert planner.more_sessions(66, found, 1001, BIG, [*counts], None) == {900: 93, 206: 402}.get(found)
