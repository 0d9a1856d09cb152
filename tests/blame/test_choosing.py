"""Which call a line is from: what is sure, what is in doubt and why, and what nobody can know."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence

from agentstore.blame.choosing import COMMON, ELSEWHERE, NOBODY, SEVERAL, TAKEN_BACK, WROTE, Choice, Chooser
from agentstore.blame.replay import BEFORE, REPEATED, Edit, replay
from agentstore.blame.written import Change, Hunk, Inserted, Replaced, Unknown, Whole
from tests.builders import at

ONE, TWO, THREE = "the first of some lines", "the second of some lines", "the third of some lines"


def edit(number: int, *changes: Change, session: str = "s", is_fresh: bool = False) -> Edit:
    return Edit(session, number, f"call{number}", 0, "Edit", at(number), changes, is_fresh)


def chosen(
    lines: Sequence[str], edits: Sequence[Edit], *, until: dt.datetime | None = None, session: str = ""
) -> list[Choice]:
    chooser = Chooser(lines, edits, replay(edits))
    return [chooser.choose(number, until=until, session_id=session) for number in range(len(lines))]


def test_a_new_file_and_a_replaced_line() -> None:
    edits = [edit(1, Whole(f"{ONE}\n{TWO}\n", True)), edit(2, Replaced(TWO, THREE))]
    assert chosen([ONE, THREE], edits) == [Choice(0, "high", WROTE), Choice(1, "high", WROTE)]


def test_a_whole_file_may_have_been_there_before() -> None:
    edits = [edit(1, Whole(f"{ONE}\n{TWO}\n"))]
    assert chosen([ONE, TWO], edits) == [Choice(0, "medium", BEFORE)] * 2
    assert [one.confidence for one in chosen([ONE, TWO], [edits[0]._replace(is_fresh=True)])] == ["high", "high"]
    # It was overwritten: then it was there, whatever is stored of it.
    known = [edit(1, Whole(f"{ONE}\n", False), is_fresh=True)]
    assert chosen([ONE], known) == [Choice(0, "medium", BEFORE)]


def test_an_edit_of_a_file_that_is_not_known() -> None:
    edits = [edit(1, Replaced("what was there before", f"what was there before\n{ONE}"))]
    assert chosen(["a persons line", "what was there before", ONE], edits) == [
        Choice(-1, "unknown", NOBODY), Choice(-1, "unknown", NOBODY), Choice(0, "high", WROTE),
    ]  # fmt: skip


def test_a_line_that_was_undone_is_not_the_calls() -> None:
    edits = [edit(1, Hunk((), (ONE,))), edit(2, Hunk((ONE,), (TWO,)))]
    assert chosen([ONE, TWO], edits) == [Choice(-1, "unknown", TAKEN_BACK), Choice(1, "high", WROTE)]


def test_of_several_calls_the_one_is_not_sure() -> None:
    edits = [edit(1, Inserted(f"{ONE}\n"), session="a"), edit(2, Inserted(f"{ONE}\n"), session="b")]
    assert chosen([ONE], edits) == [Choice(1, "medium", SEVERAL)]
    # The session that made the commit is preferred, and it is no surer for it.
    assert chosen([ONE], edits, session="a") == [Choice(0, "medium", SEVERAL)]


def test_a_copy_is_in_doubt() -> None:
    edits = [edit(1, Inserted(f"{ONE}\n"))]
    assert chosen([ONE, TWO, ONE], edits) == [
        Choice(0, "medium", ELSEWHERE), Choice(-1, "unknown", NOBODY), Choice(0, "medium", ELSEWHERE),
    ]  # fmt: skip


def test_a_line_that_was_moved_is_in_doubt() -> None:
    edits = [
        edit(1, Whole(f"{ONE}\n{TWO}\n{THREE}\n", True)),
        edit(2, Whole(f"{TWO}\n{THREE}\n{ONE}\n{ONE}\n")),
    ]
    told = chosen([TWO, THREE, ONE, ONE], edits)
    assert [one.confidence for one in told] == ["high", "high", "medium", "medium"]
    assert {one.reason for one in told[2:]} <= {REPEATED, COMMON, SEVERAL, ELSEWHERE}


def test_lines_that_stand_everywhere_are_never_sure() -> None:
    edits = [edit(1, Whole(f"{ONE}\n}}\n\n", True))]
    told = chosen([ONE, "}", ""], edits)
    assert told[0] == Choice(0, "high", WROTE)
    assert [(one.confidence, one.reason) for one in told[1:]] == [("medium", COMMON)] * 2
    # Alone, without what stands beside them, nothing is known.
    assert chosen(["a persons line", "}", ""], edits)[1:] == [Choice(-1, "unknown", COMMON)] * 2


def test_no_call_is_later_than_the_commit() -> None:
    edits = [edit(1, Inserted(f"{ONE}\n")), edit(5, Inserted(f"{ONE}\n"))]
    assert chosen([ONE], edits, until=at(3)) == [Choice(0, "high", WROTE)]
    # Clocks differ by a minute or two.
    assert chosen([ONE], edits, until=at(4, 59)) == [Choice(1, "medium", SEVERAL)]
    assert chosen([ONE], edits, until=at(0)) == [Choice(-1, "unknown", NOBODY)]


def test_what_a_program_wrote_is_unknown() -> None:
    edits = [edit(1, Whole(f"{ONE}\n", True)), edit(2, Unknown())]
    told = chosen([ONE, "a line that a formatter made"], edits)
    assert told[0].edit == 0
    assert told[1] == Choice(-1, "unknown", NOBODY)


def test_without_calls_and_without_lines() -> None:
    assert chosen([ONE], []) == [Choice(-1, "unknown", NOBODY)]
    assert chosen([], [edit(1, Inserted(ONE))]) == []


def test_what_was_deleted_and_written_again_may_have_been_put_back() -> None:
    edits = [edit(1, Whole(f"{ONE}\n{TWO}\n", True)), edit(3, Whole(f"{ONE}\n{THREE}\n"), is_fresh=True)]
    assert chosen([ONE, THREE], edits) == [Choice(1, "medium", SEVERAL), Choice(1, "high", WROTE)]


def test_a_line_that_stands_thousands_of_times_takes_no_time() -> None:
    lines = [f"{ONE} {number // 2}" if number % 2 else "    }, {" for number in range(8000)]
    edits = [edit(1, Whole("\n".join(lines) + "\n", True))]
    began = time.process_time()
    told = chosen(lines, edits, until=at(5))
    assert time.process_time() - began < 8  # each with each other would be minutes
    assert [one.edit for one in told] == [0] * len(lines)
    assert {one.confidence for one in told[1::2]} == {"high"}
