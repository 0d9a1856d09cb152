"""Options before the command's name, and how help is laid out."""

from __future__ import annotations

import pytest

from agentstore.cli.arranging import arranged
from agentstore.cli.helping import laid_out
from tests.cli.running import Cli


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["sessions", "--org", "x"], ["sessions", "--org", "x"]),
        (["--org", "x", "sessions"], ["sessions", "--org", "x"]),
        (["--org=x", "--json", "show", "a"], ["show", "a", "--org=x", "--json"]),
        (["--utc", "search", "--", "--words"], ["search", "--utc", "--", "--words"]),
        (["--org", "sessions", "sessions"], ["sessions", "--org", "sessions"]),
        # What is no command is told by what reads the command line.
        (["--org", "x"], ["--org", "x"]),
        (["--org"], ["--org"]),
        (["--org", "x", "--help"], ["--org", "x", "--help"]),
        (["--help"], ["--help"]),
        (["--limit", "3", "sessions"], ["--limit", "3", "sessions"]),
        ([], []),
    ],
)
def test_shared_options_may_come_first(given: list[str], expected: list[str]) -> None:
    assert arranged(given) == expected


def test_they_mean_the_same_before_the_name_as_after_it(sample_cli: Cli) -> None:
    after = sample_cli("sessions", "--json", "--user", "mei", "--org", "local", AGENTSTORE_ORG="elsewhere")
    before = sample_cli("--org", "local", "--json", "sessions", "--user", "mei", AGENTSTORE_ORG="elsewhere")
    assert (before.code, before.out) == (0, after.out)
    assert sample_cli("--org", "nobody", "sessions").code == 1
    assert sample_cli("--org").code == 2
    assert sample_cli("--org", "x").code == 2


def test_meanings_stand_in_a_column_and_fold_within_it() -> None:
    rows = [("--since STR", "one two three four five six seven eight nine ten"), ("--utc", "times in UTC")]
    lines = laid_out(rows, 60)
    assert lines == [
        "  --since STR  one two three four five six seven eight nine",
        "               ten",
        "  --utc        times in UTC",
    ]
    narrow = laid_out(rows, 40)
    assert narrow[0] == "  --since STR"
    assert all(line.startswith("      ") for line in narrow[1:3])
    assert all(len(line) <= 40 for line in narrow)


@pytest.mark.parametrize("command", ["sessions", "show", "search", "completion"])
@pytest.mark.parametrize("width", [80, 40])
def test_help_fits_and_folded_lines_are_indented(sample_cli: Cli, command: str, width: int) -> None:
    done = sample_cli(command, "--help", width=width)
    assert done.code == 0
    assert max(map(len, done.lines)) <= width
    parameters = done.out.partition("Parameters:\n")[2] or done.out.partition("Arguments:\n")[2]
    assert all(line.startswith("  ") for line in parameters.rstrip().splitlines() if line and not line.endswith(":"))
