"""``agentstore export``, as a process, and what its documentation says of reading it again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet

from agentstore import (
    AsyncClickHouseStore,
    FileTouch,
    GitLink,
    Message,
    MessagePin,
    Session,
    SessionDelete,
    SessionStar,
    ToolCall,
)
from tests.cli.conftest import import_sample
from tests.cli.running import ROOT, Cli
from tests.cli.test_sessions import CODEX, GEMINI, HARBOURS, REVIEW, SPAETZLE
from tests.cli.test_show import TIDE

RECORDS: dict[str, Any] = {
    "session": Session,
    "message": Message,
    "tool_call": ToolCall,
    "git_link": GitLink,
    "file_touch": FileTouch,
    "session_star": SessionStar,
    "message_pin": MessagePin,
}
AGENT = f"{TIDE}:agent-7c1e0b2"


class Kind(msgspec.Struct):
    type: str


def records(text: str) -> list[tuple[str, Any]]:
    kinds = [(msgspec.json.decode(line, type=Kind).type, line) for line in text.splitlines()]
    return [(kind, msgspec.json.decode(line, type=RECORDS[kind])) for kind, line in kinds]


async def everything(dsn: str) -> list[tuple[str, Any]]:
    """The same by the library's reads, in the order that is promised."""
    found: list[tuple[str, Any]] = []
    async with AsyncClickHouseStore(dsn) as store:
        for head in (await store.list_sessions("local")).sessions:
            for id in [head.id, AGENT] if head.id == TIDE else [head.id]:
                found.append(("session", await store.get_session("local", id)))
                found += [("message", one) for one in await store.get_session_messages("local", id)]
                found += [("tool_call", one) for one in await store.get_session_tool_calls("local", id)]
                found += [("git_link", one) for one in await store.get_session_git_links("local", id)]
                for touch in (await store.file_history("local", "", session_id=id)).touches:
                    fields = {name: getattr(touch, name) for name in FileTouch.__struct_fields__ if name != "org_id"}
                    found.append(("file_touch", FileTouch(org_id="local", **fields)))
                found += [("session_star", one) for one in await store.list_session_stars("local", id)]
                found += [("message_pin", one) for one in await store.list_message_pins("local", id)]
    return found


def test_lines_are_the_records_themselves(own_cli: Cli) -> None:
    asyncio.run(import_sample(own_cli.dsn))
    assert own_cli("star", "0b6e").code == own_cli("pin", "0b6e", "3", "note").code == 0
    done = own_cli("export")
    assert (done.code, done.err) == (0, "")
    found = records(done.out)
    assert found == asyncio.run(everything(own_cli.dsn))
    assert Counter(kind for kind, _ in found) == {
        "session": 7, "message": 56, "tool_call": 35, "git_link": 5, "file_touch": 15, "session_star": 1,
        "message_pin": 1,
    }  # fmt: skip
    # A subagent that is asked for by itself is not told twice.
    assert sorted(own_cli("export", "--subagents").lines) == sorted(done.lines)


def sessions(text: str) -> list[str]:
    return [one.id for kind, one in records(text) if kind == "session"]


def test_the_filters_are_those_of_sessions(sample_cli: Cli) -> None:
    assert sessions(sample_cli("export", "--user", "ada").out) == [TIDE, AGENT]
    assert [id[:8] for id in sessions(sample_cli("export", "-n", "2").out)] == [REVIEW, GEMINI]
    assert [id[:8] for id in sessions(sample_cli("export", "--since", "2026-03-05").out)] == [REVIEW, GEMINI, HARBOURS]
    late = sample_cli("export", "--until", "2026-03-04", "--tz", "America/New_York").out
    assert [id[:8] for id in sessions(late)] == [HARBOURS, CODEX, SPAETZLE, TIDE[:8], TIDE[:8]]
    done = sample_cli("export", "--user", "nobody")
    assert (done.code, done.out) == (1, "")
    assert sample_cli("export", "-n", "-1").code == 2


def test_a_file_is_there_as_a_whole_or_as_it_was(sample_cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "all.jsonl"
    target.write_text("before")
    nothing = sample_cli("export", "--user", "nobody", "--output", str(target))
    assert (nothing.code, target.read_text(), os.listdir(tmp_path)) == (1, "before", ["all.jsonl"])
    done = sample_cli("export", "--output", str(target), width=200)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{target}: 7 sessions, 56 messages, 35 tool calls, 5 git links, 15 file touches\n"
    assert target.read_text() == sample_cli("export").out
    assert target.stat().st_mode & 0o077 == 0
    assert os.listdir(tmp_path) == ["all.jsonl"]
    for bad in (tmp_path, tmp_path / "none" / "x.jsonl", Path("/dev/null")):
        assert sample_cli("export", "--output", str(bad)).code == 2


def test_what_is_hidden_is_left_out_with_its_subagents(own_cli: Cli) -> None:
    asyncio.run(import_sample(own_cli.dsn))

    async def hide(id: str) -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.write_session_deletes("local", [SessionDelete(session_id=id)])

    asyncio.run(hide(AGENT))
    assert sessions(own_cli("export", "--user", "ada").out) == [TIDE]
    asyncio.run(hide(TIDE))
    assert own_cli("export", "--user", "ada").code == 1


def test_subagents_in_which_nobody_spoke_are_told_too(own_cli: Cli) -> None:
    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            parent = Session(id="p", message_count=1, user_message_count=1)
            # Two that name each other: none may be told without an end.
            calls = [
                ToolCall(message_ordinal=0, session_id=id, tool_use_id=f"t{other}", subagent_session_id=other)
                for id, other in (("p", "a"), ("a", "b"), ("b", "a"), ("a", "p"))
            ]
            below = [Session(id=id, relationship_type="subagent", message_count=1) for id in "ab"]
            await store.write_batch("local", sessions=[parent, *below], tool_calls=calls)

    asyncio.run(fill())
    assert sessions(own_cli("export").out) == ["p", "a", "b"]


def test_it_is_read_again_as_documented(own_cli: Cli, tmp_path: Path) -> None:
    asyncio.run(import_sample(own_cli.dsn))
    assert own_cli("star", "0b6e").code == own_cli("pin", "0b6e", "3", "note").code == 0
    first = tmp_path / "first.jsonl"
    assert own_cli("export", "-o", str(first)).code == 0
    text = (ROOT / "docs" / "guides" / "export.md").read_text()
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    dsn = f"local:{own_cli.home / 'second'}"
    environment = {**own_cli.environment, "PYTHONWARNINGS": "default"}
    subprocess.run([sys.executable, "-c", program, dsn, str(first)], env=environment, check=True, timeout=120)
    assert own_cli("export", "--store", dsn).out == first.read_text()


def test_memory_does_not_grow_with_a_session(long_cli: Cli, tmp_path: Path) -> None:
    """What the process had resident at most is far below what it wrote: its own report, in KiB on Linux."""
    target = tmp_path / "long.jsonl"
    program = (
        "import resource, sys; from agentstore.cli import main; code = main(sys.argv[1:]);"
        " print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    )

    def peak(*arguments: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=long_cli.environment, capture_output=True, check=True, text=True, timeout=120,
        )  # fmt: skip
        size = int(done.stdout.rpartition("peak ")[2])
        return size if sys.platform == "darwin" else 1024 * size

    usual = peak("sessions")
    written = peak("export", "--output", str(target))
    print("peak", usual, written)
    assert target.stat().st_size > 35_000_000
    assert written - usual < 25_000_000


def test_ctrl_c_leaves_no_half_file(long_cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "long.jsonl"
    target.write_text("before")
    process = subprocess.Popen(
        long_cli.command("export", "--output", str(target)), env=long_cli.environment, stderr=subprocess.PIPE, text=True
    )
    # Once some of it is written, beside the file that is to be replaced.
    while process.poll() is None and not any(path.stat().st_size for path in tmp_path.iterdir() if path != target):
        pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "agentstore: interrupted\n")
    assert (target.read_text(), os.listdir(tmp_path)) == ("before", ["long.jsonl"])


def test_a_reader_that_goes_away_is_141(long_cli: Cli) -> None:
    command = ["bash", "-c", '"$0" "$@" | head -c 100 >/dev/null; echo ${PIPESTATUS[0]}', *long_cli.command("export")]
    done = subprocess.run(command, env=long_cli.environment, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_touches_without_calls_and_any_encoding(own_cli: Cli) -> None:
    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            await store.write_session("local", Session(id="p", first_message="é 🐙", user_message_count=1))
            await store.write_file_touches("local", [FileTouch(session_id="p", path="a.py", operation="edit")])

    asyncio.run(fill())
    whole = [msgspec.json.decode(line) for line in own_cli("export").lines]
    assert [(one["type"], one.get("path")) for one in whole] == [("session", None), ("file_touch", "a.py")]
    for encoding in ("ascii", "latin-1", "utf-16-le"):
        done = subprocess.run(
            own_cli.command("export"),
            env={**own_cli.environment, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert [msgspec.json.decode(line) for line in done.stdout.decode(encoding).splitlines()] == whole


def test_parquet_has_the_records_of_the_lines(own_cli: Cli, tmp_path: Path) -> None:
    asyncio.run(import_sample(own_cli.dsn))
    told = Counter(kind for kind, _ in records(own_cli("export").out))
    folder = tmp_path / "out"
    done = own_cli("export", "--format", "parquet", "--output", str(folder))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{folder}: ")
    files = {path.stem.removesuffix("s"): pyarrow.parquet.read_table(path) for path in folder.glob("*.parquet")}
    assert {kind: table.num_rows for kind, table in files.items()} == told
    for kind, table in files.items():
        assert table.schema.names == list(RECORDS[kind].__struct_fields__)
    lines = [msgspec.structs.asdict(one) for kind, one in records(own_cli("export").out) if kind == "message"]
    assert files["message"].to_pylist() == lines
    # A folder that is there is nobody's to overwrite.
    again = own_cli("export", "--format", "parquet", "--output", str(folder))
    assert (again.code, again.out) == (2, "")
    assert "is there already" in again.err


def test_parquet_without_a_match_or_a_folder_writes_nothing(sample_cli: Cli, tmp_path: Path) -> None:
    none = sample_cli("export", "--format", "parquet", "-o", str(tmp_path / "none"), "--user", "nobody")
    assert none.code == 1
    nowhere = sample_cli("export", "--format", "parquet")
    assert (nowhere.code, "--output FOLDER" in nowhere.err) == (2, True)
    away = sample_cli("export", "--format", "parquet", "-o", str(tmp_path / "not" / "there"))
    assert away.code == 2
    assert list(tmp_path.iterdir()) == []
