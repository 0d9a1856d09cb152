"""What a search remembers from one look to the next, and how it reads the state of the parts."""

from __future__ import annotations

from agentstore.read.search import parts
from agentstore.read.search.looking import Remembered
from agentstore.read.search.parts import Table, Tables


def test_a_count_is_remembered_for_a_while() -> None:
    remembered = Remembered()
    assert remembered.count("o", 0.0) is None
    remembered.keep("o", 40, 1000, 0.0)
    assert remembered.count("o", 30.0) == 40
    assert remembered.count("o", 31.0) is None
    assert remembered.count("other", 0.0) is None


def test_a_count_is_forgotten_when_the_table_grew() -> None:
    remembered = Remembered()
    remembered.forget_grown("o", 1000)
    remembered.keep("o", 40, 1000, 0.0)
    remembered.forget_grown("o", 1050)
    remembered.forget_grown("o", 950)
    assert remembered.count("o", 1.0) == 40
    remembered.forget_grown("o", 1051)
    assert remembered.count("o", 1.0) is None


def test_not_all_organisations_of_the_world_are_remembered() -> None:
    remembered = Remembered()
    for number in range(2500):
        remembered.keep(f"o{number}", number, 9, 0.0)
    assert remembered.count("o2499", 0.0) == 2499
    assert len(remembered) <= 1000


def test_parts_are_added_up() -> None:
    rows = [
        (3, 12, 5, "messages", "all_1_1_0", 100, 1, 5_000, 1),
        (3, 12, 5, "messages", "all_2_9_1", 800, 4, 40_000, 0),
        (3, 12, 5, "sessions", "all_1_1_0", 7, 1, 70, 1),
        (3, 12, 5, "sessions", "all_2_2_0", 8, 1, 80, 0),
    ]
    state = parts.read(list(zip(*rows, strict=True)))
    assert (state.has_indexes, state.sessions, state.searched, state.tables.sessions) == (True, 12, 5, 15)
    assert state.tables["messages"] == Table(900, 5, 45_000, 5_000, ("all_1_1_0",), ("all_2_9_1",))
    assert state.tables["tool_calls"] == Table()


def test_without_parts_or_with_too_few_indexes_there_are_none() -> None:
    assert not parts.read([]).has_indexes
    assert parts.read([]).tables == Tables()
    assert not parts.read([(2,), (0,), (0,), ("messages",), ("all_1_1_0",), (1,), (1,), (1,), (0,)]).has_indexes
