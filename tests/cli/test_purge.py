"""``agentstore purge`` and ``agentstore restore``, as processes."""

from __future__ import annotations

import asyncio
import errno
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import SAMPLES, import_sample
from tests.cli.running import Cli
from tests.cli.test_sessions import TIDE, read

AGENT = f"{TIDE}:agent-7c1e0b2"
IN_SAMPLE = SAMPLES / "ada" / "projects" / "-home-ada-tideclock"


@pytest.fixture
def filled_cli(own_cli: Cli) -> Cli:
    asyncio.run(import_sample(own_cli.dsn))
    return own_cli


def answered(cli: Cli, answer: str, *arguments: str) -> tuple[int, str]:
    """The command on a terminal of its own, where somebody types this; the exit code, and all that was to be seen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        cli.command(*arguments), env=cli.environment, cwd=cli.home, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen, is_asked = b"", False
    try:
        while True:
            try:
                said = os.read(ours, 4096)
            except OSError as error:
                assert error.errno == errno.EIO  # Linux, once the other end is closed
                break
            if not said:
                break
            seen += said
            if not is_asked and b"type its title" in seen:
                is_asked = True
                os.write(ours, answer.encode() + b"\n")
        return process.wait(timeout=60), seen.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def ids(cli: Cli) -> set[str]:
    return {session.id for session in read(cli("sessions", "--json").lines)}


def test_a_purge_says_what_it_erased(filled_cli: Cli) -> None:
    done = filled_cli("purge", "0b6e", "--yes", width=200)
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == f"erased {TIDE}  Fix the drifting tide clock"
    assert done.lines[1].strip() == AGENT
    assert done.lines[2] == "14 messages · 10 tool calls · 1 subagent"
    assert "backups are not touched" in done.out
    assert f"the agent's own file is not touched on tide: {IN_SAMPLE / TIDE}.jsonl" in done.out
    assert TIDE not in ids(filled_cli)
    for command in (["show", TIDE], ["purge", TIDE, "--yes"], ["restore", TIDE]):
        assert filled_cli(*command).code == 1
    # What was purged does not come back with the next import, until it is allowed to.
    asyncio.run(import_sample(filled_cli.dsn))
    assert TIDE not in ids(filled_cli)
    assert filled_cli("purge", "--let-back", TIDE).code == 0
    asyncio.run(import_sample(filled_cli.dsn))
    assert TIDE in ids(filled_cli)


def test_it_is_asked_for_the_title_or_the_id(filled_cli: Cli) -> None:
    nobody = filled_cli("purge", "0b6e")
    assert (nobody.code, nobody.out) == (2, "")
    assert "--yes" in nobody.err
    for answer in ("", "yes", "Fix"):
        code, seen = answered(filled_cli, answer, "purge", "0b6e")
        assert code == 2
        assert "14 messages · 10 tool calls · 1 subagent" in seen
        assert "nothing is erased: that is neither its title nor its id" in seen
    code, _ = answered(filled_cli, "\x03", "purge", "0b6e")
    assert code in (130, -2)
    assert TIDE in ids(filled_cli)
    code, seen = answered(filled_cli, "Fix the drifting tide clock", "purge", "0b6e")
    assert (code, f"erased {TIDE}" in seen) == (0, True)
    assert TIDE not in ids(filled_cli)
    code, seen = answered(filled_cli, "c2f81d65", "purge", "c2f8")
    assert (code, "erased c2f81d65" in seen) == (0, True)


def test_files_are_written_back_as_they_were(filled_cli: Cli) -> None:
    folder = filled_cli.home / "back"
    done = filled_cli("restore", "0b6e", str(folder))
    assert (done.code, done.err) == (0, "")
    paths = [Path(line) for line in done.lines]
    assert [path.relative_to(folder) for path in paths] == [
        Path("-home-ada-tideclock") / f"{TIDE}.jsonl",
        Path("-home-ada-tideclock") / TIDE / "subagents" / "agent-7c1e0b2.jsonl",
    ]
    for path in paths:
        assert path.read_bytes() == (IN_SAMPLE / path.relative_to(folder / "-home-ada-tideclock")).read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    assert filled_cli("restore", "0b6e", str(folder)).lines == done.lines
    paths[0].write_text("mine")
    refused = filled_cli("restore", "0b6e", str(folder))
    assert (refused.code, refused.out, paths[0].read_text()) == (2, "", "mine")
    assert "--overwrite" in refused.err
    assert filled_cli("restore", "0b6e", str(folder), "--overwrite").code == 0
    assert paths[0].read_bytes() == (IN_SAMPLE / f"{TIDE}.jsonl").read_bytes()


def test_without_a_folder_it_is_where_the_agent_looks(filled_cli: Cli) -> None:
    done = filled_cli("restore", "0b6e", "--cwd", "/home/ada/else where")
    own = filled_cli.home / ".claude" / "projects" / "-home-ada-else-where" / f"{TIDE}.jsonl"
    assert (done.code, done.lines[0]) == (0, str(own))
    assert own.is_file()
    assert filled_cli("restore", "no such").code == 1


@pytest.mark.parametrize("arguments", [["purge"], ["purge", "0b6e", "-y", "--timeout", "0"], ["restore"]])
def test_wrong_usage_is_two(sample_cli: Cli, arguments: list[str]) -> None:
    done = sample_cli(*arguments)
    assert (done.code, done.out) == (2, "")
