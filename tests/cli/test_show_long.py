"""A session of 5,000 messages: whole, in order, and in little memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.cli.long_session import ID, LONG
from tests.cli.running import Cli
from tests.cli.test_show import Whole

# What a command takes for itself, beside what it reads, is some 80 MB; the session's texts are 40 MB, and as JSON or
# as lines they would be there once more.
MOST_MORE = 20 * 1024


# What a process has had at most is told of itself only: its parent's counts as its own until it is another program.
TELLS = """import re, sys
from agentstore.cli import main
code = main(sys.argv[1:])
sys.stderr.write(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1))
sys.exit(code)"""


def peak(cli: Cli, *arguments: str) -> int:
    """The most memory that a command has had, in kilobytes."""
    done = subprocess.run(
        [sys.executable, "-c", TELLS, *arguments],
        env={**cli.environment, "PYTHONWARNINGS": ""},
        cwd=cli.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=100,
        check=True,
    )
    return int(done.stderr)


def test_every_message_and_call_is_there_in_its_order(long_cli: Cli) -> None:
    done = long_cli("show", "long", "--tools", "--full")
    assert (done.code, done.err) == (0, "")
    assert [int(number) for number in re.findall(r"^#(\d+) ", done.out, re.MULTILINE)] == list(range(LONG))
    assert [int(number) for number in re.findall(r"^    command: sleep (\d+)$", done.out, re.MULTILINE)] == list(
        range(1, LONG, 2)
    )
    after = done.out.partition("● commit 4f9d2c7")[2]
    assert after.lstrip().startswith("#4002 ")
    assert done.lines[-2:] == ["tokens    2,500 output", "cost      2,500 tokens without a price"]


def test_the_whole_is_one_object(long_cli: Cli) -> None:
    found = msgspec.json.decode(long_cli("show", ID, "--json").out, type=Whole)
    assert [message.ordinal for message in found.messages] == list(range(LONG))
    assert [call.message_ordinal for call in found.tool_calls] == list(range(1, LONG, 2))
    assert [link.commit_sha for link in found.git_links] == ["4f9d2c7"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="what a process has had is not told here")
def test_memory_does_not_grow_with_the_session(long_cli: Cli) -> None:
    least = peak(long_cli, "sessions")
    for options in ([], ["--tools"], ["--format", "md", "--tools"], ["--json"]):
        most = peak(long_cli, "show", ID, *options)
        print(f"{options}: {most - least} kB more than a list of one session, {least} kB")
        assert most - least < MOST_MORE


def test_who_reads_one_line_waits_for_no_other(long_cli: Cli) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$@" | head -1; exit ${PIPESTATUS[0]}', "bash", *long_cli.command("show", ID)],
        env=long_cli.environment,
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (141, "A long one\n", "")
