"""What the records of every version of Codex become."""

from __future__ import annotations

import json
import pathlib
import tempfile
from typing import Any

import pytest

from agentstore.importers import Options
from agentstore.importers.codex import Codex
from agentstore.models import ToolCall
from tests.unit.codex_lines import (
    BARE,
    DOCUMENT,
    MODERN,
    NAME,
    PAGINATED,
    THREAD,
    call,
    data,
    event,
    item,
    line,
    meta,
    output,
    ran,
    read,
    read_bytes,
    said,
    talk,
    tokens,
    usage,
)


def test_a_session_of_today() -> None:
    result = read(*MODERN)
    (session,) = result.sessions
    assert (session.id, session.agent_type, session.relationship_type) == (f"codex:{THREAD}", "codex", "")
    assert (session.project_name, session.git_branch) == ("tideclock", "main")
    assert (session.first_message, session.user_message_count) == ("Commit it, please", 1)
    assert (session.total_output_tokens, session.peak_context_tokens) == (60, 1500)
    assert session.source_created_at == "2026-02-03T10:00:00.000Z"
    assert [message.role for message in result.messages] == ["system"] * 3 + ["user", "assistant", "assistant"]
    first, last = result.messages[4:]
    assert first.content == ("[Thinking]\n**Looking**\n[/Thinking]\nI'll commit.\n[Bash]\n$ git commit -m x")
    assert (first.model, first.has_thinking, first.has_tool_use) == ("gpt-5.5-codex", True, True)
    assert (first.input_tokens, first.cache_read_tokens, first.output_tokens) == (600, 400, 50)
    assert json.loads(first.token_usage) == usage(1000, 400, 50, 20)
    assert (last.content, last.input_tokens, last.cache_read_tokens, last.output_tokens) == ("Done.", 300, 1200, 10)
    (one,) = result.tool_calls
    assert (one.tool_use_id, one.tool_name, one.tool_category, one.is_error) == (
        "call_a",
        "exec_command",
        "Bash",
        False,
    )
    assert json.loads(one.input_json)["cmd"] == "git commit -m x"
    (link,) = result.git_links
    assert (link.commit_sha, link.confidence, link.message_ordinal) == ("1a2b3c4", "high", 4)
    assert result.problems == []
    assert result.unknown_records == {}


def test_tokens_before_the_items_of_their_response() -> None:
    """As 0.34 writes them; and no model is told."""
    result = read(
        meta(cli_version="0.34.0"),
        said("user", "hi", 1),
        event("user_message", 1, message="hi", kind="plain"),
        event("agent_message", 2, message="Looking."),
        tokens(usage(100, 0, 5), usage(100, 0, 5), 3),
        item("reasoning", 3, summary=[], content=None, encrypted_content="x"),
        said("assistant", "Looking.", 3),
        call("call_a", "shell", {"command": ["bash", "-lc", "ls -la"]}, 3),
        ran("call_a", "a.py\n", 0, 3),
        tokens(usage(300, 90, 12), usage(200, 90, 7), 4),
        call("call_b", "shell", {"command": ["false"]}, 4),
        ran("call_b", "", 1, 4),
    )
    assert talk(result) == [
        ("user", "hi"),
        ("assistant", "Looking.\n[Bash]\n$ ls -la"),
        ("assistant", "[Bash]\n$ false"),
    ]
    assert [message.output_tokens for message in result.messages] == [0, 5, 7]
    assert [message.has_thinking for message in result.messages] == [False, True, False]
    assert [(row.result_content, row.is_error) for row in result.tool_calls] == [("a.py\n", False), ("", True)]
    assert {message.model for message in result.messages} == {""}


def test_the_bare_format() -> None:
    result = read(*BARE)
    assert talk(result) == [
        ("system", "<environment_context>\n  <cwd>/home/ada/old</cwd>\n</environment_context>"),
        ("user", "list"),
        ("assistant", "[Thinking]\nhm\n[/Thinking]\n[Bash]\n$ ls"),
        ("assistant", "There."),
    ]
    (session,) = result.sessions
    assert (session.git_branch, session.source_created_at) == ("old", "2025-08-05T05:05:05.123Z")
    assert (session.project_name, session.project_path) == ("old", "/home/ada/old")
    assert result.skipped_records["state"] == 3
    assert result.tool_calls[0].result_content == "x"


def test_a_document_of_the_first_cli() -> None:
    result = read_bytes(json.dumps(DOCUMENT, indent=2).encode(), f"rollout-2025-05-01-{THREAD}.json")
    assert talk(result) == [("user", "hi"), ("assistant", "[Bash]\n$ ls"), ("assistant", "Hello.")]
    assert result.sessions[0].id == f"codex:{THREAD}"
    assert result.state is None
    broken = read_bytes(b'{"session": ', f"rollout-2025-05-01-{THREAD}.json")
    assert [problem.reason for problem in broken.problems][-1] == "not a JSON object"


def test_paginated() -> None:
    """No ``user_message`` and no ``agent_message``: the same is said by completed items."""

    result = read(*PAGINATED)
    assert talk(result) == [
        ("system", "<skill>x</skill>"),
        ("user", "Why?"),
        ("assistant", "[Tool: exec]"),
        ("assistant", "Because."),
        ("assistant", "1. sleep"),
        ("user", "Only shown"),
    ]
    assert [message.has_thinking for message in result.messages[2:4]] == [True, False]
    assert (result.tool_calls[0].is_error, result.tool_calls[0].result_content) == (True, "no such file")
    assert result.sessions[0].first_message == "Why?"


def test_what_is_typed_is_told_by_events() -> None:
    editor = "# Context from my IDE setup:\n\n## Active file: a.py\n\n## My request for Codex:\nFix a.py"
    image = [
        {"type": "input_text", "text": "<image name=[Image #1]>"},
        {"type": "input_image", "image_url": "data:"},
        {"type": "input_text", "text": "</image>"},
        {"type": "input_text", "text": "Like this"},
    ]
    result = read(
        meta(),
        said("user", "Instructions of a kind that nobody knows", 1),
        event("user_message", 2, message=editor),
        said("user", editor, 2),
        said("assistant", "OK", 3),
        event("agent_message", 3, message="OK"),
        item("message", 4, role="user", content=image),
        event("user_message", 4, message="Like this", images=["data:"]),
        said("assistant", "OK", 5),
        event("agent_message", 5, message="OK"),
        said("user", "<turn_aborted>x</turn_aborted>", 6),
        said("user", "A report of something", 7),
        said("assistant", "I see", 8),
    )
    assert [(role, content) for role, content in talk(result) if role != "assistant"] == [
        ("system", "Instructions of a kind that nobody knows"),
        ("user", editor),
        ("user", "[Image]\nLike this"),
        ("system", "<turn_aborted>x</turn_aborted>"),
        ("system", "A report of something"),
    ]
    assert [content for role, content in talk(result) if role == "assistant"] == ["OK", "OK", "I see"]
    assert result.sessions[0].first_message == "Fix a.py"
    assert result.sessions[0].user_message_count == 2
    assert len({message.source_id for message in result.messages}) == 8


@pytest.mark.parametrize(
    ("value", "text", "is_error"),
    [
        ('{"output":"a\\n","metadata":{"exit_code":0,"duration_seconds":0.1}}', "a\n", False),
        ('{"output":"a","metadata":{"exit_code":127}}', "a", True),
        ("Exit code: 1\nWall time: 2 seconds\nOutput:\nx", "Exit code: 1\nWall time: 2 seconds\nOutput:\nx", True),
        ("Process exited with code 0\nOutput:\nx", "Process exited with code 0\nOutput:\nx", False),
        ('{"output":"Exit code: 1","metadata":{"exit_code":0}}', "Exit code: 1", False),
        (
            "Process running with session ID 7\nOutput:\nExit code: 1\n",
            "Process running with session ID 7\nOutput:\nExit code: 1\n",
            False,
        ),
        ({"content": "no", "success": False}, "no", True),
        ({"type": "input_text", "text": "a.txt"}, "a.txt", False),
        ([{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "data:"}], "a\n[Image]", False),
        ('{"content":[{"type":"text","text":"refused"}],"isError":true}', "refused", True),
        ('{"title": "kept as it is"}', '{"title": "kept as it is"}', False),
        ("{not JSON", "{not JSON", False),
        (None, "", False),
    ],
)
def test_results(value: Any, text: str, is_error: bool) -> None:
    (row,) = read(meta(), call("c", "shell", {"command": ["ls"]}), output("c", value)).tool_calls
    assert (row.result_content, row.is_error, row.result_content_length) == (text, is_error, len(text))


@pytest.mark.parametrize(
    ("record", "name", "category", "content"),
    [
        (call("c", "shell", {"command": ["bash", "-lc", "ls | wc"]}), "shell", "Bash", "[Bash]\n$ ls | wc"),
        (call("c", "shell", {"command": ["git", "log", "-n", "a b"]}), "shell", "Bash", "[Bash]\n$ git log -n 'a b'"),
        (call("c", "shell_command", {"command": "ls"}), "shell_command", "Bash", "[Bash]\n$ ls"),
        (call("c", "write_stdin", {"session_id": 3, "chars": "y\n"}), "write_stdin", "Bash", "[Tool: write_stdin]"),
        (call("c", "update_plan", {"plan": []}), "update_plan", "Other", "[Tool: update_plan]"),
        (call("c", "find", {}, namespace="mcp__files__"), "mcp__files__find", "Other", "[Tool: mcp__files__find]"),
        (call("c", "find", {}, namespace="mcp__files"), "mcp__files__find", "Other", "[Tool: mcp__files__find]"),
        (
            item("local_shell_call", call_id="c", action={"type": "exec", "command": ["ls"]}),
            "local_shell",
            "Bash",
            "[Bash]\n$ ls",
        ),
        (
            item(
                "custom_tool_call", call_id="c", name="apply_patch", input="*** Begin Patch\n*** Add File: a/b.py\n+x"
            ),
            "apply_patch",
            "Edit",
            "[Edit: a/b.py]",
        ),
        (
            item("tool_search_call", call_id="c", arguments={"query": "x"}),
            "tool_search",
            "Other",
            "[Tool: tool_search]",
        ),
        (item("function_call", call_id="c", name="f", arguments="not JSON"), "f", "Other", "[Tool: f]"),
    ],
)
def test_calls(record: dict[str, Any], name: str, category: str, content: str) -> None:
    result = read(meta(), record)
    (row,) = result.tool_calls
    assert (row.tool_name, row.tool_category, row.tool_use_id) == (name, category, "c")
    assert talk(result) == [("assistant", content)]
    json.loads(row.input_json)


def test_what_the_provider_runs_is_a_line_of_the_message() -> None:
    result = read(
        meta(),
        item("web_search_call", id="ws_1", status="completed", action={"type": "search", "queries": ["tides", "moon"]}),
        event("web_search_end", call_id="ws_1", query="tides"),
        item("web_search_call", status="completed", action={"type": "open_page", "url": "https://example.org"}),
        item("image_generation_call", id="ig_1", revised_prompt="a clock", result="AAAA"),
    )
    assert talk(result) == [
        ("assistant", "[WebSearch: tides, moon]\n[WebSearch: https://example.org]\n[Image generation: a clock]")
    ]
    assert result.tool_calls == []


def test_a_call_is_there_once() -> None:
    again = call("call_qYvcPA3ZLvHdXc1x", "shell", {"command": ["ls"]})
    counted = call("functions.shell:0", "shell", {"command": ["ls"]})
    first, second = ran("call_qYvcPA3ZLvHdXc1x", "a"), ran("functions.shell:0", "b")
    result = read(meta(), again, again, first, again, counted, second, counted)
    assert [row.tool_use_id for row in result.tool_calls] == [
        "call_qYvcPA3ZLvHdXc1x",
        "functions.shell:0",
        "functions.shell:0",
    ]


def test_an_event_tells_that_a_call_failed() -> None:
    (row,) = read(
        meta(),
        call("c", "mcp__x__y", {}),
        event("mcp_tool_call_end", call_id="c", result={"Err": "refused"}),
        output("c", "err: refused"),
    ).tool_calls
    assert row.is_error


def test_the_subagent_that_a_call_started() -> None:
    one, other, third = (f"0199c82c-000{n}-7337-8e32-5ed701c70441" for n in range(3))
    result = read(
        meta(),
        call("call_a", "spawn_agent", {"message": "look"}),
        call("call_b", "spawn_agent", {"message": "look"}),
        call("call_c", "spawn_agent", {"message": "look"}),
        output("call_a", json.dumps({"agent_id": one, "nickname": "Ada"})),
        output("call_b", "started"),
        event("collab_agent_spawn_end", call_id="call_b", new_thread_id=other),
        event("sub_agent_activity", event_id="call_c", agent_thread_id=third, kind="started"),
    )
    assert [row.subagent_session_id for row in result.tool_calls] == [f"codex:{id}" for id in (one, other, third)]
    assert {row.tool_category for row in result.tool_calls} == {"Task"}


def test_an_event_of_a_later_piece_names_the_subagent() -> None:
    """What the call had got before stays."""
    lines = [meta(), call("call_b", "spawn_agent", {"message": "look"}), output("call_b", "started")]
    told = event("collab_agent_spawn_end", call_id="call_b", new_thread_id=THREAD)
    rows: dict[str, ToolCall] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, NAME)
        path.write_bytes(data(*lines, said("assistant", "a"), told))
        for piece in Codex().survey([path], Options(piece_bytes=1)).read(path):
            rows |= {row.tool_use_id: row for row in piece.tool_calls}
        path.write_bytes(data(*lines))
        (first,) = Codex().survey([path], Options()).read(path)
        path.write_bytes(data(*lines, said("assistant", "a"), told))
        (second,) = Codex().survey([path], Options()).read(path, first.state)
    for row in (rows["call_b"], second.tool_calls[0]):
        assert (row.subagent_session_id, row.result_content) == (f"codex:{THREAD}", "started")


def test_totals_without_the_last_response_and_tokens_that_are_none() -> None:
    result = read(
        meta(),
        said("assistant", "a"),
        tokens(usage(100, 10, 5), None),
        said("user", "b"),
        said("assistant", "c"),
        tokens(usage(300, 50, 9), None),
        tokens(usage(0, 0, 0), None),
        event("token_count", info=None, rate_limits={}),
        event("token_count", info={"total_token_usage": "x", "last_token_usage": [1]}),
    )
    assert [(row.input_tokens, row.cache_read_tokens, row.output_tokens) for row in result.messages] == [
        (90, 10, 5),
        (0, 0, 0),
        (160, 40, 4),
    ]


def test_tokens_of_a_response_that_says_nothing_are_kept() -> None:
    """A request that sums up the history, say."""
    result = read(
        meta(),
        said("assistant", "a", 1),
        tokens(usage(10, 0, 1), usage(10, 0, 1), 2),
        line("compacted", 3, message="What was done so far.", replacement_history=[{"type": "message"}] * 3),
        tokens(usage(40, 0, 3), usage(30, 0, 2), 4),
        event("context_compacted", 4),
        said("user", "b", 5),
    )
    assert talk(result) == [("assistant", "a"), ("system", "What was done so far."), ("assistant", ""), ("user", "b")]
    assert [row.output_tokens for row in result.messages] == [1, 0, 2, 0]
    assert all(row.source_id for row in result.messages)


def test_a_counter_that_begins_anew() -> None:
    result = read(
        meta(), said("assistant", "a"), tokens(usage(300, 50, 9), None), said("user", "b"), said("assistant", "c"),
        tokens(usage(100, 10, 5), None),
    )  # fmt: skip
    assert [row.output_tokens for row in result.messages] == [9, 0, 5]
    assert [row.input_tokens for row in result.messages] == [250, 0, 90]


@pytest.mark.parametrize("is_told", [False, True])
@pytest.mark.parametrize("record_first", [False, True])
@pytest.mark.parametrize("text", ["", "What was done so far."])
def test_records_of_tokens_are_counted_where_no_event_tells_them(text: str, record_first: bool, is_told: bool) -> None:
    """The request that sums up the history: no total has it, but in versions that told it in an event, too."""

    def response(text: str, total: dict[str, Any], last: dict[str, Any], second: int) -> list[dict[str, Any]]:
        record = line("token_usage_record", second, thread_id=THREAD, response_id=f"r{second}", usage=last)
        event = tokens(total, last, second)
        return [said("assistant", text, second), *([record, event] if record_first else [event, record])]

    summed = usage(90, 80, 7)
    total = usage(100, 80, 9) if is_told else usage(10, 0, 2)
    result = read(
        meta(),
        said("user", "go", 1),
        *response("a", usage(5, 0, 1), usage(5, 0, 1), 2),
        *response("b", usage(10, 0, 2), usage(5, 0, 1), 3),
        line("token_usage_record", 4, thread_id="another", usage=usage(1, 1, 1)),
        line("token_usage_record", 4, thread_id=THREAD, response_id="r4", usage=summed),
        line("compacted", 4, message=text, replacement_history=[{"type": "message"}]),
        tokens(total, summed if is_told else usage(0, 0, 0), 5),
        *response("c", usage(total["input_tokens"] + 6, total["cached_input_tokens"], 12), usage(6, 0, 3), 6),
    )
    assert talk(result) == [
        ("user", "go"), ("assistant", "a"), ("assistant", "b"), ("system", text), ("assistant", "c"),
    ]  # fmt: skip
    assert [row.output_tokens for row in result.messages] == [0, 1, 1, 7, 3]
    assert result.sessions[0].total_output_tokens == 12
    assert result.messages[3].cache_read_tokens == 80
    assert result.unknown_records == {}


def test_history_that_is_repeated_is_not_decoded() -> None:
    """What stands in it is not even JSON here."""
    start = b'{"timestamp":"2026-02-03T10:00:00Z","type":"compacted","payload":{'
    start += b'"message":"say \\"replacement_history\\":[ ",'
    whole = start + b'"replacement_history":[{"type": nonsense]}}\r\n'
    result = read_bytes(data(meta()) + whole + data(said("user", "hi")))
    assert talk(result) == [("system", 'say "replacement_history":[ '), ("user", "hi")]
    assert result.problems == []
    torn = read_bytes(data(meta(), said("user", "hi")) + start + b'"replacement_history":[{"type":"mess')
    assert [problem.reason for problem in torn.problems] == ["truncated last line"]


def test_agents_write_to_each_other() -> None:
    letter = {"author": "/root/ada", "recipient": "/root", "content": [{"type": "input_text", "text": "Found it"}]}
    hidden = {"author": "/root/ada", "content": [{"type": "encrypted_content", "encrypted_content": "x"}]}
    result = read(meta(), item("agent_message", **letter), item("agent_message", **hidden))
    assert talk(result) == [("system", "[/root/ada]\nFound it")]


def test_the_same_in_other_words_is_an_echo() -> None:
    """A citation and a plan are not shown; texts of several inputs are joined otherwise."""
    cited = "As before.<oai-mem-citation>\nnote.md:1\n</oai-mem-citation>"
    planned = "Here it is.\n<proposed_plan>\n1. wait\n</proposed_plan>"
    result = read(
        meta(),
        item("message", role="user", content=[{"type": "input_text", "text": one} for one in ("Use it", "again")]),
        event("user_message", message="Use itagain"),
        event("user_message", message="<environment_context>", kind="environment_context"),
        said("assistant", cited),
        event("agent_message", message="As before."),
        said("assistant", planned),
        event("agent_message", message="Here it is."),
        event("item_completed", item={"type": "Plan", "id": "p", "text": "1. wait"}),
    )
    assert talk(result) == [("user", "Use it\nagain"), ("assistant", cited), ("assistant", planned)]


def test_a_record_behind_a_torn_one_is_kept() -> None:
    """Codex was killed while it wrote, and went on in the same file."""
    torn = json.dumps(said("assistant", "never whole")).encode()[:-20]
    result = read_bytes(data(meta(), said("user", "a")) + torn + data(said("user", "b"), said("assistant", "c")))
    assert talk(result) == [("user", "a"), ("user", "b"), ("assistant", "c")]
    assert [problem.line for problem in result.problems] == [3]
