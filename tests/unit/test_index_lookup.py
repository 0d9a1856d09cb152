"""What a search remembers from one look to the next, and how it reads the state of the parts."""

from __future__ import annotations

from agentstore.read.search import parts
from agentstore.read.search.index_lookup import RememberedRowCounts
from agentstore.read.search.parts import RowCounts, TableSize, TableSizes

FORTY = RowCounts(40, 800, 600)


def test_a_count_is_remembered_for_a_while() -> None:
    remembered = RememberedRowCounts()
    assert remembered.rows("o", 0.0) is None
    remembered.keep("o", FORTY, 1000, 0.0)
    assert remembered.rows("o", 30.0) == FORTY
    assert remembered.rows("o", 31.0) is None
    assert remembered.rows("other", 0.0) is None


def test_a_count_is_forgotten_when_the_table_grew() -> None:
    remembered = RememberedRowCounts()
    remembered.forget_grown("o", 1000)
    remembered.keep("o", FORTY, 1000, 0.0)
    remembered.forget_grown("o", 1050)
    remembered.forget_grown("o", 950)
    assert remembered.rows("o", 1.0) == FORTY
    remembered.forget_grown("o", 1051)
    assert remembered.rows("o", 1.0) is None


def test_not_all_organisations_of_the_world_are_remembered() -> None:
    remembered = RememberedRowCounts()
    for number in range(2500):
        remembered.keep(f"o{number}", RowCounts(number), 9, 0.0)
    assert remembered.rows("o2499", 0.0) == RowCounts(2499)
    assert len(remembered) <= 1000


def test_parts_are_added_up() -> None:
    rows = [
        (3, 12, 700, 300, [5, 90], "messages", "all_1_1_0", 100, 1, 5_000, 1),
        (3, 12, 700, 300, [5, 90], "messages", "all_2_9_1", 800, 4, 40_000, 0),
        (3, 12, 700, 300, [5, 90], "sessions", "all_1_1_0", 7, 1, 70, 1),
        (3, 12, 700, 300, [5, 90], "sessions", "all_2_2_0", 8, 1, 80, 0),
    ]
    state = parts.read_answer(list(zip(*rows, strict=True)))
    assert (state.has_indexes, state.rows, state.searched) == (True, RowCounts(12, 700, 300), (5, 90))
    assert state.sizes.sessions == 15
    assert state.sizes["messages"] == TableSize(900, 5, 45_000, 5_000, ("all_1_1_0",), ("all_2_9_1",))
    assert state.sizes["tool_calls"] == TableSize()


def test_without_parts_or_with_too_few_indexes_there_are_none() -> None:
    assert not parts.read_answer([]).has_indexes
    assert parts.read_answer([]).sizes == TableSizes()
    assert not parts.read_answer(
        [(2,), (0,), (0,), (0,), ((0, 0),), ("messages",), ("all_1_1_0",), (1,), (1,), (1,), (0,)]
    ).has_indexes
