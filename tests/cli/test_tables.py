"""Tables fit where they are shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentstore.cli.terminal.screen import Piece, Screen
from agentstore.cli.terminal.tables import Column, table
from agentstore.cli.terminal.width import cut, folded, width

COLUMNS = [
    Column("id"),
    Column("when", rank=1),
    Column("project", least=6, most=20, rank=3),
    Column("n", right=True, rank=5),
    Column("title", least=10, good=20),
]
CELLS = st.text(max_size=60)


def printed(room: int, rows: list[list[str]]) -> list[str]:
    written: list[str] = []
    table(Screen(written.append, room, colours=False, is_terminal=False), COLUMNS, rows)
    return "".join(written).splitlines()


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5), st.integers(22, 200))
def test_no_line_is_wider_than_the_screen(texts: list[tuple[str, str]], room: int) -> None:
    rows = [["0b6e2f4a", "2026-03-02", project, "12", title] for project, title in texts]
    found = printed(room, rows)
    assert len(found) == len(rows) + 1
    assert all(width(line) <= room for line in found)


def test_columns_give_way_by_rank_and_come_back_where_they_fit() -> None:
    row = ["0b6e2f4a", "2026-03-02", "tideclock", "12", "a title of some length"]
    assert printed(80, [row])[0].split() == ["id", "when", "project", "n", "title"]
    assert printed(52, [row])[0].split() == ["id", "when", "project", "title"]
    assert printed(48, [row])[0].split() == ["id", "when", "n", "title"]
    assert printed(32, [row])[0].split() == ["id", "when", "title"]
    assert printed(24, [row])[0].split() == ["id", "title"]


def test_wide_characters_count_twice_and_numbers_stand_right() -> None:
    lines = printed(80, [["a", "b", "横浜", "1", "x"], ["a", "b", "Köln", "100", "x"]])
    assert [width(line.partition("x")[0]) for line in lines[1:]] == [24, 24]
    assert [line.index("1") for line in lines[1:]] == [19, 19]


@given(st.text(), st.integers(1, 50))
def test_what_is_cut_fits(text: str, room: int) -> None:
    assert width(cut(text, room)) <= room


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))), st.integers(2, 50))
def test_folding_loses_nothing_and_fits(text: str, room: int) -> None:
    found = folded(text, room)
    assert "".join(found) == text
    assert all(width(line.rstrip()) <= room for line in found)
    assert not any(line.startswith(" ") for line in found[1:])


def test_what_is_printed_is_safe_whoever_prints_it() -> None:
    written: list[str] = []
    screen = Screen(written.append, 40, colours=True, is_terminal=True)
    screen.line("\x1b[2J", Piece("\x07", "red"))
    screen.fold("\r\x1b", style="bold")
    screen.block("one\n\x9btwo")
    table(screen, [Column("\x1b")], [["\x1b]0;x\x07"]])
    text = "".join(written)
    for code in ("\x1b[31m", "\x1b[0m", "\x1b[1m", "\x1b[2m"):
        text = text.replace(code, "")
    assert text.replace("\n", "").isprintable()
