"""Every example and the benchmark, run as a reader would run them."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

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


def test_the_demo_shows_the_same_again_when_run_twice(server: Server, database: str) -> None:
    first = run(server, database, "examples/demo.py")
    second = run(server, database, "examples/demo.py")
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stderr) == (0, "")
    assert without_seconds(first.stdout) == without_seconds(second.stdout)
    for expected in (
        r"^ *7  transcripts",
        r"^ *56  messages",
        r"^ *35  tool calls",
        r"^Sessions \(6 of 6, latest first\)",
        r"^2026-03-02 08:14 +ada +tideclock +Fix the drifting tide clo",
        r"^One session: Käsespätzle ohne Zeichensalat",
        r"▸ Bash make prüfen → failed",
        r"^Search for “tide”: 5 of \d+ hits",
        r"»tide«clock",
        r"^jonas +claude-code +brotzeit +1 ",
        r"^Bash +Bash +11 +█{28}",
        r"^Mon 2026-03-02 +1 +11 ",
        r"^claude-opus-4-5-20251101 ",
    ):
        assert re.search(expected, first.stdout, re.MULTILINE), expected


def test_the_demo_fits_into_80_columns_and_draws_a_week(server: Server, database: str) -> None:
    lines = run(server, database, "examples/demo.py").stdout.splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert "\x1b" not in "".join(lines)
    week = [line for line in lines if re.match(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)  [·█]", line)]
    assert [len(line[5:]) for line in week] == [48] * 7
    # Started on Monday the 2nd of March 2026 at 08:14 UTC.
    assert week[0][5 + 2 * 8 : 5 + 2 * 9] == "██"


def test_the_demo_counts_days_in_the_zone_asked_for(server: Server, database: str) -> None:
    lines = run(server, database, "examples/demo.py", "--tz", "Asia/Tokyo").stdout.splitlines()
    monday = next(line for line in lines if line.startswith("Mon  "))
    assert monday[5 + 2 * 17 : 5 + 2 * 18] == "██"


def test_the_demo_imports_a_directory_of_several_agents_and_leaves_other_files_alone(
    server: Server, database: str, tmp_path: Path
) -> None:
    shutil.copytree(SAMPLES / "ada", tmp_path / "all of it" / "ada")
    codex = tmp_path / "all of it" / "codex" / "sessions" / codex_lines.NAME
    codex.parent.mkdir(parents=True)
    codex.write_bytes(codex_lines.data(*codex_lines.MODERN))
    (tmp_path / "all of it" / "notes.jsonl").write_text('{"type":"note"}\n')
    done = run(server, database, "examples/demo.py", "--from", "~/all of it", "--find", "moon", HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^ *3  transcripts", done.stdout, re.MULTILINE)
    assert re.search(r"^ *1  other files", done.stdout, re.MULTILINE)
    assert re.search(r"^Sessions \(2 of 2", done.stdout, re.MULTILINE)
    assert re.search(r"^ada +claude-code", done.stdout, re.MULTILINE)
    assert re.search(r" codex ", done.stdout, re.MULTILINE)
    assert "»moon«" in done.stdout


def test_the_demo_takes_transcripts_outside_a_projects_folder_for_the_users_own(
    server: Server, database: str, tmp_path: Path
) -> None:
    shutil.copytree(SAMPLES / "jonas" / "projects" / "-home-jonas-brotzeit", tmp_path / "mine")
    done = run(server, database, "examples/demo.py", "--from", str(tmp_path / "mine"))
    assert re.search(rf"^2026-03-03 18:42 +{re.escape(getpass.getuser()[:8])}", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "source", ["/no/such/directory", "~nobody-has-this-name/x", "{tmp}/empty", "{tmp}/" + "n" * 300]
)
def test_the_demo_says_in_one_line_what_it_cannot_import(
    server: Server, database: str, tmp_path: Path, source: str
) -> None:
    (tmp_path / "empty").mkdir()
    done = run(server, database, "examples/demo.py", "--from", source.format(tmp=tmp_path))
    assert done.returncode == 1
    assert re.fullmatch(r"demo: [^\n]+\n", done.stderr)
    assert "Sessions" not in done.stdout


def test_the_demo_obeys_nothing_a_transcript_says_to_the_terminal(
    server: Server, database: str, tmp_path: Path
) -> None:
    source = SAMPLES / "jonas" / "projects" / "-home-jonas-brotzeit"
    name = next(source.glob("*.jsonl")).name
    text = (source / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text.replace("Schöne Grüße", r"\u001b[2J\u009b[bold]Schöne Grüße\u202e"), "utf-8")
    done = run(server, database, "examples/demo.py", "--from", str(tmp_path), "--find", "Grüße")
    assert "[bold]Schöne »Grüße«" in done.stdout
    assert not set(done.stdout) & set("\x1b\x9b\u202e")


def without_seconds(output: str) -> str:
    """The output without the one line that differs from run to run."""
    return re.sub(r"^ *[\d.]+  seconds *$", "", output, flags=re.MULTILINE)


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
