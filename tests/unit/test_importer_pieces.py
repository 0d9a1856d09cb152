"""A file read in pieces, and again after it has grown, is the file read whole."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentstore.importers import (
    ImportProblem,
    ImportResult,
    ImportState,
    StaleStateError,
    import_claude_code,
    iter_claude_code,
    jsonl,
)
from agentstore.importers.claude_code.calls import HELD_CALLS, HELD_RESULTS
from agentstore.importers.claude_code.window import OPEN_MESSAGES
from tests.unit.importer_lines import FILE, assistant, at, data, line, result, said, use, user
from tests.unit.importer_rows import grown, kept, union


def pieces(whole: bytes, **arguments: Any) -> list[ImportResult]:
    return list(iter_claude_code(io.BytesIO(whole), file=FILE, **arguments))


def talk(number: int) -> list[dict[str, Any]]:
    """A prompt and a response of two lines with a call, its result between them."""
    return [
        user(f"do {number}", number),
        assistant(use(f"t{number}", command="git commit"), id=f"msg_{number}", second=number, output=2),
        result(f"t{number}", f"[main {number:07x}] x", second=number),
        assistant(said(f"done {number}"), id=f"msg_{number}", second=number, output=9),
    ]


# --- pieces ----------------------------------------------------------------------------------------------------------

RECORDS = [
    *talk(1),
    *talk(2),
    line("summary", None, summary="s", leafUuid="user-2"),
    line("summary", None, summary="o", leafUuid="elsewhere"),
    line("queue-operation", 3, operation="enqueue", content="and this"),
    line("queue-operation", 4, operation="remove"),
    line("attachment", 4, attachment={"type": "queued_command", "prompt": "and this"}, uuid="q"),
    result("t9", "early", 5),
    assistant(use("t9", "Task"), use("t10", "Task"), id="msg_3", second=6),
    line("progress", 7, parentToolUseID="t10", data={"type": "agent_progress", "agentId": "a1"}),
    line("pr-link", 8, prUrl="https://github.com/o/r/pull/1"),
    line("continued-in", 9, continuedInSessionId="next"),
    *talk(1),
]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.integers(0, len(RECORDS) - 1), max_size=40),
    st.lists(st.floats(0, 1), max_size=4),
    st.integers(1, 3000),
    st.booleans(),
)
def test_any_pieces_of_any_file_are_the_file(order: list[int], cuts: list[float], piece_bytes: int, ends: bool) -> None:
    file = data(*(RECORDS[number] for number in order))
    if not ends:
        file = file.rstrip(b"\n")
    whole = union([import_claude_code(file, file=FILE)])
    assert union(pieces(file, piece_bytes=piece_bytes)) == whole
    sizes = [*sorted(int(cut * len(file)) for cut in cuts), len(file)]
    assert union(grown(file, sizes, piece_bytes, file=FILE)) == whole


def test_pieces_hold_what_is_new_or_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "_STRETCH_BYTES", 1)
    records = talk(1)
    whole = data(*records)
    read = pieces(whole, piece_bytes=1)
    assert [[message.ordinal for message in piece.messages] for piece in read] == [[0], [1], [], [1]]
    assert [[call.result_content_length for call in piece.tool_calls] for piece in read] == [[], [None], [16], []]
    assert [piece.sessions[0].total_output_tokens for piece in read] == [0, 2, 2, 9]
    assert [len(piece.git_links) for piece in read] == [0, 0, 1, 0]
    states = [piece.state for piece in read if piece.state]
    assert [state.line for state in states] == [1, 2, 3, 4]
    assert [state.offset for state in states] == [len(data(*records[:end])) for end in range(1, 5)]


def test_a_file_that_has_not_grown_is_one_piece_without_rows() -> None:
    whole = data(*talk(1))
    (again,) = pieces(whole, state=import_claude_code(whole, file=FILE).state)
    assert (again.messages, again.tool_calls, again.git_links) == ([], [], [])
    assert again.sessions == import_claude_code(whole, file=FILE).sessions


def test_a_last_line_without_an_end_is_read_and_read_again() -> None:
    first, last = data(user("one")), data(user("two", 9)).rstrip(b"\n")
    read = import_claude_code(first + last, file=FILE)
    assert [message.content for message in read.messages] == ["one", "two"]
    assert read.state is not None
    assert (read.state.offset, read.state.line) == (len(first), 1)
    (after,) = pieces(first + last + b"\n" + data(user("three", 20)), state=read.state)
    assert [(message.ordinal, message.content) for message in after.messages] == [(1, "two"), (2, "three")]
    assert after.sessions[0].user_message_count == 3


def test_a_record_inside_a_line_that_is_still_being_written_is_none() -> None:
    outer = (
        b'{"parentUuid":null,"type":"user","toolUseResult":{"parentUuid":null,"type":"user","message":{"content":"x"}}'
    )
    assert import_claude_code(outer, file=FILE).messages == []
    assert len(import_claude_code(outer + b"\n" + data(user("y")), file=FILE).messages) == 2


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400), st.integers(1, 50))
def test_any_bytes_are_read_in_pieces(noise: bytes, cut: int, piece_bytes: int) -> None:
    whole = union([import_claude_code(noise, file=FILE)])
    assert union(grown(noise, [min(cut, len(noise)), len(noise)], piece_bytes, file=FILE)) == whole


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(0, len(RECORDS) - 1), st.integers(0, 300), st.binary(max_size=3)), max_size=12),
    st.floats(0, 1),
)
def test_damaged_lines_are_read_in_pieces(choices: list[tuple[int, int, bytes]], cut: float) -> None:
    file = b""
    for number, place, put in choices:
        damaged = bytearray(data(RECORDS[number]))
        damaged[place % len(damaged) : place % len(damaged) + len(put)] = put
        file += bytes(damaged)
    whole = union([import_claude_code(file, file=FILE)])
    assert union(grown(file, [int(cut * len(file)), len(file)], 1, file=FILE)) == whole


# --- states ----------------------------------------------------------------------------------------------------------


def test_a_state_of_another_file_is_refused() -> None:
    whole = data(*talk(1), *talk(2))
    state = kept(import_claude_code(whole, file=FILE).state)
    changed = whole.replace(b"do 1", b"do 7")
    for other in (whole[:-1], changed, changed + whole, b"", whole[:-4] + b"xx}\n"):
        with pytest.raises(StaleStateError):
            iter_claude_code(io.BytesIO(other), file=FILE, state=state)
    broken = msgspec.structs.replace(state, memory=state.memory[:-3])
    with pytest.raises(StaleStateError, match="cannot be read"):
        iter_claude_code(io.BytesIO(whole), file=FILE, state=broken)
    newer = msgspec.structs.replace(state, version=99)
    with pytest.raises(StaleStateError, match="version 99"):
        iter_claude_code(io.BytesIO(whole), file=FILE, state=newer)


def test_a_state_is_small_and_keeps_no_text_of_what_is_past() -> None:
    records = [record for number in range(400) for record in talk(number)]
    records += [user("x" * 100_000, 5000 + number) for number in range(4)]
    records += [user("end", 6000 + number) for number in range(OPEN_MESSAGES)]
    state = import_claude_code(data(*records), file=FILE).state
    assert len(msgspec.msgpack.encode(state)) < 60 * len(records)
    assert msgspec.json.decode(msgspec.json.encode(state), type=ImportState) == state


# --- what is bounded -------------------------------------------------------------------------------------------------


def test_a_block_that_comes_for_a_closed_response_is_a_message_of_its_own_without_tokens() -> None:
    between = [user(str(number), 10 + number) for number in range(OPEN_MESSAGES)]
    late = [
        assistant(said("a"), second=1, output=5, uuid="replayed"),
        assistant(said("new"), said("a"), second=1, output=50, uuid="late"),
        assistant(use("t2"), second=1, output=50, uuid="late call"),
        assistant(said("new"), second=1, output=50, uuid="replayed, too"),
    ]
    read = import_claude_code(data(assistant(said("a"), use("t1"), second=1, output=5), *between, *late), file=FILE)
    assert [(m.role, m.content, m.output_tokens, m.source_id) for m in read.messages[OPEN_MESSAGES + 1 :]] == [
        ("assistant", "new", 0, "late"),
        ("assistant", "[Tool: Bash]", 0, "late call"),
    ]
    assert read.messages[0].output_tokens == read.sessions[0].total_output_tokens == 5
    assert [call.tool_use_id for call in read.tool_calls] == ["t1", "t2"]


def test_a_response_is_open_while_it_may_go_on() -> None:
    between = [user(str(number), 10 + number) for number in range(OPEN_MESSAGES - 1)]
    read = import_claude_code(data(assistant(said("a")), *between, assistant(said("b"), output=7)), file=FILE)
    assert (read.messages[0].content, read.messages[0].output_tokens) == ("a\nb", 7)


def test_calls_and_results_that_wait_are_bounded() -> None:
    calls = [assistant(use(f"t{n}", command="x"), id=f"m{n}", second=n) for n in range(HELD_CALLS + 1)]
    read = import_claude_code(data(*calls, result("t0", "too late"), result("t1", "in time")), file=FILE)
    assert [call.result_content for call in read.tool_calls[:2]] == ["", "in time"]
    early = [result(f"t{n}", "early", n) for n in range(HELD_RESULTS + 1)]
    read = import_claude_code(data(*early, assistant(use("t0"), use("t1"))), file=FILE)
    assert [call.result_content for call in read.tool_calls] == ["", "early"]
    assert read.skipped_records == {"tool_result/orphan": HELD_RESULTS}


def test_what_waits_is_bounded_by_its_length_also() -> None:
    calls = [assistant(use(f"t{n}", "Write", content="x" * 500_000), id=f"m{n}", second=n) for n in range(6)]
    more = [user("y", 20 + n) for n in range(OPEN_MESSAGES)]
    (read,) = pieces(data(*calls, *more), piece_bytes=10**9)
    assert len(msgspec.msgpack.encode(read.state)) < 3_000_000
    assert len(read.tool_calls) == 6


@pytest.mark.parametrize("stretch", [7, 64, 500, 1999])
def test_a_line_that_is_too_long_is_skipped_and_told(monkeypatch: pytest.MonkeyPatch, stretch: int) -> None:
    monkeypatch.setattr(jsonl, "_STRETCH_BYTES", stretch)
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 1000)
    first, long, last = data(user("one")), data(user("x" * 2000, 5)), data(user("two", 9))
    read = pieces(first + long + last)
    assert union(read) == union([import_claude_code(first + long + last, file=FILE)])
    assert [message.content for piece in read for message in piece.messages] == ["one", "two"]
    assert [(problem.line, problem.reason[:6]) for piece in read for problem in piece.problems] == [(2, "a line")]
    # While it is being written, nothing passes it.
    for end in range(len(first), len(first + long) - 1, 97):
        state = pieces((first + long)[:end])[-1].state
        assert state is not None
        assert state.offset == len(first)
    after = grown(first + long + last, [len(first) + 1500, len(first + long), len(first + long + last)], 1, file=FILE)
    assert union(after) == union(read)


def test_the_lines_of_problems_are_those_of_the_file() -> None:
    whole = data(*talk(1)) + b"\n{broken\n" + data(*talk(2)) + b"[]\n"
    expected = [ImportProblem(FILE, 6, "bad"), ImportProblem(FILE, 11, "not")]
    for read in (pieces(whole, piece_bytes=1), grown(whole, [600, 1500, len(whole)], 1, file=FILE)):
        found = [problem for piece in read for problem in piece.problems if problem.reason != "truncated last line"]
        assert [(problem.line, problem.reason[:3]) for problem in found] == [
            (problem.line, problem.reason) for problem in expected
        ]


def test_memory_is_bounded_by_the_pieces_not_by_the_file() -> None:
    import tracemalloc

    class Endless(io.RawIOBase):
        """40 MB of lines that nobody has in memory."""

        def __init__(self) -> None:
            self.left, self.number, self.rest = 40_000_000, 0, b""

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            while len(self.rest) < size and self.left > 0:
                self.number += 1
                text = "z" * 20_000
                made = [user(text, self.number, timestamp=at(self.number % 3000), uuid=f"u{self.number}")]
                made += [assistant(said(text), id=f"m{self.number}", second=self.number % 3000, output=1)]
                lines = data(*made)
                self.left -= len(lines)
                self.rest += lines
            part, self.rest = self.rest[:size], self.rest[size:]
            return part

    tracemalloc.start()
    try:
        read = ordinals = 0
        for piece in iter_claude_code(Endless(), file=FILE, piece_bytes=1_000_000):  # type: ignore[arg-type]
            read += 1
            ordinals += len(piece.messages)
            del piece
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read > 20
    assert ordinals >= 1900
    assert peak < 15_000_000, f"{peak:,} bytes for 40 MB"


def test_random_real_shapes_in_random_pieces() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(60):
        records = [
            record for _ in range(chance.randrange(1, 60)) for record in chance.choice([talk(1), talk(2), RECORDS])
        ]
        chance.shuffle(records)
        lines = [json.dumps(record, ensure_ascii=False).encode() for record in records]
        noise = [b"", b"{", b"// x", b'{"type":"user","message":{"content":7}}', b"\xff{}"]
        lines = [chance.choice([line, line, line, line + line, chance.choice(noise)]) for line in lines]
        whole = b"\n".join(lines) + chance.choice([b"", b"\n"])
        expected = union([import_claude_code(whole, file=FILE)])
        sizes = [*sorted(chance.randrange(len(whole) + 1) for _ in range(3)), len(whole)]
        assert union(grown(whole, sizes, chance.choice([1, 500, 10**6]), file=FILE)) == expected
