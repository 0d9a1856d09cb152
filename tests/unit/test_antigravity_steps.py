"""Antigravity's transcripts: steps, who speaks, calls and their results, who started whom, and two files of one."""

from __future__ import annotations

import pathlib
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
    assert result.messages[1].source_id == f"{ID}:2"
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
