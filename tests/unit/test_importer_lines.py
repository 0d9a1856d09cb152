"""What a line becomes does not depend on which decoder read it."""

from __future__ import annotations

import copy
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentstore.importers import ImportResult, import_claude_code, import_claude_code_tree
from agentstore.importers.claude_code import lines as claude_lines
from agentstore.importers.claude_code.lines import Chunk, Line
from agentstore.importers.claude_code.rows import usage_of
from tests.unit.importer_lines import FILE, SESSION, assistant, data, line, said, user
from tests.unit.test_importer_fuzz import JSON, KEYS, SEEDS


def refuse(_: Any) -> Any:
    raise msgspec.DecodeError("refused, so that the forgiving path is taken")


def forgivingly(whole: bytes, **arguments: Any) -> ImportResult:
    """The import with a typed decoder that takes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claude_lines, "_decode_lines", refuse)
        patch.setattr(claude_lines, "_decode", refuse)
        return import_claude_code(whole, **arguments)


def plain(read: ImportResult) -> ImportResult:
    # The state has digests of raw bytes, which one path passes on as they are.
    return msgspec.structs.replace(read, state=None)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(0, len(SEEDS) - 1), st.lists(st.sampled_from(KEYS), max_size=4), JSON), max_size=6)
)
def test_any_value_in_any_field_is_the_same_on_both_paths(choices: list[tuple[int, list[str], Any]]) -> None:
    records = []
    for seed, path, value in choices:
        record = copy.deepcopy(SEEDS[seed])
        target = record
        for key in path[:-1]:
            target = target[key] if isinstance(target.get(key), dict) else target
        if path:
            target[path[-1]] = value
        records.append(record)
    whole = "\n".join(json.dumps(record, separators=(",", ":")) for record in records).encode() + b"\n"
    assert plain(import_claude_code(whole, file=FILE)) == plain(forgivingly(whole, file=FILE))


def test_one_bad_line_does_not_send_the_others_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    forgive = Chunk._forgive

    def counted(self: Chunk, number: int, raw: bytes) -> Iterator[tuple[int, Line]]:
        taken.append(number)
        return forgive(self, number, raw)

    monkeypatch.setattr(Chunk, "_forgive", counted)
    bad = json.dumps(user("b", uuid=7)).encode() + b"\n"
    read = import_claude_code(data(user("a")) + bad + data(user("c", 9)), file=FILE)
    assert [message.content for message in read.messages] == ["a", "b", "c"]
    assert taken == [2]
    assert read.problems == []


@pytest.mark.parametrize(
    "whole",
    [
        b'{"type":"mode"}{"type":"tag"}\n\n{"type":"launched"}\n',
        b'{"type":"mode"}\n\n  \n{"type":"tag"} {"type":"launched"}\n',
        b'\xef\xbb\xbf{"type":"mode"}\r\n{"type":"tag"}\r\n{"type":"launched"}',
    ],
)
def test_every_record_of_a_line_is_taken(whole: bytes) -> None:
    read = import_claude_code(whole, file=FILE)
    assert (read.skipped_records, read.problems) == ({"mode": 1, "tag": 1, "launched": 1}, [])


def test_what_is_not_read_is_not_judged() -> None:
    record = json.dumps(user("a", toolUseResult={"stdout": "?"})).encode().replace(b'"?"', b'"\xff"')
    read = import_claude_code(record + b"\n", file=FILE)
    assert ([message.content for message in read.messages], read.problems) == (["a"], [])
    read = import_claude_code(record.replace(b'"a"', b'"\xff"') + b"\n", file=FILE)
    assert [message.content for message in read.messages] == ["\ufffd"]
    assert [problem.reason[:13] for problem in read.problems] == ["invalid UTF-8"]


def test_a_chunk_numbers_its_lines() -> None:
    problems: list[tuple[int, str]] = []
    chunk = Chunk(b'{"uuid":"a"}\n\n{"uuid":"b"}{"uuid":"c"}\n[1]\n', 10, lambda *told: problems.append(told))
    assert [(number, found.uuid) for number, found in chunk] == [(10, "a"), (12, "b"), (12, "c")]
    assert problems == [(13, "not a JSON object but list")]
    assert chunk.count == 4
    assert isinstance(chunk.lines and chunk.lines[0], Line)


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "written"),
    [
        ({"cache_creation_input_tokens": 7, "cache_creation": {"ephemeral_5m_input_tokens": 4}}, 7),
        ({"cache_creation_input_tokens": None, "cache_creation": {"ephemeral_5m_input_tokens": 4}}, 4),
        (
            {
                "cache_creation_input_tokens": None,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
            },
            9,
        ),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 5}}, 5),
        ({"cache_creation_input_tokens": "x", "cache_creation": {"ephemeral_1h_input_tokens": 5}}, 5),
        ({"cache_creation_input_tokens": None, "cache_creation": {"ephemeral_1h_input_tokens": "x"}}, 0),
        ({"cache_creation_input_tokens": None, "cache_creation": None}, 0),
        ({"cache_creation_input_tokens": 0, "cache_creation": {"ephemeral_1h_input_tokens": 5}}, 0),
    ],
)
def test_cache_writes_are_a_total_or_its_parts(usage: dict[str, Any], written: int) -> None:
    assert usage_of(json.dumps(usage).encode()).written() == written
    record = assistant(said("x"))
    record["message"]["usage"] = usage
    assert import_claude_code(data(record), file=FILE).messages[0].cache_write_tokens == written


def test_a_detached_head_does_not_replace_a_branch() -> None:
    def branch(*names: str) -> str:
        read = import_claude_code(data(*(user(name, n, gitBranch=name) for n, name in enumerate(names))), file=FILE)
        return read.sessions[0].git_branch

    assert branch("main", "HEAD") == "main"
    assert branch("HEAD", "main", "HEAD", "fix") == "fix"
    assert branch("HEAD") == "HEAD"
    assert branch("main", "") == "main"


KNOWN = [
    "agent-color",
    "agent-setting",
    "artifact-manifest",
    "artifact-x",
    "attribution-snapshot",
    "content-replacement",
    "continued-in",
    "conversation_reset",
    "cost-state",
    "ended-by-model",
    "failed",
    "fork-context-ref",
    "history-suppression",
    "isolation-latch",
    "launched",
    "marble-origami-a",
    "marble-origami-state",
    "observer-ref",
    "tag",
]


def test_records_of_the_program_are_kept_out_and_counted() -> None:
    read = import_claude_code(data(user("x"), *(line(kind) for kind in KNOWN)), file=FILE)
    assert read.skipped_records == dict.fromkeys(KNOWN, 1)
    assert (read.unknown_records, len(read.messages)) == ({}, 1)


def test_a_session_that_goes_on_elsewhere_says_where() -> None:
    read = import_claude_code(data(user("x"), line("continued-in", continuedInSessionId="next")), file=FILE)
    assert read.continued_in == "next"


def test_a_session_that_another_goes_on_in_continues_it(tmp_path: pathlib.Path) -> None:
    old, new = "1" * 8 + SESSION[8:], "2" * 8 + SESSION[8:]
    told = line("continued-in", sessionId=old, continuedInSessionId=new)
    (tmp_path / f"{old}.jsonl").write_bytes(data(user("x", sessionId=old), told))
    (tmp_path / f"{new}.jsonl").write_bytes(data(user("y", 9, sessionId=new)))
    sessions = {session.id: session for read in import_claude_code_tree(tmp_path) for session in read.sessions}
    assert {id: (s.parent_session_id, s.relationship_type) for id, s in sessions.items()} == {
        old: ("", ""), new: (old, "continuation"),
    }  # fmt: skip
    # What the records themselves say has precedence; nobody continues himself.
    own = data(user("y", sessionId="other"))
    assert import_claude_code(own, file=f"{new}.jsonl", continues=old).sessions[0].parent_session_id == "other"
    assert import_claude_code(own, file="other.jsonl", continues="other").sessions[0].relationship_type == ""


def test_what_is_unknown_may_have_any_number_of_names() -> None:
    read = import_claude_code(data(*(line(f"new-{number}") for number in range(2000))), file=FILE)
    assert len(read.unknown_records) <= 501
    assert sum(read.unknown_records.values()) == 2000
