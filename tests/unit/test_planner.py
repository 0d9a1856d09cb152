"""The planner of searches: which step follows which counts, and what that may cost."""

from __future__ import annotations

import math
import random

import pytest

from agentstore.read.search import planner
from agentstore.read.search.parts import Table, Tables
from agentstore.read.search.planner import Check, Done, Newest, Open, Scan, after_looking, worth_looking

WANTED = 1001
BIG = Tables(
    has_indexes=True,
    sessions=52_000,
    of={"messages": Table(granules=3900, bytes=400 << 20), "tool_calls": Table(granules=3440, bytes=2200 << 20)},
)
SMALL = Tables(
    has_indexes=True,
    sessions=3_000,
    of={"messages": Table(granules=235, bytes=5 << 20), "tool_calls": Table(granules=200, bytes=100 << 20)},
)


def unindexed(share: float, tables: Tables = BIG) -> Tables:
    of = {
        name: Table(one.granules, one.bytes, int(one.bytes * share), ("all_1_1_0",)) for name, one in tables.of.items()
    }
    return Tables(tables.has_indexes, tables.sessions, of)


@pytest.mark.parametrize(
    ("messages", "calls", "step"),
    [
        (0, 0, Done()),
        (1, 0, Open()),
        (planner.OPENED, 0, Open()),
        (planner.OPENED - 1, 1, Open()),
        (planner.OPENED, 1, Check()),
        (1142, 1142, Check()),
        (9_000, 0, Newest({"messages": 1142}, None)),
        (9_000, 200, Newest({"messages": 1142}, None)),
        (9_000, 1142, Newest({"messages": 1142, "tool_calls": 193}, None)),
        (20_000, 20_000, Newest({"messages": 857, "tool_calls": 857}, None)),
    ],
)
def test_the_step_for_so_many_candidates(messages: int, calls: int, step: planner.Step) -> None:
    assert after_looking({"messages": messages, "tool_calls": calls}, BIG, wanted=WANTED) == step


def test_of_frequent_candidates_the_newest_sessions_are_enough() -> None:
    step = after_looking({"messages": planner.COUNTED, "tool_calls": planner.COUNTED}, BIG, wanted=WANTED)
    assert isinstance(step, Newest)
    assert step.sessions is not None
    # Three times what is needed where candidates are spread evenly.
    assert step.sessions * planner.COUNTED / BIG.sessions >= 3 * step.limits["messages"]
    assert step.sessions < BIG.sessions / 50


def test_where_the_newest_candidates_lie_in_most_granules_the_texts_are_scanned_at_once() -> None:
    # One candidate in each second session: 1,142 of them lie in all 235 granules.
    assert after_looking({"messages": 1_500}, SMALL, wanted=WANTED) == Scan(frozenset())
    # In every row: 1,142 lie in few sessions, and so in few granules.
    assert isinstance(after_looking({"messages": 60_000}, SMALL, wanted=WANTED), Newest)
    assert isinstance(after_looking({"messages": 60_000}, SMALL, wanted=10_000), Scan)


def test_only_granules_with_candidates_are_scanned_where_there_are_others() -> None:
    huge = Tables(has_indexes=True, sessions=10, of={"messages": Table(5000, 1 << 30), "tool_calls": Table(4, 1)})
    assert planner.narrowed({"messages": 4_999, "tool_calls": 4}, huge) == {"messages"}


def test_texts_without_an_index_are_not_read_three_times() -> None:
    counts = {"messages": 9_000, "tool_calls": 0}
    assert isinstance(after_looking(counts, unindexed(0.09), wanted=WANTED), Newest)
    assert after_looking(counts, unindexed(0.11), wanted=WANTED) == Scan(frozenset())
    assert after_looking({"messages": 5}, unindexed(0.4), wanted=WANTED) == Open()
    assert worth_looking(unindexed(0.5), ["messages"])
    assert not worth_looking(unindexed(0.51), ["messages"])


def test_without_indexes_or_tables_nothing_is_looked_at() -> None:
    assert not worth_looking(Tables(has_indexes=False, sessions=5, of=BIG.of), ["messages"])
    assert worth_looking(Tables(has_indexes=True), ["messages"])


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
            of[name] = Table(max(1, size >> 17), size, int(size * rng.choice((0, 0, rng.random() ** 3))))
        rows = {name: one.granules * 256 for name, one in of.items()}
        tables = Tables(has_indexes=True, sessions=max(1, rows["messages"] // rng.randrange(1, 300)), of=of)
        counts = {
            name: min(planner.COUNTED, int(count * rng.choice((0, 1e-4, 0.01, 1)) * rng.random()))
            for name, count in rows.items()
        }
        if not worth_looking(tables, of):
            continue
        every = sum(one.bytes for one in of.values())
        fresh = sum(one.unindexed_bytes for one in of.values())
        step = after_looking(counts, tables, wanted=rng.choice((51, WANTED, 10_000)))
        kinds.add(type(step))
        read = fresh
        if isinstance(step, Newest):
            read += fresh
            for name, one in of.items():
                limit = step.limits.get(name, counts[name])
                per_session = max(1.0, counts[name] / tables.sessions)
                read += math.floor(one.bytes * min(one.granules, limit / per_session) / one.granules)
        assert read <= every / 2, (tables, counts, step)
    assert kinds == {Done, Open, Check, Newest, Scan}
