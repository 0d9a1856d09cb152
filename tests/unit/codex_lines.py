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
