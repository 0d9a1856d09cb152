"""What a search remembers from one look to the next, and how it reads the state of the parts."""

from __future__ import annotations

from agentstore.read.search import parts
from agentstore.read.search.looking import Remembered
from agentstore.read.search.parts import Table


def test_a_count_is_remembered_for_a_while() -> None:
    remembered = Remembered()
    assert remembered.count("o", 1000, 0.0) is None
    remembered.keep("o", 40, 1000, 0.0)
    assert remembered.count("o", 1000, 30.0) == 40
    assert remembered.count("o", 1000, 31.0) is None
    assert remembered.count("other", 1000, 0.0) is None


def test_a_count_is_forgotten_when_the_table_is_another() -> None:
    remembered = Remembered()
    remembered.keep("o", 0, 0, 0.0)
    assert remembered.count("o", 1, 1.0) is None
    remembered.keep("o", 40, 1000, 0.0)
    assert remembered.count("o", 1050, 1.0) == 40
    assert remembered.count("o", 1051, 1.0) is None
    assert remembered.count("o", 100, 1.0) is None


def test_not_all_organisations_of_the_world_are_remembered() -> None:
    remembered = Remembered()
    for number in range(2500):
        remembered.keep(f"o{number}", number, 9, 0.0)
    assert remembered.count("o2499", 9, 0.0) == 2499
    assert len(remembered) <= 1000


def test_parts_are_added_up() -> None:
    rows = [
        (3, "messages", "all_1_1_0", 100, 1, 5_000, 1),
        (3, "messages", "all_2_9_1", 800, 4, 40_000, 0),
        (3, "sessions", "all_1_1_0", 7, 1, 70, 1),
        (3, "sessions", "all_2_2_0", 8, 1, 80, 0),
    ]
    columns = list(zip(*rows, strict=True))
    tables = parts.tables(columns)
    assert parts.has_indexes(columns)
    assert tables.sessions == 15
    assert tables["messages"] == Table(900, 5, 45_000, 5_000, ("all_1_1_0",), ("all_2_9_1",))
    assert tables["tool_calls"] == Table()


def test_nothing_is_known_of_a_database_without_parts() -> None:
    assert not parts.has_indexes([])
    assert parts.tables([]).sessions == 0
    assert not parts.has_indexes([(2,), ("messages",), ("all_1_1_0",), (1,), (1,), (1,), (0,)])
