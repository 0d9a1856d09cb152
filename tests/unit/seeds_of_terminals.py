"""Small transcripts of OpenCode, Pi and agentsview, as (agent, path, bytes, shape, what lies beside them)."""

from __future__ import annotations

import json
import pathlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from tests.unit import opencode_files, pi_lines
from tests.unit.agentsview_files import Archive, at

Shape = Literal["lines", "document", "database"]
Seed = tuple[str, str, bytes, Shape, Mapping[str, bytes]]

_SAID = (
    opencode_files.user(1, opencode_files.said("wind the clock")),
    opencode_files.assistant(
        2,
        {"type": "reasoning", "text": "hm", "time": {"start": 1}},
        opencode_files.call("c1", "bash", {"command": "git commit -m x"}, output="[main 1a2b3c4] x"),
        output=9,
    ),
    opencode_files.assistant(3, opencode_files.said("done"), output=4),
)  # fmt: skip


def seeds() -> Iterator[Seed]:
    yield from _opencode()
    yield "pi", f"agent/sessions/--home-ada-clock--/{pi_lines.NAME}", pi_lines.data(*_pi()), "lines", {}
    yield "agentsview", ".agentsview/sessions.db", _database("sessions.db", _fill_archive), "database", {}


def _opencode() -> Iterator[Seed]:
    session = opencode_files.export(*_SAID)
    yield "opencode", "exports/clock.json", json.dumps(session, indent=1).encode(), "document", {}
    yield "opencode", "opencode/opencode.db", _database("opencode.db", _fill_opencode), "database", {}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        head = opencode_files.write_tree(root, session)
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.json")}
    own = head.relative_to(root).as_posix()
    beside = {f"opencode/{name}": data for name, data in files.items() if name != own}
    yield "opencode", f"opencode/{own}", files[own], "document", beside


def _pi() -> Iterator[object]:
    yield pi_lines.header()
    yield pi_lines.user(1, pi_lines.said("wind the clock"))
    yield pi_lines.assistant(2, pi_lines.said("so"), pi_lines.call("c1", command="git commit -m x"), output=9)
    yield pi_lines.result("c1", 3, "[main 1a2b3c4] x")
    yield pi_lines.entry("model_change", 4, modelId="claude-y")
    yield pi_lines.assistant(5, pi_lines.said("done"), output=4)


def _database(name: str, fill: Callable[[pathlib.Path], sqlite3.Connection]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        connection = fill(pathlib.Path(folder, name))
        # Not in WAL mode: a seed is one file.
        connection.execute("PRAGMA journal_mode=DELETE")
        data = connection.serialize()
        connection.close()
    return data


def _fill_opencode(path: pathlib.Path) -> sqlite3.Connection:
    return opencode_files.write_database(path, opencode_files.export(*_SAID))


def _fill_archive(path: pathlib.Path) -> sqlite3.Connection:
    archive = Archive(path)
    session = archive.session("codex:7f1c", "codex", started_at=at(0), ended_at=at(9), cwd="/home/ada/clock")
    archive.message(session, "user", "wind the clock", timestamp=at(1))
    spoken = archive.message(session, "assistant", "so", timestamp=at(2), output_tokens=9, has_tool_use=1)
    archive.call(session, spoken, "exec_command", {"cmd": "git commit -m x"}, tool_use_id="c1", call_index=0)
    archive.event(session, 1, "[main 1a2b3c4] x", tool_use_id="c1", timestamp=at(3))
    return archive.connection
