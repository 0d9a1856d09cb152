"""One or more small transcripts of every agent, under the names that the agent gives its files.

What is asked of all importers is asked of these (``test_importers_all``): each importer of the registry has at least
one. To add an agent's: a function that gives seeds, and its name in ``SEEDS``. What a seed needs beside it (an index,
a file that tells the project) is in ``beside``; it is written, and not mutated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import zstandard

from tests.unit import codex_lines, importer_lines, seeds_of_editors, seeds_of_terminals
from tests.unit.test_importer_fuzz import SEEDS as CLAUDE_LINES

# "bytes": nothing but bytes can be changed in it (it is compressed, for one).
Shape = Literal["lines", "document", "database", "bytes"]


class Seed(NamedTuple):
    """``path`` is below the folder that is imported; ``shape`` says how it is cut and mutated."""

    agent: str
    path: str
    data: bytes
    shape: Shape = "lines"
    beside: Mapping[str, bytes] = {}

    @property
    def name(self) -> str:
        return f"{self.agent} {self.path.rpartition('/')[2]}"


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def document(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


# --- Claude Code -------------------------------------------------------------------------------------------------


def claude_code() -> Iterator[Seed]:
    yield Seed("claude-code", f"projects/-w/{importer_lines.SESSION}.jsonl", importer_lines.data(*CLAUDE_LINES))


# --- Gemini CLI --------------------------------------------------------------------------------------------------

GEMINI = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"
GEMINI_HASH = "4eb31f72b9c3b2ad9ee1f86b1ab1ac92a9b3a73f4b6a6dd5a0d1b1fd3ff9f0aa"


def gemini_meta(**more: Any) -> dict[str, Any]:
    meta = {"sessionId": GEMINI, "projectHash": GEMINI_HASH, "startTime": "2026-03-02T08:00:00.000Z"}
    return {**meta, "lastUpdated": "2026-03-02T08:00:09.000Z", **more}


def gemini_message(id: str, kind: str, content: Any, second: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": id, "timestamp": f"2026-03-02T08:00:{second:02}.000Z", "type": kind, "content": content, **more}


def gemini_call(id: str, name: str, output: Any = None, status: str = "success", **args: Any) -> dict[str, Any]:
    call: dict[str, Any] = {
        "id": id,
        "name": name,
        "args": args,
        "status": status,
        "timestamp": "2026-03-02T08:00:04.000Z",
    }
    if output is not None:
        answer = {"functionResponse": {"id": id, "name": name, "response": {"output": output}}}
        call["result"] = [answer]
    return call


def gemini_tokens(given: int, output: int, cached: int = 0, thoughts: int = 0, tool: int = 0) -> dict[str, int]:
    total = given + output + thoughts + tool
    return {"input": given, "output": output, "cached": cached, "thoughts": thoughts, "tool": tool, "total": total}


GEMINI_MESSAGES = [
    gemini_message("u1", "user", [{"text": "fix the tide"}], 1),
    gemini_message(
        "a1",
        "gemini",
        "Looking.",
        2,
        thoughts=[{"subject": "Plan", "description": "read first", "timestamp": "2026-03-02T08:00:02.000Z"}],
        tokens=gemini_tokens(100, 10, 40, 5, 3),
        model="gemini-2.5-pro",
        toolCalls=[
            gemini_call("c1", "read_file", "hello", file_path="/home/ada/tideclock/a.md"),
            gemini_call(
                "c2", "run_shell_command", "Output: ok\n[main 1a2b3c4] x\nExit Code: 0", command="git commit -m x"
            ),
        ],
    ),
    gemini_message("i1", "info", "Request cancelled.", 5),
    gemini_message("u2", "user", "System: Please continue.", 6),
    gemini_message("a2", "gemini", [{"text": "done"}], 7, tokens=None, toolCalls=[gemini_call("c3", "replace")]),
    gemini_message("u3", "user", [{"functionResponse": {"id": "c3", "response": {"error": "no"}}}], 8),
]


def gemini() -> Iterator[Seed]:
    beside = {"tmp/tideclock/.project_root": b"/home/ada/tideclock", "projects.json": b'{"projects": {}}'}
    name = "tmp/tideclock/chats/session-2026-03-02T08-00-0b6e2f4a"
    whole = gemini_meta(messages=GEMINI_MESSAGES, summary="Tides", kind="main")
    yield Seed("gemini", f"{name}.json", document(whole), "document", beside)
    again = {**GEMINI_MESSAGES[4], "tokens": gemini_tokens(9, 9)}
    log = [gemini_meta(kind="main"), *GEMINI_MESSAGES, {"$set": {"lastUpdated": "2026-03-02T08:00:10Z"}}, again]
    yield Seed("gemini", f"{name}.jsonl", lines(*log, {"$set": {"messages": GEMINI_MESSAGES[2:]}}), "lines", beside)


# --- Antigravity CLI ---------------------------------------------------------------------------------------------

ANTIGRAVITY = "7f05dc62-68b3-40a1-82b9-115546ed9592"


def agy_step(index: int, kind: str, content: str | None = None, source: str = "MODEL", **more: Any) -> dict[str, Any]:
    step = {"step_index": index, "source": source, "type": kind, "status": "DONE"}
    step |= {"created_at": f"2026-07-05T09:14:{index:02}Z"}
    return {**step, **({} if content is None else {"content": content}), **more}


def agy_call(name: str, **args: Any) -> dict[str, Any]:
    """As it is written: each argument is JSON in a text."""
    return {"name": name, "args": {key: json.dumps(value) for key, value in args.items()}}


def agy_request(text: str, model: str = "") -> str:
    request = f"<USER_REQUEST>\n{text}\n</USER_REQUEST>\n<ADDITIONAL_METADATA>\nThe local time.\n</ADDITIONAL_METADATA>"
    change = f"The user changed setting `Model Selection` from None to {model}. No need to comment on this change."
    return f"{request}\n<USER_SETTINGS_CHANGE>\n{change}\n</USER_SETTINGS_CHANGE>" if model else request


AGY_TIMES = "Created At: 2026-07-05T11:14:23+02:00\nCompleted At: 2026-07-05T11:14:24+02:00\n"
AGY_PRINTED = "\n\t\t\t\tThe command exited with code 0.\n\t\t\t\tOutput:\n\t\t\t\t[main 1a2b3c4] x\n"
AGY_STEPS = [
    agy_step(0, "USER_INPUT", agy_request("fix the tide", "Gemini 3.5 Flash (Low)"), "USER_EXPLICIT"),
    agy_step(1, "CONVERSATION_HISTORY", None, "SYSTEM"),
    agy_step(
        2,
        "PLANNER_RESPONSE",
        thinking="**Plan**",
        tool_calls=[
            agy_call("view_file", AbsolutePath="/home/ada/tideclock/a.md"),
            agy_call("run_command", CommandLine="git commit -m x", Cwd="/home/ada/tideclock"),
        ],
    ),
    agy_step(3, "VIEW_FILE", f"{AGY_TIMES}hello"),
    agy_step(4, "RUN_COMMAND", AGY_TIMES + AGY_PRINTED),
    agy_step(5, "CHECKPOINT", "{{ CHECKPOINT 0 }}", "SYSTEM"),
    agy_step(6, "SYSTEM_MESSAGE", "Not the user:\n<SYSTEM_MESSAGE>\nstopped\n</SYSTEM_MESSAGE>", "SYSTEM"),
    agy_step(7, "PLANNER_RESPONSE", "done", tool_calls=[agy_call("invoke_subagent", Subagents=[{"Prompt": "look"}])]),
    agy_step(8, "INVOKE_SUBAGENT", 'Created:\n{\n  "conversationId": "3eaf9d49-b3ad-488f-9b44-887c7c4836bd"\n}'),
]


def antigravity() -> Iterator[Seed]:
    path = f"antigravity-cli/brain/{ANTIGRAVITY}/.system_generated/logs/transcript_full.jsonl"
    prompts = lines({"display": "fix", "workspace": "/home/ada/tideclock", "conversationId": ANTIGRAVITY})
    yield Seed("antigravity-cli", path, lines(*AGY_STEPS), "lines", {"antigravity-cli/history.jsonl": prompts})


# --- SWE-agent ---------------------------------------------------------------------------------------------------


def swe_step(action: str, observation: str, thought: str = "So.", **more: Any) -> dict[str, Any]:
    state = {"open_file": "/testbed/a.py", "working_dir": "/testbed"}
    step = {"action": action, "observation": observation, "response": f"{thought}\n{action}", "thought": thought}
    return {**step, "state": state, "execution_time": 0.25, "query": [{"role": "user", "content": "the task"}], **more}


def swe_said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "agent": "main", **more}


def swe_called(id: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


SWE_RUN: dict[str, Any] = {
    "trajectory": [
        swe_step("ls -F", "a.py"),
        swe_step("open a.py", "[File: a.py]"),
        swe_step("git commit -am x", "[main 1a2b3c4] x"),
        swe_step("submit", "diff --git a/a.py b/a.py"),
        swe_step("", "Exited (autosubmitted)", ""),
    ],
    "history": [
        swe_said("system", "SETTING: …", message_type="system_prompt"),
        swe_said("user", "Here is a demonstration …", is_demo=True),
        swe_said("user", [{"type": "text", "text": "Fix the tide."}], message_type="observation"),
        swe_said("assistant", "So.", action="ls -F", tool_calls=[swe_called("call_1", "bash", command="ls -F")]),
        swe_said("tool", "a.py", tool_call_ids=["call_1"]),
        swe_said("assistant", "So.", action="open a.py", tool_calls=[swe_called("call_2", "open", path="a.py")]),
    ],
    "info": {
        "exit_status": "submitted",
        "model_stats": {"instance_cost": 0.1, "tokens_sent": 700, "tokens_received": 24, "api_calls": 4},
    },
    "replay_config": json.dumps({"agent": {"model": {"name": "gpt-4o"}}, "problem_statement": {"id": "ada__tide-7"}}),
    "environment": "main",
}


def mini_response(number: int, text: str, command: str, tokens: tuple[int, int, int]) -> dict[str, Any]:
    given, cached, said = tokens
    usage = {"prompt_tokens": given, "completion_tokens": said, "prompt_tokens_details": {"cached_tokens": cached}}
    return {
        "role": "assistant",
        "content": text,
        "tool_calls": [{"id": f"call_{number}", "function": {"name": "bash", "arguments": "{}"}}],
        "extra": {
            "actions": [{"command": command, "tool_call_id": f"call_{number}"}],
            "response": {"id": f"gen-{number}", "model": "claude-sonnet-4-5", "usage": usage},
            "timestamp": 1772438400.5 + number,
        },
    }


def mini_output(number: int, output: str, code: int = 0) -> dict[str, Any]:
    extra = {"raw_output": output, "returncode": code, "timestamp": 1772438401.0 + number}
    content = f"<returncode>{code}</returncode>\n<output>\n{output}</output>"
    return {"role": "tool", "content": content, "tool_call_id": f"call_{number}", "extra": extra}


MINI_RUN: dict[str, Any] = {
    "info": {
        "model_stats": {"instance_cost": 0.05, "api_calls": 2},
        "config": {"environment": {"cwd": "/testbed"}, "model": {"model_name": "anthropic/claude-sonnet-4-5"}},
        "mini_version": "2.0.0",
        "exit_status": "Submitted",
    },
    "messages": [
        {"role": "system", "content": "You are a helpful assistant"},
        {"role": "user", "content": "Please solve this issue: tide"},
        mini_response(1, "Let me look.", "ls", (90, 30, 7)),
        mini_output(1, "a.py"),
        mini_response(2, "", "git commit -am x", (120, 90, 9)),
        mini_output(2, "[main 1a2b3c4] x\n", 1),
        {"role": "user", "content": "stop it", "extra": {"interrupt_type": "UserInterruption"}},
        {"role": "exit", "content": "done", "extra": {"exit_status": "Submitted"}},
    ],
    "trajectory_format": "mini-swe-agent-1.1",
}


def swe_agent() -> Iterator[Seed]:
    yield Seed("swe-agent", "run/ada__tide-7/ada__tide-7.traj", document(SWE_RUN), "document")
    attempts = {"attempts": [SWE_RUN, {**SWE_RUN, "trajectory": [swe_step("pwd", "/testbed")]}], **SWE_RUN}
    yield Seed("swe-agent", "run/twice/twice.traj", document(attempts), "document")
    yield Seed("swe-agent", "mini/ada__tide-7.traj.json", document(MINI_RUN), "document")


# --- Codex CLI ---------------------------------------------------------------------------------------------------


def codex() -> Iterator[Seed]:
    folder = "sessions/2026/02/03"
    yield Seed("codex", f"{folder}/{codex_lines.NAME}", codex_lines.data(*codex_lines.MODERN))
    for name, records in (("bare", codex_lines.BARE), ("paginated", codex_lines.PAGINATED)):
        yield Seed("codex", f"{folder}/rollout-{name}-{codex_lines.THREAD}.jsonl", codex_lines.data(*records))
    yield Seed(
        "codex", f"sessions/rollout-2025-05-01-{codex_lines.THREAD}.json", document(codex_lines.DOCUMENT), "document"
    )
    packed = zstandard.compress(codex_lines.data(*codex_lines.MODERN))
    yield Seed("codex", f"archived_sessions/{codex_lines.NAME}.zst", packed, "bytes")


SEEDS: tuple[Seed, ...] = (
    *claude_code(),
    *codex(),
    *gemini(),
    *antigravity(),
    *swe_agent(),
    *(Seed(*one) for one in seeds_of_editors.seeds()),
    *(Seed(*one) for one in seeds_of_terminals.seeds()),
)
