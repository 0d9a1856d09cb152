"""How commands end when what they print on goes away, and when nobody lets them finish."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agentstore.cli.ending import ended
from agentstore.cli.failing import CommandError, NothingFound
from tests.cli.running import ROOT, Cli


def shell(cli: Cli, script: str) -> subprocess.CompletedProcess[str]:
    """The script with ``$0 "$@"`` as the command ``agentstore``."""
    command = cli.command()
    return subprocess.run(
        ["bash", "-c", script, *command],
        env=cli.environment,
        cwd=cli.home,
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )


READING = [
    "sessions",
    "sessions --json",
    "show 0b6e --tools",
    "show 0b6e --raw",
    "search tide -n 0",
    "search tide -C 2",
]


@pytest.mark.parametrize("command", READING)
def test_a_reader_that_goes_away_is_141_and_quiet(sample_cli: Cli, command: str) -> None:
    done = shell(sample_cli, f'"$0" "$@" {command} | true; echo ${{PIPESTATUS[0]}}')
    assert (done.stdout, done.stderr) == ("141\n", "")
    done = shell(sample_cli, f'"$0" "$@" {command} | head -1')
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


@pytest.mark.parametrize("command", READING)
def test_a_closed_stdout_is_told_and_nothing_is_written_elsewhere(sample_cli: Cli, command: str) -> None:
    done = shell(sample_cli, f'"$0" "$@" {command} >&-')
    assert done.returncode == 2
    assert done.stderr == "agentstore: Bad file descriptor\n"
    assert shell(sample_cli, f'"$0" "$@" {command} 2>&-').returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told(sample_cli: Cli) -> None:
    done = shell(sample_cli, '"$0" "$@" sessions >/dev/full')
    assert done.returncode == 2
    assert done.stderr == "agentstore: No space left on device\n"


def test_a_terminal_of_another_encoding_shows_what_it_can(sample_cli: Cli) -> None:
    done = sample_cli("sessions", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.code == 0
    assert "\\u6a2a\\u6d5c" in done.out


def test_a_server_that_is_away_is_told_in_one_sentence(sample_cli: Cli) -> None:
    done = sample_cli("sessions", "--store", "clickhouse://ada:secret@127.0.0.1:1/agentstore?connect_timeout_seconds=1")
    assert (done.code, done.out) == (2, "")
    assert "127.0.0.1:1" in done.err
    assert "secret" not in done.err
    assert "Traceback" not in done.err


def test_no_command_at_all_shows_what_there_is(sample_cli: Cli) -> None:
    done = sample_cli()
    assert done.code == 2
    assert "sessions" in done.out + done.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (CommandError("it \x1b[2J failed", hint="do\rthat"), 2, "it ␛[2J failed\n  do␍that"),
        (NothingFound("none", candidates=["a\x9b", "b"]), 1, "none\n  a<9B>\n  b"),
        (FileNotFoundError(2, "No such file", "/nowhere"), 2, "/nowhere: No such file"),
        (RuntimeError("odd"), 2, "RuntimeError: odd\n  this is a fault of agentstore: --debug shows where"),
    ],
)
def test_what_ends_a_command_is_a_code_and_a_sentence(
    error: BaseException, code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    before = os.dup(1)
    try:
        assert ended(fail) == code
    finally:
        os.dup2(before, 1)
        os.close(before)
    assert capfd.readouterr().err == f"agentstore: {said}\n"


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_the_exit_code_is_the_same_where_nobody_is_told(closed: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m agentstore nonsense {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stdout=subprocess.DEVNULL, check=False, timeout=60)
    assert done.returncode == 2
