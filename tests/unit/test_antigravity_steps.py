"""Antigravity's transcripts: steps, who speaks, calls and their results, who started whom, and two files of one."""

from __future__ import annotations

import contextlib
import pathlib
import random
import sqlite3
from typing import Any

from agentstore.importers import ImportResult, Options, import_tree, importer_named
from tests.unit.importer_seeds import (
    AGY_STEPS,
    AGY_TIMES,
    ANTIGRAVITY,
    agy_call,
    agy_request,
    agy_step,
    lines,
)
from tests.unit.mutation_seed import mutation_seed

ID = f"antigravity-cli:{ANTIGRAVITY}"
CHILD = "3eaf9d49-b3ad-488f-9b44-887c7c4836bd"


def put(
    root: pathlib.Path,
    *steps: Any,
    name: str = "transcript.jsonl",
    of: str = ANTIGRAVITY,
    agent: str = "antigravity-cli",
) -> None:
    path = root / agent / "brain" / of / ".system_generated" / "logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lines(*steps))


def read(root: pathlib.Path) -> list[ImportResult]:
    return list(import_tree(root, Options(), [importer_named("antigravity-cli")]))


def one(root: pathlib.Path, *steps: Any) -> ImportResult:
    put(root, *steps)
    (result,) = read(root)
    return result


def said(result: ImportResult) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in result.messages]


def test_a_transcript_is_its_rows(tmp_path: pathlib.Path) -> None:
    result = one(tmp_path, *AGY_STEPS)
    assert said(result) == [
        ("user", "fix the tide"),
        ("assistant", "[Thinking]\n**Plan**\n[/Thinking]\n[Read: /home/ada/tideclock/a.md]\n[Bash]\n$ git commit -m x"),
        ("system", "stopped"),
        ("assistant", "done\n[Tool: invoke_subagent]"),
    ]
    assert [(c.tool_name, c.tool_category, c.result_content, c.is_error) for c in result.tool_calls] == [
        ("view_file", "Read", "hello", False),
        ("run_command", "Bash", "The command exited with code 0.\nOutput:\n[main 1a2b3c4] x\n", False),
        ("invoke_subagent", "Task", 'Created:\n{\n  "conversationId": "' + CHILD + '"\n}', False),
    ]
    assert result.tool_calls[1].input_json == '{"CommandLine":"git commit -m x","Cwd":"/home/ada/tideclock"}'
    assert result.tool_calls[2].subagent_session_id == f"antigravity-cli:{CHILD}"
    assert result.messages[1].model == "Gemini 3.5 Flash (Low)"
    assert result.messages[1].source_id == f"{ID}:2@1783242842000"
    (session,) = result.sessions
    assert (session.id, session.agent_type, session.first_message) == (ID, "antigravity-cli", "fix the tide")
    assert (session.project_path, session.user_message_count) == ("/home/ada/tideclock", 1)
    assert str(session.started_at) == "2026-07-05 09:14:00+00:00"
    assert str(session.ended_at) == "2026-07-05 09:14:08+00:00"
    assert result.skipped_records == {"CONVERSATION_HISTORY": 1, "CHECKPOINT": 1}
    assert not result.problems


def test_of_two_files_of_a_conversation_the_whole_one_is_read(tmp_path: pathlib.Path) -> None:
    cut = [{**step, "content": "cut"} if step["type"] == "VIEW_FILE" else step for step in AGY_STEPS]
    put(tmp_path, *cut)
    put(tmp_path, *AGY_STEPS, name="transcript_full.jsonl")
    (main,) = [result for result in read(tmp_path) if result.sessions]
    assert main.file.endswith("transcript_full.jsonl")
    assert main.tool_calls[0].result_content == "hello"
    assert main.sessions[0].id == ID
    put(tmp_path, *cut, agy_step(9, "PLANNER_RESPONSE", "more"))
    (main,) = [result for result in read(tmp_path) if result.sessions]
    assert main.messages[-1].content == "more"  # the other one was not written to its end


def test_subagents_know_who_started_them(tmp_path: pathlib.Path) -> None:
    put(tmp_path, *AGY_STEPS)
    put(tmp_path, agy_step(0, "USER_INPUT", "look", "USER_EXPLICIT"), of=CHILD)
    put(tmp_path, agy_step(0, "USER_INPUT", "other", "USER_EXPLICIT"), agent="antigravity")
    child, main, other = read(tmp_path)
    assert child.sessions[0].id == f"antigravity-cli:{CHILD}"
    assert (child.sessions[0].parent_session_id, child.sessions[0].relationship_type) == (ID, "subagent")
    assert (main.sessions[0].id, main.sessions[0].relationship_type) == (ID, "")
    assert (other.sessions[0].id, other.sessions[0].agent_type) == (f"antigravity:{ANTIGRAVITY}", "antigravity")


def test_who_speaks(tmp_path: pathlib.Path) -> None:
    steps = [
        agy_step(0, "USER_INPUT", "no marks\n<ADDITIONAL_METADATA>\nx", "USER_EXPLICIT"),
        agy_step(1, "USER_INPUT", agy_request("by a program"), "USER_IMPLICIT"),
        agy_step(2, "USER_INPUT", "<USER_REQUEST>\ncut off", "USER_EXPLICIT"),
        agy_step(3, "USER_INPUT", "<USER_SETTINGS_CHANGE>\nx\n</USER_SETTINGS_CHANGE>", "USER_EXPLICIT"),
        agy_step(4, "EPHEMERAL_MESSAGE", "x", "SYSTEM_SDK"),
        agy_step(5, "ERROR_MESSAGE", "quota", "SYSTEM"),
        agy_step(6, "PLANNER_RESPONSE"),
        agy_step(6, "PLANNER_RESPONSE", "again"),
    ]
    result = one(tmp_path, *steps)
    assert said(result) == [
        ("user", "no marks"),
        ("system", "by a program"),
        ("user", "cut off"),
        ("system", "quota"),
    ]
    assert result.skipped_records == {
        "USER_INPUT/empty": 1,
        "EPHEMERAL_MESSAGE": 1,
        "PLANNER_RESPONSE/empty": 1,
        "step/again": 1,
    }


def test_results_belong_to_calls_in_their_order(tmp_path: pathlib.Path) -> None:
    call = agy_call("run_command", CommandLine="x")
    steps = [
        agy_step(0, "PLANNER_RESPONSE", tool_calls=[call, call, {"name": "view_file", "args": {"cut": '"abc'}}]),
        agy_step(1, "GENERIC", f"{AGY_TIMES}\nThe command exited with code 2.\nOutput:\nbad"),
        agy_step(2, "RUN_COMMAND", "", status="RUNNING"),
        agy_step(3, "RUN_COMMAND", "refused", status="ERROR"),
        agy_step(4, "PLANNER_RESPONSE", "next"),
        agy_step(5, "VIEW_FILE", "nobody asked"),
        agy_step(
            6, "RUN_COMMAND", "gemini", tool_calls=[{"name": "run_command", "args": {"command": "g"}}], exit_code=1
        ),
    ]
    result = one(tmp_path, *steps)
    assert [(c.result_content, c.is_error, c.result_content_length is None) for c in result.tool_calls] == [
        ("The command exited with code 2.\nOutput:\nbad", True, False),
        ("refused", True, False),
        ("", False, True),
        ("gemini", True, False),
    ]
    assert result.tool_calls[2].input_json == '{"cut":"\\"abc"}'
    assert result.skipped_records == {"result/unfinished": 1, "VIEW_FILE/without a call": 1}
    assert len({call.tool_use_id for call in result.tool_calls}) == 4


# --- tokens ----------------------------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def generation(steps: bytes, *usage: tuple[int, int], model: int = 1371) -> bytes:
    told = field(1, model) + b"".join(field(number, value) for number, value in usage)
    part = field(4, told) + field(19, b"gemini-3-flash-a") + field(21, b"Gemini 3 Flash") + b"\x09" + b"\0" * 8
    return field(1, part) + steps


def database(root: pathlib.Path, *rows: tuple[int, bytes]) -> pathlib.Path:
    path = root / "antigravity-cli" / "conversations" / f"{ANTIGRAVITY}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE gen_metadata (idx INTEGER PRIMARY KEY, data BLOB)")
        connection.executemany("INSERT INTO gen_metadata VALUES (?, ?)", rows)
        connection.commit()
    return path


def test_tokens_come_from_the_database_beside(tmp_path: pathlib.Path) -> None:
    packed, single = field(2, varint(2) + varint(3)), field(2, 7) + field(2, 8)
    database(
        tmp_path,
        (0, generation(packed, (2, 1000), (3, 50), (5, 19_000))),
        (1, generation(single, (3, 9))),
        (2, generation(field(2, 500), (2, 1))),
    )
    result = one(tmp_path, *AGY_STEPS)
    spent = [(m.input_tokens, m.cache_read_tokens, m.output_tokens, m.model) for m in result.messages]
    assert spent == [
        (0, 0, 0, ""),
        (1000, 19_000, 50, "Gemini 3.5 Flash (Low)"),
        (0, 0, 0, ""),
        (0, 0, 9, "Gemini 3.5 Flash (Low)"),
    ]
    assert result.messages[1].token_usage == '{"input_tokens":1000,"output_tokens":50,"cache_read_tokens":19000}'
    assert (result.sessions[0].total_output_tokens, result.sessions[0].peak_context_tokens) == (59, 20_000)
    unnamed = one(tmp_path, agy_step(7, "PLANNER_RESPONSE", "x"))
    assert unnamed.messages[0].model == "Gemini 3 Flash"


def test_tokens_that_come_after_their_response_are_counted(tmp_path: pathlib.Path) -> None:
    put(tmp_path, *AGY_STEPS)
    (path,) = (tmp_path / "antigravity-cli").rglob("transcript.jsonl")
    history = importer_named("antigravity-cli").survey([path], Options())
    *_, before = history.read(path)
    database(tmp_path, (0, generation(field(2, 2), (2, 1000), (3, 50), (5, 19_000))))
    put(tmp_path, *AGY_STEPS, agy_step(20, "PLANNER_RESPONSE", "more"))
    *_, after = history.read(path, before.state)
    (whole,) = read(tmp_path)
    rows = {message.ordinal: message for message in (*before.messages, *after.messages)}
    assert [rows[ordinal] for ordinal in sorted(rows)] == whole.messages
    assert after.sessions == whole.sessions
    assert whole.sessions[0].total_output_tokens == 50


def test_what_two_copies_that_diverged_both_have_is_known_to_be_the_same(tmp_path: pathlib.Path) -> None:
    for place, text in (("a", "one"), ("b", "other")):
        more = agy_step(20, "PLANNER_RESPONSE", text) | {"created_at": f"2026-07-05T10:00:0{len(text)}Z"}
        put(tmp_path / place, *AGY_STEPS, more)
    first, second = read(tmp_path)
    assert {first.sessions[0].relationship_type, second.sessions[0].relationship_type} == {"", "fork"}
    sources = [[message.source_id for message in result.messages] for result in (first, second)]
    assert sources[0][:-1] == sources[1][:-1]
    assert sources[0][-1] != sources[1][-1]


def test_what_is_no_usage_gives_no_tokens(tmp_path: pathlib.Path) -> None:
    rows = [
        generation(field(2, 2), (2, 3_000_000), (3, 5)),
        generation(field(2, 2), (2, 10), model=7),
        generation(field(2, 2)),
        b"\xff" * 40,
        b"",
        field(1, 5),
    ]
    for row in rows:
        database(tmp_path, (0, row))
        result = one(tmp_path, *AGY_STEPS)
        assert sum(message.output_tokens + message.context_tokens for message in result.messages) == 0
        assert not result.problems


def test_broken_databases_are_told_and_do_no_harm(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = database(tmp_path, (0, generation(field(2, 2), (2, 10), (3, 5))))
    whole = path.read_bytes()
    expected = said(one(tmp_path, *AGY_STEPS))
    for _ in range(100):
        torn = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            torn[chance.randrange(len(torn))] = chance.randrange(256)
        path.write_bytes(bytes(torn[: chance.choice([len(torn), 100, 4096])]))
        result = one(tmp_path, *AGY_STEPS)
        assert said(result) == expected
        assert all(problem.line == 0 and problem.reason for problem in result.problems)
