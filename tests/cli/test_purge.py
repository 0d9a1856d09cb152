"""``agentstore purge`` and ``agentstore restore``, as processes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore, Session
from tests.cli.conftest import SAMPLES, import_sample
from tests.cli.long_session import ID, write_long_session
from tests.cli.pseudo_terminal import on_terminal
from tests.cli.running import Cli
from tests.cli.test_sessions import read
from tests.cli.test_show import TIDE

AGENT = f"{TIDE}:agent-7c1e0b2"
IN_SAMPLE = SAMPLES / "ada" / "projects" / "-home-ada-tideclock"


@pytest.fixture
def filled_cli(own_cli: Cli) -> Cli:
    asyncio.run(import_sample(own_cli.dsn))
    return own_cli


def answered(cli: Cli, answer: str, *arguments: str) -> tuple[int, str]:
    """The command on a terminal, where somebody types this when it asks; the exit code, and all that was to be seen."""
    with on_terminal(cli, *arguments, NO_COLOR="1") as terminal:
        terminal.until(b"type its title")
        terminal.press(answer.encode())
        code = terminal.end()
        return code, terminal.text


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
    asyncio.run(import_sample(filled_cli.dsn, again=True))
    assert TIDE in ids(filled_cli)


def test_it_is_asked_for_the_title_or_the_id(filled_cli: Cli) -> None:
    nobody = filled_cli("purge", "0b6e")
    assert (nobody.code, nobody.out) == (2, "")
    assert "--yes" in nobody.err
    for answer in ("\n", "yes\n", "Fix\n"):
        code, seen = answered(filled_cli, answer, "purge", "0b6e")
        assert code == 2
        assert "14 messages · 10 tool calls · 1 subagent" in seen
        assert "nothing is erased: that is neither its title nor its id" in seen
    code, _ = answered(filled_cli, "\x03", "purge", "0b6e")
    assert code == 130
    assert TIDE in ids(filled_cli)
    code, seen = answered(filled_cli, "Fix the drifting tide clock\n", "purge", "0b6e")
    assert (code, f"erased {TIDE}" in seen) == (0, True)
    assert TIDE not in ids(filled_cli)
    code, seen = answered(filled_cli, "c2f81d65\n", "purge", "c2f8")
    assert (code, "erased c2f81d65" in seen) == (0, True)


def test_a_purge_that_is_interrupted_is_gone_on_with(own_cli: Cli) -> None:
    """Interrupted once the session is hidden, while its text is erased; where that was quicker, it is done."""
    asyncio.run(write_long_session(own_cli.dsn))

    async def until_hidden() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            while (await store.list_sessions("local")).total:
                assert process.poll() is None

    command = own_cli.command("purge", ID, "--yes")
    process = subprocess.Popen(
        command, env=own_cli.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        asyncio.run(until_hidden())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in err
    if process.returncode == 130:
        assert f"agentstore purge --go-on {ID}" in err
    else:
        assert (process.returncode, f"erased {ID}" in out) == (0, True)
    done = own_cli("purge", "--go-on", ID)
    assert (done.code, done.lines[0]) == (0, f"erased {ID}")
    assert own_cli("show", ID).code == 1


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


def test_its_help_says_what_cannot_be_undone(sample_cli: Cli) -> None:
    for arguments in (["purge", "--help"], ["--store", "local:/nowhere", "purge", "-h"]):
        told = sample_cli(*arguments, width=60)
        assert (told.code, told.err) == (0, "")
        assert "It cannot be undone." in told.out
        assert all(len(line) <= 60 for line in told.lines)
    assert "It cannot be undone." not in sample_cli("--help").out


@pytest.mark.parametrize("answer", ["\n", "  \n", "\x04"])
def test_of_a_session_without_a_title_enter_erases_nothing(own_cli: Cli, answer: str) -> None:
    asyncio.run(_write(own_cli, Session(id="untitled", message_count=1, user_message_count=1)))
    code, text = answered(own_cli, answer, "purge", "untitled")
    assert code == 2
    assert "nothing is erased" in text
    assert own_cli("show", "untitled").code == 0


def test_nobody_goes_on_with_a_purge_that_was_not_begun(own_cli: Cli) -> None:
    asyncio.run(_write(own_cli, Session(id="whole", message_count=1, user_message_count=1)))
    done = own_cli("purge", "--go-on", "whole")
    assert (done.code, done.out) == (2, "")
    assert "agentstore purge whole" in done.err
    assert own_cli("show", "whole").code == 0


async def _write(cli: Cli, session: Session) -> None:
    async with AsyncClickHouseStore(cli.dsn) as store:
        await store.ensure_schema()
        await store.write_session("local", session)
