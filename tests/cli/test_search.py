"""``agentstore search``, as a process."""

from __future__ import annotations

import msgspec
import pytest

from agentstore import SearchResult
from tests.cli.running import Cli, check_snapshots


def read(lines: list[str]) -> list[SearchResult]:
    return [msgspec.json.decode(line, type=SearchResult) for line in lines]


def test_hits_by_session(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "search", "search", "tide", "-n", "6")


def test_lines_around_a_hit(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "search-context", "search", "failed", "-C", "1")


def test_json_is_the_records_themselves(sample_cli: Cli) -> None:
    found = read(sample_cli("search", "tide", "--json", "-n", "0").lines)
    assert len(found) > 20
    for hit in found:
        assert [hit.snippet[mark.start : mark.end].lower() for mark in hit.highlights] == ["tide"] * len(hit.highlights)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["half", "moon"], set()),
        (["-w", "moon", "minutes"], {"0b6e2f4a"}),
        (["港口"], {"c2f81d65"}),
        (["pytest", "--role", "tool", "--tool", "Bash", "-s", "0b6e"], {"0b6e2f4a"}),
        (["pytest", "--role", "user"], set()),
        (["tide", "--user", "ada", "--until", "2026-03-02"], {"0b6e2f4a"}),
        (["tide", "--since", "2026-03-07", "--project", "tideclock"], {"e94b3a07"}),
    ],
)
def test_filters(sample_cli: Cli, options: list[str], ids: set[str]) -> None:
    done = sample_cli("search", *options, "--json")
    assert {hit.session_id[:8] for hit in read(done.lines)} == ids
    assert done.code == (0 if ids else 1)


def test_nothing_found_is_one_and_nothing_to_find_is_two(sample_cli: Cli) -> None:
    done = sample_cli("search", "no such thing anywhere")
    assert (done.code, done.out) == (1, "")
    assert "nothing holds 'no such thing anywhere'" in done.err
    for options in ([], [" "], ["x", "-C", "-1"]):
        done = sample_cli("search", *options)
        assert (done.code, done.out) == (2, "")
