"""``agentstore import --watch``: it goes on with what is written, and ends when it is told to."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agentstore.ingest import IngestSummary
from tests.cli.running import Cli
from tests.cli.trees import FILES, small_sample


@contextlib.contextmanager
def watching(cli: Cli, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        cli.command("import", "--watch", *arguments),
        env=cli.environment,
        cwd=cli.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def add_a_prompt(tree: Path) -> None:
    (path,) = (tree / "jonas" / "projects").rglob("*.jsonl")
    lines = path.read_text().splitlines()
    said = next(one for one in map(json.loads, reversed(lines)) if one.get("type") == "user")
    said |= {"uuid": "11111111-2b64-4e0a-8f35-6a1b2c3d4e5f", "message": {"role": "user", "content": "one thing more"}}
    with path.open("a") as stream:
        stream.write(json.dumps(said) + "\n")


def test_it_goes_on_with_what_is_written_and_sigterm_is_a_good_end(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    with watching(own_cli, "--json", str(tree)) as process:
        assert process.stdout is not None
        first = msgspec.json.decode(process.stdout.readline(), type=IngestSummary)
        assert first.files == {"read": FILES}
        add_a_prompt(tree)
        later = msgspec.json.decode(process.stdout.readline(), type=IngestSummary)
        assert (later.sessions, later.messages) == (1, 1)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert "one thing more" in own_cli("show", "6d0a9b7e").out


def test_for_people_it_prints_a_table_and_then_lines_and_ctrl_c_says_what_was_done(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    with watching(own_cli, str(tree)) as process:
        assert process.stdout is not None
        seen = list(iter(process.stdout.readline, "watching; Ctrl-C ends it\n"))
        assert seen[-2].split()[:3] == ["all", str(FILES), str(FILES)]
        add_a_prompt(tree)
        assert process.stdout.readline().endswith("  claude-code  1 session, 1 message, 0 calls\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert f"{FILES} sessions were stored since it began" in err
    assert "Traceback" not in err


def test_places_that_are_not_there_yet_are_waited_for(own_cli: Cli) -> None:
    with watching(own_cli, "--json") as process:
        assert process.stdout is not None
        assert msgspec.json.decode(process.stdout.readline(), type=IngestSummary).files == {}
        tree = small_sample(own_cli.home / "tree")
        (own_cli.home / ".claude").mkdir()
        (tree / "ada" / "projects").rename(own_cli.home / ".claude" / "projects")
        assert msgspec.json.decode(process.stdout.readline(), type=IngestSummary).sessions == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_when_nobody_reads_any_more_it_ends_and_what_came_is_stored(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    with watching(own_cli, "--json", str(tree)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        add_a_prompt(tree)
        assert process.wait(60) == 141
    assert "one thing more" in own_cli("show", "6d0a9b7e").out
