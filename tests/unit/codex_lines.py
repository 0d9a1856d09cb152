"""Lines of rollouts, written by hand in the shapes of several versions, and reading them as one file."""

from __future__ import annotations

import json
import pathlib
import tempfile
from typing import Any

from agentstore.importers import ImportResult, Options
from agentstore.importers.codex import Codex
from agentstore.importers.results import by_session

THREAD = "0199c82c-d248-7337-8e32-5ed701c70441"
NAME = f"rollout-2026-02-03T10-00-00-{THREAD}.jsonl"
Record = dict[str, Any]


def line(kind: str, second: int = 0, /, **payload: Any) -> Record:
    return {"timestamp": f"2026-02-03T10:{second // 60:02d}:{second % 60:02d}.000Z", "type": kind, "payload": payload}


def meta(second: int = 0, **more: Any) -> Record:
    git = {"branch": "main", "commit_hash": "1a2b3c4", "repository_url": "git@github.com:ada/tideclock.git"}
    fields = {"id": THREAD, "cwd": "/home/ada/tideclock", "originator": "codex_cli_rs", "cli_version": "0.98.0"}
    return line("session_meta", second, **(fields | {"source": "cli", "git": git} | more))


def item(type: str, second: int = 0, /, **payload: Any) -> Record:
    return line("response_item", second, type=type, **payload)


def event(type: str, second: int = 0, /, **payload: Any) -> Record:
    return line("event_msg", second, type=type, **payload)


def said(role: str, text: str, second: int = 0, **more: Any) -> Record:
    kind = "output_text" if role == "assistant" else "input_text"
    return item("message", second, role=role, content=[{"type": kind, "text": text}], **more)


def call(id: str, name: str, arguments: Any, second: int = 0, **more: Any) -> Record:
    return item("function_call", second, call_id=id, name=name, arguments=json.dumps(arguments), **more)


def output(id: str, value: Any, second: int = 0) -> Record:
    return item("function_call_output", second, call_id=id, output=value)


def ran(id: str, text: str, code: int = 0, second: int = 0) -> Record:
    metadata = {"exit_code": code, "duration_seconds": 0.1}
    return output(id, json.dumps({"output": text, "metadata": metadata}), second)


def usage(whole: int, cached: int, out: int, reasoning: int = 0) -> Record:
    return {
        "input_tokens": whole,
        "cached_input_tokens": cached,
        "output_tokens": out,
        "reasoning_output_tokens": reasoning,
        "total_tokens": whole + out,
    }


def tokens(total: Record, last: Record | None, second: int = 0) -> Record:
    return event("token_count", second, info={"total_token_usage": total, "last_token_usage": last}, rate_limits=None)


def data(*records: Record) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def read_bytes(content: bytes, name: str = NAME, **options: Any) -> ImportResult:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "sessions", name)
        path.parent.mkdir()
        path.write_bytes(content)
        (result,) = by_session(Codex().survey([path], Options(**options)).read(path))
        return result


def read(*records: Record, name: str = NAME) -> ImportResult:
    return read_bytes(data(*records), name)


def talk(result: ImportResult) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in result.messages]


MODERN = [
    meta(),
    said("developer", "<permissions instructions>x</permissions instructions>", 1),
    said("user", "# AGENTS.md instructions for /home/ada\n\n<INSTRUCTIONS>be kind</INSTRUCTIONS>", 1),
    said("user", "<environment_context><cwd>/home/ada</cwd></environment_context>", 1),
    event("task_started", 2, turn_id="t1", model_context_window=258400),
    line("turn_context", 2, turn_id="t1", model="gpt-5.5-codex", cwd="/home/ada/tideclock"),
    said("user", "Commit it, please", 3),
    event("user_message", 3, message="Commit it, please", images=[]),
    item("reasoning", 4, summary=[{"type": "summary_text", "text": "**Looking**"}], encrypted_content="gAAA"),
    event("agent_reasoning", 4, text="**Looking**"),
    said("assistant", "I'll commit.", 5, phase="commentary"),
    event("agent_message", 5, message="I'll commit.", phase="commentary"),
    call("call_a", "exec_command", {"cmd": "git commit -m x", "workdir": "/home/ada/tideclock"}, 6),
    tokens(usage(1000, 400, 50, 20), usage(1000, 400, 50, 20), 7),
    output("call_a", "Wall time: 0.1 seconds\nProcess exited with code 0\nOutput:\n[main 1a2b3c4] x\n 1 file", 8),
    tokens(usage(1000, 400, 50, 20), usage(1000, 400, 50, 20), 8),
    line("turn_context", 8, turn_id="t1", model="gpt-5.5-codex", cwd="/home/ada/tideclock"),
    said("assistant", "Done.", 9, phase="final_answer"),
    event("agent_message", 9, message="Done."),
    tokens(usage(2500, 1600, 60, 20), usage(1500, 1200, 10, 0), 10),
    event("task_complete", 10, turn_id="t1", last_agent_message="Done."),
]

_STATE = {"record_type": "state"}
_ENVIRONMENT = "<environment_context>\n  <cwd>/home/ada/old</cwd>\n</environment_context>"
_CONTENT = [{"type": "input_text", "text": _ENVIRONMENT}]
BARE: list[Record] = [
    {"id": THREAD, "timestamp": "2025-08-05T05:05:05.123Z", "instructions": None, "git": {"branch": "old"}},
    _STATE,
    {"type": "message", "role": "user", "content": _CONTENT},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "list"}]},
    _STATE,
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
    {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "call_1"},
    _STATE,
    {
        "type": "function_call_output",
        "call_id": "call_1",
        "output": '{"output":"x","metadata":{"exit_code":0}}',
    },
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "There."}]},
]

DOCUMENT = {
    "session": {"timestamp": "2025-05-01T08:00:00.000Z", "id": THREAD, "instructions": ""},
    "items": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "call_1"},
        {"type": "function_call_output", "call_id": "call_1", "output": '{"output":"x","metadata":{"exit_code":0}}'},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]},
    ],
}


def done(second: int, **one: Any) -> dict[str, Any]:
    return event("item_completed", second, thread_id=THREAD, turn_id="t", item=one)


_TEXT = [{"type": "text", "text": "Why?", "text_elements": []}]
PAGINATED = [
    meta(history_mode="paginated"),
    said("user", "<skill>x</skill>", 1),
    said("user", "Why?", 2),
    done(2, type="UserMessage", id="u", content=_TEXT),
    item("reasoning", 3, id="rs", summary=[], encrypted_content="x"),
    done(3, type="Reasoning", id="rs", summary_text=[], raw_content=[]),
    item("custom_tool_call", 4, call_id="c1", name="exec", input="await tools.exec_command({cmd: 'ls'})"),
    done(4, type="CommandExecution", id="c1", command=["bash", "-lc", "ls"], exit_code=2, status="failed"),
    item("custom_tool_call_output", 4, call_id="c1", output=[{"type": "input_text", "text": "no such file"}]),
    done(5, type="AgentMessage", id="m", content=[{"type": "Text", "text": "Because."}]),
    said("assistant", "Because.", 5),
    done(6, type="Plan", id="p", text="1. sleep"),
    done(6, type="UserMessage", id="u2", content=[{"type": "text", "text": "Only shown"}]),
]
