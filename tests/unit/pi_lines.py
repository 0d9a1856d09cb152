"""Lines of Pi's sessions, written for tests."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from typing import Any

from agentstore.importers import ImportResult, ImportState
from agentstore.importers.importer import Options
from agentstore.importers.pi.importer import Pi
from tests.unit.importer_rows import kept

ID = "d703a1a9-1b7b-4fb1-b512-c9738b1fe617"
NAME = f"2026-03-02T08-00-00-000Z_{ID}.jsonl"


def at(second: int) -> str:
    return f"2026-03-02T08:{second // 60:02d}:{second % 60:02d}.125Z"


def header(second: int = 0, **fields: Any) -> dict[str, Any]:
    known = {"type": "session", "version": 3, "id": ID, "timestamp": at(second), "cwd": "/home/ada/clock"}
    return known | fields


def entry(kind: str, second: int, **fields: Any) -> dict[str, Any]:
    own = {"type": kind, "id": f"{second:08x}", "parentId": f"{second - 1:08x}", "timestamp": at(second)}
    return own | fields


def message(role: str, second: int, content: Any, **fields: Any) -> dict[str, Any]:
    return entry("message", second, message={"role": role, "content": content} | fields)


def user(second: int, *blocks: Any, **fields: Any) -> dict[str, Any]:
    return message("user", second, list(blocks), **fields)


def assistant(second: int, *blocks: Any, output: int = 0, **fields: Any) -> dict[str, Any]:
    usage = {"input": 3, "output": output, "cacheRead": 50, "cacheWrite": 7, "totalTokens": 60 + output, "cost": {}}
    return message("assistant", second, list(blocks), **({"model": "claude-x", "usage": usage} | fields))


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def call(id: str, name: str = "bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "toolCall", "id": id, "name": name, "arguments": arguments}


def result(id: str, second: int, text: str, *, error: bool = False) -> dict[str, Any]:
    return message("toolResult", second, [said(text)], toolCallId=id, toolName="bash", isError=error)


def data(*records: Any) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode("utf-8", "surrogatepass")


def write(path: pathlib.Path, *records: Any) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data(*records))
    return path


def read(path: pathlib.Path, state: ImportState | None = None, piece_bytes: int = 10**7) -> list[ImportResult]:
    return list(Pi().survey([path], Options(piece_bytes=piece_bytes)).read(path, state))


def grown(path: pathlib.Path, whole: bytes, ends: Iterable[int], piece_bytes: int) -> list[ImportResult]:
    """Import a file each time when it had so many bytes, each time from where the time before stopped."""
    results: list[ImportResult] = []
    state: ImportState | None = None
    for end in ends:
        path.write_bytes(whole[:end])
        results += read(path, state, piece_bytes)
        state = kept(results[-1].state)
    return results
