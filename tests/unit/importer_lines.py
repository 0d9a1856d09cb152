"""Lines of Claude Code transcripts, written for the tests of the importer."""

from __future__ import annotations

import json
from typing import Any

SESSION = "0d9c1f7e-2b64-4e0a-8f35-6a1b2c3d4e5f"
FILE = f"projects/-home-ada-clock/{SESSION}.jsonl"


def at(second: int) -> str:
    return f"2026-03-02T08:{second // 60:02d}:{second % 60:02d}.125Z"


def line(kind: str, second: int | None = 0, **fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"type": kind, "sessionId": SESSION, "cwd": "/home/ada/clock", "gitBranch": "main"}
    if second is not None:
        record["timestamp"] = at(second)
    return record | fields


def user(content: Any, second: int = 0, **fields: Any) -> dict[str, Any]:
    return line(
        "user", second, **({"uuid": f"user-{second}", "message": {"role": "user", "content": content}} | fields)
    )


def assistant(
    *blocks: Any, second: int = 1, id: str | None = "msg_1", output: int = 0, **fields: Any
) -> dict[str, Any]:
    usage = {
        "input_tokens": 3,
        "cache_read_input_tokens": 50,
        "cache_creation_input_tokens": 7,
        "output_tokens": output,
    }
    message = {"role": "assistant", "model": "claude-x", "content": list(blocks), "usage": usage}
    if id is not None:
        message["id"] = id
    own = {"uuid": f"line-{second}-{len(blocks)}", "requestId": f"req_{id}", "message": message}
    return line("assistant", second, **(own | fields))


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def use(id: str, name: str = "Bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def result(
    id: str, content: Any = "ok", second: int = 5, *, error: bool | None = None, **fields: Any
) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": id, "content": content}
    if error is not None:
        block["is_error"] = error
    return user([block], second, **({"uuid": f"result-{id}-{second}"} | fields))


def data(*records: Any) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode("utf-8", "surrogatepass")
