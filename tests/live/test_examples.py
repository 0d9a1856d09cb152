"""Every example and the benchmark, run as a reader would run them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import agentstore
from agentstore import AsyncClickHouseStore, SessionFilter
from tests.servers import Server
from tests.unit import codex_lines

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = Path(agentstore.__file__).parent / "samples"


def run(server: Server, database: str, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of this repository against the test server. The DSN goes through the environment: it may hold a
    password, and command lines are for everybody to read."""
    dsn = f"{server.dsn}{'&' if '?' in server.dsn else '?'}database={database}"
    variables = {**os.environ, "AGENTSTORE_DSN": dsn, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
    )


# --- the demo --------------------------------------------------------------------------------------------------


def demo(server: Server, database: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"AGENTSTORE_CONFIG": os.devnull, "AGENTSTORE_USER": "somebody", **environment}
    return run(server, database, "examples/demo.py", *options, **given)


def printed_by(output: str, command: str) -> str:
    """What the demo printed for the first command that begins so."""
    return output.partition(f"$ agentstore {command}")[2].partition("\n")[2].partition("\n$ agentstore")[0]


def test_the_demo_shows_the_same_again_when_run_twice(server: Server, database: str) -> None:
    first = demo(server, database)
    second = demo(server, database)
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stderr) == (0, "")
    assert first.stdout.partition("$ agentstore sessions")[2] == second.stdout.partition("$ agentstore sessions")[2]
    for command, expected in (
        ("import", r"^claude-code +\d"),
        ("sessions", r"^0b6e2f4a  2026-03-02 08:14  tideclock +11  Fix the drifting tide clock$"),
        ("sessions", r"^019cb8d2  2026-03-04 17:31  brotzeit +9 "),
        ("show", r"^Fix the drifting tide clock$"),
        ("show", r"^resume    cd /home/ada/tideclock && claude --resume 0b6e2f4a-"),
        ("show", r"^  ● pr https://github.com/harbour-example/tideclock/pull/17$"),
        ("search", r"»tide«clock"),
        ("search", r"^\d+ hits, 5 shown"),
        ("usage", r"^Jonas +codex +brotzeit +1 "),
        ("cost", r"^gemini-2.5-pro +\$0\.0"),
        ("heatmap", r"^Mon (·  ){8}██ ·"),
        ("tools", r"^Bash +Bash +11 +3 "),
        ("days", r"^2026-03-02 +1 +11 "),
        ("models", r"^claude-opus-4-5-20251101 "),
        ("projects", r"^tideclock +4 "),
    ):
        assert re.search(expected, printed_by(first.stdout, command), re.MULTILINE), (command, expected)


def test_the_demo_counts_days_in_the_zone_asked_for(server: Server, database: str) -> None:
    done = demo(server, database, "--tz", "Asia/Tokyo")
    assert re.search(r"^Mon (·  ){17}██ ·", printed_by(done.stdout, "heatmap"), re.MULTILINE)


def test_the_demo_imports_a_directory_of_several_agents_and_leaves_other_files_alone(
    server: Server, database: str, tmp_path: Path
) -> None:
    shutil.copytree(SAMPLES / "ada", tmp_path / "all of it" / "ada")
    codex = tmp_path / "all of it" / "codex" / "sessions" / codex_lines.NAME
    codex.parent.mkdir(parents=True)
    codex.write_bytes(codex_lines.data(*codex_lines.MODERN))
    (tmp_path / "all of it" / "notes.jsonl").write_text('{"type":"note"}\n')
    done = demo(server, database, "--from", "~/all of it", "--find", "moon", HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^(?!id ).+  2026-", printed_by(done.stdout, "sessions"), re.MULTILINE)) == 2
    assert re.search(r"^someb.* +codex ", printed_by(done.stdout, "usage"), re.MULTILINE)
    assert "»moon«" in printed_by(done.stdout, "search")


@pytest.mark.parametrize(
    "source", ["/no/such/directory", "~nobody-has-this-name/x", "{tmp}/empty", "{tmp}/" + "n" * 300]
)
def test_the_demo_says_what_it_cannot_import_and_ends(
    server: Server, database: str, tmp_path: Path, source: str
) -> None:
    (tmp_path / "empty").mkdir()
    done = demo(server, database, "--from", source.format(tmp=tmp_path))
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "agentstore: " in done.stderr
    assert "$ agentstore usage" not in done.stdout


def test_the_demo_obeys_nothing_a_transcript_says_to_the_terminal(
    server: Server, database: str, tmp_path: Path
) -> None:
    source = SAMPLES / "jonas" / "projects" / "-home-jonas-brotzeit"
    name = next(source.glob("*.jsonl")).name
    text = (source / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text.replace("Schöne Grüße", r"\u001b[2J\u009b[bold]Schöne Grüße\u202e"), "utf-8")
    done = demo(server, database, "--from", str(tmp_path), "--find", "Grüße")
    assert "[bold]Schöne »Grüße«" in done.stdout
    assert not set(done.stdout) & set("\x1b\x9b\u202e")


# --- the others ------------------------------------------------------------------------------------------------


async def test_the_worker_stores_every_file_and_nothing_twice(
    server: Server, database: str, store: AsyncClickHouseStore, org: str
) -> None:
    for outcome, stored in (("7 read", "7 sessions, "), ("7 unchanged", "0 sessions, 0 messages, 0 tool calls\n")):
        done = await asyncio.to_thread(run, server, database, "examples/worker.py", org, str(SAMPLES))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"files: {outcome}; {stored}")
    page = await store.list_sessions(org, SessionFilter(include_subagents=True))
    assert page.total == 7
    for session in page.sessions:
        assert len(await store.get_session_messages(org, session.id)) == session.message_count


async def test_the_worker_reports_what_it_could_not_read(
    server: Server, database: str, store: AsyncClickHouseStore, org: str, tmp_path: Path
) -> None:
    source = next((SAMPLES / "jonas" / "projects").rglob("*.jsonl"))
    (tmp_path / source.name).write_bytes(source.read_bytes() + b'{"torn": ')
    done = await asyncio.to_thread(run, server, database, "examples/worker.py", org, str(tmp_path))
    assert done.returncode == 0
    assert done.stdout.startswith("files: 1 read; 1 sessions, ")
    assert f"{source.name}:26: " in done.stderr
    assert (await store.list_sessions(org)).total == 1


def test_the_notebook_writes_reads_and_finds(server: Server, database: str) -> None:
    done = run(server, database, "examples/notebook.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 assistant: It depends on the length of your ruler." in done.stdout
    assert "['ruler'] in" in done.stdout


def test_the_benchmark_runs(server: Server, database: str) -> None:
    done = run(server, database, "benchmarks/bulk.py", "--quick")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^write_batch, 1,000 messages +CPU( +[\d.]+){3} +1\.3$", done.stdout, re.MULTILINE)
    assert re.search(r"^get_session_messages, 500 messages +CPU( +[\d.]+){3} +1\.5$", done.stdout, re.MULTILINE)


# --- a web server in few lines ---------------------------------------------------------------------------------
