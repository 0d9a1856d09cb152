"""Trajectories of SWE-agent and mini-SWE-agent: steps, who speaks, calls, tokens, and who a run is."""

from __future__ import annotations

import copy
import json
import pathlib
from typing import Any

import pytest

from agentstore.importers import ImportResult, Options, StaleStateError, import_tree, importer_named
from agentstore.importers.swe_agent.actions import call_of
from tests.unit.importer_seeds import (
    MINI_RUN,
    SWE_RUN,
    document,
    mini_output,
    mini_response,
    swe_said,
    swe_step,
)


def put(root: pathlib.Path, name: str, value: Any) -> pathlib.Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(document(value))
    return path


def read(root: pathlib.Path) -> list[ImportResult]:
    return list(import_tree(root, Options(user_id="ada"), [importer_named("swe-agent")]))


def one(root: pathlib.Path, value: Any, name: str = "ada__tide-7/ada__tide-7.traj") -> ImportResult:
    put(root, name, value)
    (result,) = read(root)
    return result


def changed(run: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**copy.deepcopy(run), **members}


def said(result: ImportResult) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in result.messages]


def test_a_run_is_its_rows(tmp_path: pathlib.Path) -> None:
    result = one(tmp_path, SWE_RUN)
    assert said(result) == [
        ("user", "Fix the tide."),
        ("assistant", "So.\n[Bash]\n$ ls -F"),
        ("assistant", "So.\n[Read: a.py]"),
        ("assistant", "So.\n[Bash]\n$ git commit -am x"),
        ("assistant", "So.\n[Tool: submit]"),
        ("system", "Exited (autosubmitted)"),
    ]
    assert [(c.tool_name, c.tool_use_id, json.loads(c.input_json), c.result_content) for c in result.tool_calls] == [
        ("bash", "call_1", {"command": "ls -F"}, "a.py"),
        ("open", "call_2", {"path": "a.py"}, "[File: a.py]"),
        ("bash", "", {"command": "git commit -am x"}, "[main 1a2b3c4] x"),
        ("submit", "", {"command": "submit"}, "diff --git a/a.py b/a.py"),
    ]
    (session,) = result.sessions
    assert (session.agent_type, session.display_name, session.first_message) == (
        "swe-agent",
        "ada__tide-7",
        "Fix the tide.",
    )
    assert (session.project_name, session.project_path) == ("tide", "/testbed")
    assert (session.message_count, session.user_message_count, session.total_output_tokens) == (6, 1, 24)
    assert (session.peak_context_tokens, session.started_at) == (0, None)
    last = result.messages[4]  # the run's tokens are known only together: they stand at its last response
    assert (last.input_tokens, last.output_tokens, last.model) == (700, 24, "gpt-4o")
    assert json.loads(last.token_usage)["instance_cost"] == 0.1
    assert sum(message.output_tokens for message in result.messages) == 24
    assert last.source_id == f"{session.id}:3"
    (link,) = result.git_links
    assert (link.commit_sha, link.message_ordinal) == ("1a2b3c4", 3)
    assert result.skipped_records == {
        "history/system": 1,
        "history/demonstration": 1,
        "history/assistant": 2,
        "history/tool": 1,
    }


def test_actions_of_versions_without_function_calling(tmp_path: pathlib.Path) -> None:
    steps = [
        swe_step("edit 1:1\nimport os\nend_of_edit\n", "ok", state='{"open_file": "n/a", "working_dir": "/ada__tide"}'),
        swe_step("str_replace_editor view /testbed/a.py --view_range 1 9\n", "ok"),
        swe_step("open 'a b.py' 12\n", "ok"),
        swe_step('search_dir "x y" src && ls', "ok"),
        swe_step("python edit.py", "ok"),
    ]
    result = one(tmp_path, changed(SWE_RUN, trajectory=steps, history=[], replay_config=None))
    assert [(call.tool_name, call.tool_category, json.loads(call.input_json)) for call in result.tool_calls] == [
        ("edit", "Edit", {"command": "edit 1:1\nimport os\nend_of_edit"}),
        (
            "str_replace_editor",
            "Edit",
            {"command": "str_replace_editor view /testbed/a.py --view_range 1 9", "path": "/testbed/a.py"},
        ),
        ("open", "Read", {"command": "open 'a b.py' 12", "path": "a b.py"}),
        ("bash", "Bash", {"command": 'search_dir "x y" src && ls'}),
        ("bash", "Bash", {"command": "python edit.py"}),
    ]
    assert said(result)[0] == ("user", "the task")  # of the first query, where there is no history
    assert result.sessions[0].project_path == "/ada__tide"


@pytest.mark.parametrize(
    ("action", "name"),
    [("ls", "bash"), ("./open x", "bash"), ("opening", "bash"), ("open", "open"), ("create-x", "bash"), ("\n", "bash")],
)
def test_only_whole_words_are_commands(action: str, name: str) -> None:
    assert call_of(action, None)[0] == name


def test_a_history_alone_is_a_demonstration(tmp_path: pathlib.Path) -> None:
    history = SWE_RUN["history"]
    result = one(tmp_path, {"history": history}, "demo.traj")
    assert said(result) == [
        ("user", "Fix the tide."),
        ("assistant", "So.\n[Bash]\n$ ls -F"),
        ("assistant", "So.\n[Read: a.py]"),
    ]
    assert result.tool_calls == []
    assert not result.problems


def test_thoughts_of_the_model(tmp_path: pathlib.Path) -> None:
    blocks = [{"type": "thinking", "thinking": "hm"}]
    history = [swe_said("user", "Fix."), swe_said("assistant", "So.", action="ls", thinking_blocks=blocks)]
    result = one(tmp_path, changed(SWE_RUN, trajectory=[swe_step("ls", "")], history=history))
    assert said(result)[1] == ("assistant", "[Thinking]\nhm\n[/Thinking]\nSo.\n[Bash]\n$ ls")
    assert result.messages[1].has_thinking
    assert result.tool_calls[0].result_content_length == 0


# --- who a run is ----------------------------------------------------------------------------------------------------


def id_of(root: pathlib.Path, value: Any, name: str = "a.traj") -> str:
    return one(root, value, name).sessions[0].id


def test_a_run_keeps_its_id_wherever_it_lies_and_while_it_goes_on(tmp_path: pathlib.Path) -> None:
    whole = id_of(tmp_path / "1", SWE_RUN)
    assert whole.startswith("swe-agent:")
    assert id_of(tmp_path / "2", SWE_RUN, "other/place/b.traj") == whole
    begun = changed(SWE_RUN, trajectory=SWE_RUN["trajectory"][:1], history=SWE_RUN["history"][:4], info={})
    assert id_of(tmp_path / "3", begun) == whole
    mini = id_of(tmp_path / "4", MINI_RUN, "a.traj.json")
    assert mini.startswith("mini-swe-agent:")
    assert id_of(tmp_path / "5", changed(MINI_RUN, messages=MINI_RUN["messages"][:3], info={}), "b.traj.json") == mini


def test_other_runs_of_the_same_task_are_other_sessions(tmp_path: pathlib.Path) -> None:
    steps = SWE_RUN["trajectory"]
    later = changed(SWE_RUN, trajectory=[{**steps[0], "execution_time": 0.26}, *steps[1:]])
    assert id_of(tmp_path / "1", later) != id_of(tmp_path / "2", SWE_RUN)
    again = copy.deepcopy(MINI_RUN)
    again["messages"][2]["extra"]["timestamp"] += 100
    assert id_of(tmp_path / "3", again, "a.traj.json") != id_of(tmp_path / "4", MINI_RUN, "a.traj.json")


def test_a_run_that_has_not_begun_has_no_rows(tmp_path: pathlib.Path) -> None:
    result = one(tmp_path / "1", changed(SWE_RUN, trajectory=[], history=SWE_RUN["history"][:3]))
    assert (result.sessions, result.messages, result.problems) == ([], [], [])
    result = one(tmp_path / "2", changed(MINI_RUN, messages=MINI_RUN["messages"][:2]), "a.traj.json")
    assert (result.sessions, result.messages, result.problems) == ([], [], [])


def test_copies_are_one_run_and_runs_that_part_are_two(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "1/a.traj", SWE_RUN)
    put(tmp_path, "2/a.traj", SWE_RUN)
    put(tmp_path, "3/a.traj", changed(SWE_RUN, trajectory=SWE_RUN["trajectory"][:2]))
    results = read(tmp_path)
    assert [bool(result.sessions) for result in results] == [True, False, False]
    assert results[1].skipped_records == {"file/held by another": 1}
    put(tmp_path, "4/a.traj", changed(SWE_RUN, trajectory=[*SWE_RUN["trajectory"][:2], swe_step("pwd", "/")]))
    ids = sorted(session.id for result in read(tmp_path) for session in result.sessions)
    assert len(ids) == 2
    assert ids[1].startswith(f"{ids[0]}~")


def test_attempts_are_runs_of_their_own(tmp_path: pathlib.Path) -> None:
    second = changed(SWE_RUN, trajectory=[swe_step("pwd", "/testbed")])
    put(tmp_path, "run/a/a.traj", {"attempts": [SWE_RUN, second], **SWE_RUN})
    put(tmp_path, "run/a/attempt_0/a.traj", SWE_RUN)
    results = read(tmp_path)
    assert [pathlib.PurePath(result.file).name for result in results] == [
        "a.traj#attempt-0",
        "a.traj#attempt-1",
        "a.traj",
    ]
    sessions = [session.id for result in results for session in result.sessions]
    assert len(set(sessions)) == len(sessions) == 2
    assert [bool(result.state) for result in results] == [False, True, True]


def test_a_file_that_is_the_same_is_not_read_again(tmp_path: pathlib.Path) -> None:
    path = put(tmp_path, "a.traj", SWE_RUN)
    history = importer_named("swe-agent").survey([path], Options())
    (first,) = history.read(path)
    (again,) = history.read(path, first.state)
    assert (again.sessions, again.messages, again.piece, again.state) == ([], [], 1, first.state)
    put(tmp_path, "a.traj", changed(SWE_RUN, info={}))
    with pytest.raises(StaleStateError):
        list(history.read(path, first.state))


# --- mini-SWE-agent --------------------------------------------------------------------------------------------------


def test_a_run_of_mini_is_its_rows(tmp_path: pathlib.Path) -> None:
    result = one(tmp_path, MINI_RUN, "a.traj.json")
    assert said(result) == [
        ("user", "Please solve this issue: tide"),
        ("assistant", "Let me look.\n[Bash]\n$ ls"),
        ("assistant", "[Bash]\n$ git commit -am x"),
        ("user", "stop it"),
        ("system", "done"),
    ]
    calls = [(c.tool_use_id, c.tool_name, c.result_content, c.is_error) for c in result.tool_calls]
    assert calls == [("call_1", "bash", "a.py", False), ("call_2", "bash", "[main 1a2b3c4] x\n", True)]
    first = result.messages[1]
    assert (first.input_tokens, first.cache_read_tokens, first.output_tokens) == (60, 30, 7)
    assert (first.source_id, first.model) == ("gen-1", "claude-sonnet-4-5")
    (session,) = result.sessions
    assert (session.agent_type, session.project_path, session.total_output_tokens) == ("mini-swe-agent", "/testbed", 16)
    assert session.peak_context_tokens == 120
    assert str(session.started_at) == "2026-03-02 08:00:01.500000+00:00"


def test_versions_of_mini_without_calls(tmp_path: pathlib.Path) -> None:
    messages = [
        {"role": "system", "content": "You are"},
        {"role": "user", "content": "tide"},
        {"role": "assistant", "content": "THOUGHT: look\n\n```bash\nls -la\n```"},
        {"role": "user", "content": "<returncode>0</returncode>\n<output>\na.py\n</output>"},
        {"role": "assistant", "content": "two\n```bash\nls\n```\n```bash\npwd\n```"},
        {"role": "user", "content": "Please always provide EXACTLY ONE action"},
        {"role": "assistant", "content": "```mswea_bash_command\necho x\n```"},
    ]
    for value in ({"trajectory_format": "mini-swe-agent-1", "info": {}, "messages": messages}, messages):
        result = one(tmp_path, value, "a.traj.json")
        assert [(json.loads(c.input_json), c.result_content_length is not None) for c in result.tool_calls] == [
            ({"command": "ls -la"}, True),
            ({"command": "echo x"}, False),
        ]
        assert [message.role for message in result.messages] == [
            "user",
            "assistant",
            "assistant",
            "system",
            "assistant",
        ]


def test_answers_of_the_newer_interface_and_refused_responses(tmp_path: pathlib.Path) -> None:
    usage = {"input_tokens": 50, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 20}}
    refused = {"id": "gen-9", "choices": [{"message": {"content": "no call"}}], "usage": {"completion_tokens": 3}}
    messages = [
        {"role": "user", "content": "tide"},
        {
            "object": "response",
            "id": "resp_1",
            "model": "gpt-5",
            "usage": usage,
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "content": [{"type": "output_text", "text": "I look."}]},
                {"type": "function_call", "call_id": "c1", "name": "bash", "arguments": "{}"},
            ],
            "extra": {"actions": [{"command": "ls", "tool_call_id": "c1"}], "timestamp": 1772438400.0},
        },
        {"type": "function_call_output", "call_id": "c1", "output": "a.py", "extra": {"raw_output": "a.py"}},
        {"role": "user", "content": "No tool calls", "extra": {"interrupt_type": "FormatError", "response": refused}},
    ]
    result = one(tmp_path, {"messages": messages, "info": {"mini_version": "2.1"}}, "a.traj.json")
    assert said(result) == [
        ("user", "tide"),
        ("assistant", "[Thinking]\nhm\n[/Thinking]\nI look.\n[Bash]\n$ ls"),
        ("assistant", "no call"),
        ("system", "No tool calls"),
    ]
    assert [(m.input_tokens, m.cache_read_tokens, m.output_tokens) for m in result.messages[1:3]] == [
        (30, 20, 5),
        (0, 0, 3),
    ]
    assert result.tool_calls[0].result_content == "a.py"


def test_many_blocks_without_an_end_cost_linear_time(tmp_path: pathlib.Path) -> None:
    text = "```bash\n" * 100_000
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": text}]
    assert one(tmp_path, messages, "a.traj.json").tool_calls == []
    responses = [mini_response(number, "", "ls", (1, 0, 1)) for number in range(3)]
    outputs = [mini_output(number, "x") for number in range(3)]
    result = one(tmp_path, [messages[0], *responses, *outputs], "a.traj.json")
    assert [call.result_content for call in result.tool_calls] == ["x", "x", "x"]
