"""GitHub Copilot's CLI: events to rows."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
from typing import Any

import pytest

from agentstore.importers import Home, ImportResult, Options
from agentstore.importers.copilot.importer import Copilot
from agentstore.importers.copilot.workspace import read_workspace
from tests.unit.agent_files import cuts, damaged, grown, keys, read_all, read_one, seeded, union

ID = "11111111-2222-3333-4444-555555555555"
SESSION = f"copilot:{ID}"
CONTEXT = {
    "cwd": "/home/u/shop",
    "branch": "main",
    "repository": "owner/shop",
    "repositoryHost": "github.com",
}


def event(kind: str, second: int, agent: str = "", **data: Any) -> dict[str, Any]:
    moment = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC) + dt.timedelta(seconds=second)
    written = moment.isoformat().replace("+00:00", "Z")
    made = {"type": kind, "data": data, "id": f"e{second}", "timestamp": written, "parentId": None}
    return made | ({"agentId": agent} if agent else {})


def asked(id: str, name: str = "bash", **arguments: Any) -> dict[str, Any]:
    return {"toolCallId": id, "name": name, "arguments": arguments, "type": "function"}


def said(second: int, text: str, *requests: dict[str, Any], agent: str = "", **data: Any) -> dict[str, Any]:
    named = {"messageId": f"m{second}", "content": text, "toolRequests": list(requests)}
    return event("assistant.message", second, agent, **(named | data))


def done(second: int, id: str, content: str, **data: Any) -> dict[str, Any]:
    return event("tool.execution_complete", second, toolCallId=id, success=True, result={"content": content}, **data)


def usage(asked: int, read: int, written: int, given: int) -> dict[str, Any]:
    return {
        "requests": {"count": 1, "cost": 1},
        "usage": {
            "inputTokens": asked,
            "cacheReadTokens": read,
            "cacheWriteTokens": written,
            "outputTokens": given,
            "reasoningTokens": 1,
        },
    }


START = event("session.start", 0, sessionId=ID, version=1, producer="copilot-agent", copilotVersion="1.0.95",
              startTime="2026-03-02T07:59:59Z", context=CONTEXT)  # fmt: skip

WHOLE = [
    START,
    event("session.model_change", 1, newModel="claude-sonnet-4.6"),
    event("system.message", 2, content="You are Copilot", role="system"),
    event("user.message", 3, content="fix it\nnow", transformedContent="<x>fix it\nnow</x>", source="user"),
    event("user.message", 4, content="<skill-context>long</skill-context>", source="skill-pdf"),
    event("assistant.turn_start", 5, turnId="0"),
    said(6, "On it.", asked("c1", command="git commit -m x", description="Commit"), outputTokens=40,
         reasoningText="hm", interactionId="i1"),
    event("tool.execution_start", 7, toolCallId="c1", toolName="bash", arguments={"command": "git commit -m x"}),
    done(8, "c1", "[main 1a2b3c4] x\n 1 file changed"),
    said(9, "", asked("c2", "task", description="Look", prompt="find it"), outputTokens=10),
    event("tool.execution_start", 10, toolCallId="c2", toolName="task", arguments={}),
    event("subagent.started", 11, "agent-7", toolCallId="c2", agentName="explore", agentDisplayName="Explore"),
    event("user.message", 12, content="find it", source="agent-agent-7"),
    said(13, "Looking", asked("c3", "view", path="/home/u/shop/SKILL.md"), agent="agent-7", parentToolCallId="c2",
         outputTokens=5),
    done(14, "c3", "text", parentToolCallId="c2"),
    said(15, "Found.", agent="agent-7", parentToolCallId="c2", outputTokens=6),
    event("subagent.completed", 16, "agent-7", toolCallId="c2", agentName="explore"),
    done(17, "c2", "It is there."),
    event("user.message", 18, content="go on", source="autopilot", isAutopilotContinuation=True),
    said(19, "Done.", outputTokens=9),
    event("assistant.turn_end", 20, turnId="0"),
    event("session.title_changed", 21, title="Fixing"),
    event("session.shutdown", 22, shutdownType="routine", currentModel="claude-sonnet-4.6",
          modelMetrics={"claude-sonnet-4.6": usage(1000, 700, 100, 70)}),
]  # fmt: skip


def told(second: int, request: str, output: int, agent: str = "") -> dict[str, Any]:
    """The tokens of one request, as newer versions write them."""
    used = {"model": "gpt-5", "inputTokens": 10, "cacheReadTokens": 4, "outputTokens": output, "apiCallId": request}
    return event("session.usage_record", second, agent, usage=used)


# All that is remembered between two events: early tokens, a thought, a call whose subagent is silent.
LONGER = [
    *WHOLE,
    event("session.resume", 30),
    told(31, "a1", 7),
    said(32, "one", asked("c9", "task"), outputTokens=7, apiCallId="a1", model="gpt-5"),
    event("assistant.reasoning", 33, content="hm"),
    event("subagent.started", 34, "i9", toolCallId="c9", agentName="one"),
    done(35, "c9", "started"),
    told(36, "s1", 3, "i9"),
    said(37, "two", outputTokens=9, model="gpt-5"),
    said(38, "sub", agent="i9", outputTokens=3, apiCallId="s1", model="gpt-5"),
    told(39, "a3", 5),
    event("assistant.turn_end", 40),
    event("session.shutdown", 41, modelMetrics={"gpt-5": usage(50, 20, 0, 30)}),
]


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def written(tmp_path: pathlib.Path, data: bytes, id: str = ID) -> pathlib.Path:
    folder = tmp_path / "session-state" / id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "events.jsonl"
    path.write_bytes(data)
    return path


def imported(tmp_path: pathlib.Path, *events: dict[str, Any]) -> list[ImportResult]:
    return read_one(Copilot(), written(tmp_path, lines(*events)))


def test_a_whole_session(tmp_path: pathlib.Path) -> None:
    subagent, own = imported(tmp_path, *WHOLE)
    (session,) = own.sessions
    assert (session.id, session.agent_type, session.first_message) == (SESSION, "copilot", "fix it now")
    assert (session.project_name, session.project_path, session.git_branch) == ("shop", "/home/u/shop", "main")
    assert (session.message_count, session.user_message_count, session.display_name) == (6, 1, "Fixing")
    assert (session.started_at, session.ended_at) == (
        dt.datetime(2026, 3, 2, 7, 59, 59, tzinfo=dt.UTC), dt.datetime(2026, 3, 2, 8, 0, 22, tzinfo=dt.UTC),
    )  # fmt: skip
    assert [(row.role, row.content) for row in own.messages] == [
        ("user", "fix it\nnow"),
        ("assistant", "[Thinking]\nhm\n[/Thinking]\nOn it.\n[Bash: Commit]\n$ git commit -m x"),
        ("assistant", "[Task: Look]"),
        ("system", "go on"),
        ("assistant", "Done."),
        ("system", "[Usage: claude-sonnet-4-6]"),
    ]
    assert [row.source_id for row in own.messages[:2]] == [f"{SESSION}:e3", f"{SESSION}:m6"]
    assert {row.model for row in own.messages[1:3]} == {"claude-sonnet-4-6"}
    assert [(row.tool_use_id, row.tool_category, row.result_content) for row in own.tool_calls] == [
        ("c1", "Bash", "[main 1a2b3c4] x\n 1 file changed"),
        ("c2", "Task", "It is there."),
    ]
    assert own.tool_calls[1].subagent_session_id == f"{SESSION}:agent-c2"
    assert [(link.commit_sha, link.confidence) for link in own.git_links] == [("1a2b3c4", "high")]
    (child,) = subagent.sessions
    assert (child.id, child.parent_session_id, child.relationship_type) == (
        f"{SESSION}:agent-c2", SESSION, "subagent",
    )  # fmt: skip
    assert (child.display_name, child.message_count) == ("Explore", 3)
    assert [row.role for row in subagent.messages] == ["user", "assistant", "assistant"]
    assert [(row.tool_name, row.skill_name) for row in subagent.tool_calls] == [("view", "shop")]
    assert own.unknown_records == {}


def test_tokens_are_counted_once(tmp_path: pathlib.Path) -> None:
    subagent, own = imported(tmp_path, *WHOLE)
    messages = [*subagent.messages, *own.messages]
    assert sum(row.output_tokens for row in messages) == 70  # 40 + 10 + 5 + 6 + 9 are all of the sum
    last = own.messages[-1]
    assert (last.input_tokens, last.cache_read_tokens, last.cache_write_tokens) == (200, 700, 100)
    assert last.output_tokens == 0
    assert (last.context_tokens, own.sessions[0].peak_context_tokens) == (1000, 0)
    assert own.sessions[0].total_output_tokens == 59


@pytest.mark.parametrize("starts_again", [True, False])
def test_sums_of_a_resumed_session(tmp_path: pathlib.Path, starts_again: bool) -> None:
    """Older versions count from zero after a resume, newer ones go on: the same tokens in both cases."""
    second = usage(300, 0, 0, 30) if starts_again else usage(400, 0, 0, 40)
    results = imported(
        tmp_path, START, event("user.message", 1, content="a"), said(2, "b", outputTokens=10, model="gpt-5"),
        event("session.shutdown", 3, modelMetrics={"gpt-5": usage(100, 0, 0, 10)}),
        event("session.resume", 4, resumeTime="x", eventCount=3),
        said(5, "c", outputTokens=30, model="gpt-5"),
        event("session.shutdown", 6, modelMetrics={"gpt-5": second}),
        event("session.shutdown", 7, modelMetrics={"gpt-5": usage(400, 0, 0, 40)} if not starts_again else {}),
    )  # fmt: skip
    (result,) = results
    assert sum(row.output_tokens for row in result.messages) == 40
    assert sum(row.input_tokens for row in result.messages) == 400


def test_sums_of_less_than_before_start_again(tmp_path: pathlib.Path) -> None:
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="a"), said(2, "b", model="gpt-5"),
        event("session.shutdown", 3, modelMetrics={"gpt-5": usage(100, 20, 0, 10)}),
        event("session.resume", 4),
        event("session.shutdown", 5, modelMetrics={"gpt-5": usage(50, 0, 0, 4)}),
    )  # fmt: skip
    assert [(row.input_tokens, row.cache_read_tokens, row.output_tokens) for row in result.messages[2:]] == [
        (80, 20, 10),
        (50, 0, 4),
    ]


@pytest.mark.parametrize("goes_on", [True, False])
def test_sums_of_random_sessions(tmp_path: pathlib.Path, goes_on: bool) -> None:
    """Whatever runs and crashes: what was said is counted once, and so is each request that any sum knows."""
    chance, second = seeded(), 0
    for _ in range(150):
        events, models = [START], ["gpt-5", "claude-sonnet-4.6", "gpt-5-mini"][: chance.randrange(1, 4)]
        said_output, told_input, sums = 0, 0, {model: [0, 0, 0] for model in models}
        for _ in range(chance.randrange(1, 5)):
            if not goes_on:
                sums = {model: [0, 0, 0] for model in models}
            for _ in range(chance.randrange(1, 6)):
                second, model = second + 1, chance.choice(models)
                output, asked, read = chance.randrange(1, 50), chance.randrange(100), chance.randrange(100)
                parent = {"parentToolCallId": "c1"} if chance.random() < 0.3 else {}
                events.append(said(second, "x", outputTokens=output, model=model, **parent))
                said_output += output
                sums[model] = [one + more for one, more in zip(sums[model], (asked + read, read, output), strict=True)]
            second += 1
            if chance.random() < 0.8:
                shown = {model: usage(one[0], one[1], 0, one[2]) for model, one in sums.items()}
                events += [event("session.shutdown", second, modelMetrics=shown)] * chance.choice([1, 1, 2])
                whole = sum(one[0] for one in sums.values())
                told_input = whole if goes_on else told_input + whole
            events.append(event("session.resume", second))
        messages = [row for result in imported(tmp_path, *events) for row in result.messages]
        assert sum(row.output_tokens for row in messages) == said_output
        assert sum(row.input_tokens + row.cache_read_tokens for row in messages) == told_input


def test_details_are_told_beside_each_other(tmp_path: pathlib.Path) -> None:
    details = {"input": 10, "cache_read": 5, "cache_write": 21070, "output": 42}
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="a"), said(2, "b", outputTokens=42),
        event("session.shutdown", 3, currentModel="gpt-5-mini", modelMetrics={"gpt-5-mini": {"requests": 1}},
              tokenDetails={kind: {"tokenCount": number} for kind, number in details.items()}),
    )  # fmt: skip
    last = result.messages[-1]
    assert (last.input_tokens, last.cache_read_tokens, last.cache_write_tokens, last.output_tokens) == (10, 5, 21070, 0)


def test_a_record_of_one_request_belongs_to_its_response(tmp_path: pathlib.Path) -> None:
    record: dict[str, Any] = {
        "model": "gpt-5",
        "inputTokens": 100,
        "cacheReadTokens": 60,
        "cacheWriteTokens": 0,
        "outputTokens": 7,
    }
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="a"), said(2, "b", outputTokens=7, apiCallId="a1"),
        event("session.usage_record", 3, usage=record | {"apiCallId": "a1"}),
        event("session.shutdown", 4, modelMetrics={"gpt-5": usage(100, 60, 0, 7)}),
    )  # fmt: skip
    message = result.messages[1]
    assert len(result.messages) == 2
    assert (message.input_tokens, message.cache_read_tokens, message.output_tokens) == (40, 60, 7)
    assert (message.context_tokens, result.sessions[0].peak_context_tokens) == (100, 100)


@pytest.mark.parametrize("selected", [{}, {"selectedModel": "auto"}])
@pytest.mark.parametrize("record_first", [False, True])
def test_a_record_without_an_id_belongs_to_a_response_that_names_no_model(
    selected: dict[str, str], record_first: bool, tmp_path: pathlib.Path
) -> None:
    """As 1.0.78 writes them: ``accounting`` in place of ``apiCallId``, and the model only there."""
    accounting = {"sourceSessionId": ID, "sequence": 1, "usageId": "usage-1"}
    used = {"model": "claude-sonnet-4.5", "inputTokens": 100, "cacheReadTokens": 60, "outputTokens": 7}
    two = [said(2, "b", outputTokens=7), event("session.usage_record", 3, usage=used | {"accounting": accounting})]
    (result,) = imported(
        tmp_path, event("session.start", 0, sessionId=ID, copilotVersion="1.0.78", context=CONTEXT, **selected),
        event("user.message", 1, content="a"), *(two[::-1] if record_first else two),
        event("assistant.turn_end", 4),
        event("session.shutdown", 5, modelMetrics={"claude-sonnet-4.5": usage(100, 60, 0, 7)}),
    )  # fmt: skip
    assert [(row.model, row.input_tokens, row.output_tokens) for row in result.messages[1:]] == [
        ("claude-sonnet-4-5", 40, 7)
    ]
    assert result.sessions[0].total_output_tokens == 7


def test_records_of_requests_may_come_before_their_responses_or_alone(tmp_path: pathlib.Path) -> None:
    subagent, own = imported(
        tmp_path, START, event("user.message", 1, content="a"), told(2, "a1", 7),
        said(3, "one", outputTokens=7, apiCallId="a1", model="gpt-5"),
        said(4, "no id", outputTokens=9, model="gpt-5"), told(5, "a2", 9), told(6, "a3", 5),
        told(7, "s1", 3, "i1"), said(8, "sub", agent="i1", outputTokens=3, apiCallId="s1", model="gpt-5"),
        event("assistant.turn_end", 9), told(10, "a4", 1),
        event("session.shutdown", 11, modelMetrics={"gpt-5": usage(50, 20, 0, 25)}),
    )  # fmt: skip
    assert [(row.content, row.input_tokens, row.cache_read_tokens, row.output_tokens) for row in own.messages[1:]] == [
        ("one", 6, 4, 7), ("no id", 6, 4, 9), ("[Usage: gpt-5]", 6, 4, 5), ("[Usage: gpt-5]", 6, 4, 1),
    ]  # fmt: skip
    assert [(row.input_tokens, row.output_tokens) for row in subagent.messages] == [(6, 3)]


def test_chunks_of_one_api_call_are_one_message(tmp_path: pathlib.Path) -> None:
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="a"),
        said(2, "one", apiCallId="a1", chunkIndex=0, chunkCount=2, outputTokens=9),
        said(3, "two", asked("c1", command="ls"), apiCallId="a1", chunkIndex=1, chunkCount=2, outputTokens=9),
        said(4, "", apiCallId="a2"),
        said(5, "two", asked("c1", command="ls"), apiCallId="a1", outputTokens=9),
    )  # fmt: skip
    assert [row.content for row in result.messages] == ["a", "one\ntwo\n[Bash]\n$ ls"]
    assert (result.messages[1].output_tokens, len(result.tool_calls)) == (9, 1)


def test_a_call_is_counted_once_wherever_it_stands(tmp_path: pathlib.Path) -> None:
    start: dict[str, Any] = {"toolCallId": "c1", "toolName": "bash", "arguments": {"command": "ls"}}
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="a"), said(2, "", asked("c1", command="ls")),
        event("tool.execution_start", 3, **start), done(4, "c1", "x"), done(5, "c1", "y"),
        said(6, "again", asked("c1", command="ls")), event("tool.execution_start", 7, **start | {"toolCallId": "c9"}),
    )  # fmt: skip
    assert [(row.tool_use_id, row.result_content) for row in result.tool_calls] == [("c1", "x")]


def test_arguments_and_results_of_every_shape(tmp_path: pathlib.Path) -> None:
    requests = [
        {"toolCallId": "c1", "name": "shell", "arguments": '{"command":"ls"}'},
        {"toolCallId": "c2", "name": "apply_patch", "arguments": "*** Begin Patch"},
        {"toolCallId": "c3", "name": "view"},
    ]
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="a"), said(2, "", *requests),
        event("tool.execution_complete", 3, toolCallId="c1", success=False, error={"message": "no", "code": "x"}),
        event("tool.execution_complete", 4, toolCallId="c2", success=True, result="plain"),
        event("tool.execution_complete", 5, toolCallId="c3", success=True, result={"detailedContent": "all"}),
    )  # fmt: skip
    assert [(row.input_json, row.result_content, row.is_error) for row in result.tool_calls] == [
        ('{"command":"ls"}', "no", True),
        ('{"input":"*** Begin Patch"}', "plain", False),
        ("{}", "all", False),
    ]


def test_who_speaks(tmp_path: pathlib.Path) -> None:
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="typed"),
        event("user.message", 2, content="<system_notification>x</system_notification>"),
        event("user.message", 3, content="hi",
              transformedContent="<cross_session_message>\nhi\n</cross_session_message>"),
        event("user.message", 4, content="<cross_session_message> what is it?",
              transformedContent="<y><cross_session_message> what is it?</y>"),
        event("user.message", 5, content="what does <cross_session_message> do?",
              transformedContent="what does <cross_session_message> do?"),
        event("user.message", 6, content="", attachments=[{"displayName": "a.png"}]),
        event("user.message", 7, content="instructions", source="instruction-discovery"),
        event("user.message", 8, content="think", source="system"),
        event("tool.user_requested", 9, toolCallId="u", toolName="bash", arguments={"command": "ls"}),
    )  # fmt: skip
    assert [(row.role, row.content.split("\n")[-1][:12]) for row in result.messages] == [
        ("user", "typed"), ("system", "<system_noti"), ("system", "hi"), ("system", "<cross_sessi"),
        ("user", "what does <c"), ("user", "[Attachment:"), ("system", "think"), ("system", "$ ls"),
    ]  # fmt: skip


def test_reasoning_belongs_to_its_message_whether_it_comes_before_or_after(tmp_path: pathlib.Path) -> None:
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="a"),
        event("assistant.reasoning", 2, content="before", reasoningId="r"), said(3, "one"),
        event("assistant.turn_end", 4), said(5, "two"), event("assistant.reasoning", 6, content="after"),
        event("assistant.turn_end", 7), said(8, "three"),
    )  # fmt: skip
    assert [row.has_thinking for row in result.messages] == [False, True, True, False]


@pytest.mark.parametrize(
    "used",
    [
        {"inputTokens": 100, "cacheReadTokens": 90, "outputTokens": 8, "model": "gpt-5"},
        {"input": 100, "cachedInput": 90, "output": 8},
    ],
)
def test_a_compaction_is_a_message_with_its_tokens(used: dict[str, Any], tmp_path: pathlib.Path) -> None:
    (result,) = imported(
        tmp_path, START, event("user.message", 1, content="a"),
        event("session.compaction_complete", 2, success=True, summaryContent="so far", compactionTokensUsed=used),
    )  # fmt: skip
    message = result.messages[1]
    assert (message.role, message.content, message.input_tokens, message.output_tokens) == ("system", "so far", 10, 8)


def test_the_folder_holds_what_the_flat_file_began(tmp_path: pathlib.Path) -> None:
    written(tmp_path, lines(*WHOLE))
    (tmp_path / "session-state" / "workspace.yaml").write_text("name: none\n")
    (tmp_path / "session-state" / ID / "workspace.yaml").write_text('id: x\nname: "Fix \\u00e9"\ncwd: /home/u\n')
    (tmp_path / "session-state" / f"{ID}.jsonl").write_bytes(lines(*WHOLE[:5]))
    (tmp_path / "session-state" / "old-one.jsonl").write_bytes(lines(event("user.message", 1, content="hi")))
    results = read_all(Copilot(), tmp_path)
    assert [session.id for result in results for session in result.sessions] == [
        f"{SESSION}:agent-c2", SESSION, "copilot:old-one",
    ]  # fmt: skip
    assert results[2].sessions[0].display_name == "Fix é"
    assert results[0].skipped_records == {"file/held by another": 1}


def test_a_fork_that_begins_with_the_records_of_another_session_is_one_of_its_own(tmp_path: pathlib.Path) -> None:
    other = "22222222-2222-3333-4444-555555555555"
    begun = [START, event("user.message", 1, content="a"), said(2, "b", apiCallId="chatcmpl-0123456789abcdef")]
    written(tmp_path, lines(*begun, event("user.message", 3, content="c")))
    written(tmp_path, lines(*begun, event("user.message", 4, content="d")), other)
    results = read_all(Copilot(), tmp_path)
    assert [result.sessions[0].id for result in results] == [SESSION, f"copilot:{other}"]
    assert [[row.content for row in result.messages] for result in results] == [["a", "b", "c"], ["a", "b", "d"]]
    assert results[0].messages[1].source_id == results[1].messages[1].source_id


def test_workspace_files_are_read_with_care() -> None:
    text = """
name: 'it''s'
branch: feature/x # where
cwd: C:\\Users\\u
summary: |
  long
list: [a, b]
other: {a: b}
null_one: null
  name: nested
key: a: b
"""
    assert read_workspace(text.encode()) == {"name": "it's", "branch": "feature/x", "cwd": "C:\\Users\\u"}
    assert read_workspace(b"\xff\xfename: \x00\n---\nname: ok\r\n") == {"name": "ok"}


def test_places_and_what_is_its_own(tmp_path: pathlib.Path) -> None:
    copilot, home = Copilot(), pathlib.PurePosixPath("/home/u")
    assert [str(place) for place in copilot.places(Home(home, "linux"))] == ["/home/u/.copilot/session-state"]
    moved = Home(home, "macos", {"COPILOT_HOME": "/srv/copilot"})
    assert [str(place) for place in copilot.places(moved)] == ["/srv/copilot/session-state"]
    assert copilot.detect(tmp_path / "x.jsonl", lines(START))
    assert not copilot.detect(tmp_path / "GitHub.copilot-chat" / "transcripts" / "x.jsonl", lines(START))
    assert not copilot.detect(tmp_path / "x.jsonl", b'{"type":"user","message":{}}\n' + lines(START))
    assert not copilot.detect(tmp_path / "x.json", lines(START))
    assert copilot.detect(tmp_path / "session-state" / ID / "events.jsonl", b"\x00\x00")


def test_pieces_come_to_the_whole(tmp_path: pathlib.Path) -> None:
    chance = seeded()
    path = written(tmp_path, lines(*LONGER))
    size, whole = path.stat().st_size, union(read_one(Copilot(), path))
    for _ in range(60):
        ends = sorted({chance.randrange(size) for _ in range(chance.randrange(4))} | {size})
        results = grown(Copilot(), path, ends, chance.choice([1, 300, 2000, 10**6]))
        assert union(results) == whole
        assert results[-1].skipped_records == read_one(Copilot(), path)[-1].skipped_records


def test_rows_of_a_prefix_are_a_prefix(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, lines(*LONGER))
    whole = keys(union(read_one(Copilot(), path)))
    data, before = path.read_bytes(), set[Any]()
    for part in cuts(data, seeded()):
        path.write_bytes(part)
        now = keys(union(read_one(Copilot(), path)))
        assert before <= now <= whole
        before = now


def test_damage_does_not_raise(tmp_path: pathlib.Path) -> None:
    chance, data = seeded(), lines(*LONGER)
    path = written(tmp_path, b"")
    for _ in range(400):
        path.write_bytes(damaged(data, chance))
        read_one(Copilot(), path)
    path.write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    assert len(read_one(Copilot(), path)[-1].messages) == 10


def test_what_is_sent_to_hurt(tmp_path: pathlib.Path) -> None:
    hostile: list[Any] = [None, True, -1, 10**400, 1.5, "", "\ud800", [], {}, [[[]]], {"a": {"b": []}}]
    path = written(tmp_path, b"")
    for record in LONGER:
        for key in record["data"]:
            made = [
                *WHOLE[:2],
                *(record | {"data": record["data"] | {key: value}} for value in hostile),
                *({**record, "data": value, "id": value, "timestamp": value, "agentId": value} for value in hostile),
            ]
            path.write_bytes(lines(*made) + b'{"type":"user.message","data":{"content":"x"}} {"type":1}\n')
            assert read_one(Copilot(), path)[-1].messages


def test_subagents_are_told_apart_by_their_ids(tmp_path: pathlib.Path) -> None:
    """Newer versions have only ``agentId``; the record of the start may have that of who started it."""
    *children, own = imported(
        tmp_path, START, event("user.message", 1, content="a"), said(2, "", asked("c1", "task"), asked("c2", "task")),
        event("subagent.started", 3, toolCallId="c1", agentName="one"), said(4, "x", asked("c3", "task"), agent="i1"),
        event("subagent.started", 5, "i1", toolCallId="c3", agentName="inner"), said(6, "y", agent="i3"),
        event("subagent.started", 7, "i2", toolCallId="c2", agentName="two"), said(8, "z", agent="i2"),
        done(9, "c3", "r"), said(10, "x2", agent="i1"), done(11, "c1", "r"), done(12, "c2", "r"),
    )  # fmt: skip
    told = {child.sessions[0].display_name: [row.content for row in child.messages] for child in children}
    assert told == {"one": ["x\n[Tool: task]", "x2"], "inner": ["y"], "two": ["z"]}
    calls = {row.tool_use_id: row.subagent_session_id for one in [*children, own] for row in one.tool_calls}
    assert calls == {id: f"{SESSION}:agent-{id}" for id in ("c1", "c2", "c3")}


def test_many_subagents_stay_bounded(tmp_path: pathlib.Path) -> None:
    events = [said(n, "x", parentToolCallId=f"c{n}") for n in range(300)]
    results = imported(tmp_path, START, *events)
    assert len(results) == 201
    assert sum(len(result.messages) for result in results) == 300
    assert Options().piece_bytes > 0
