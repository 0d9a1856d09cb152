"""What a session is called."""

from __future__ import annotations

import json

import pytest

from agentstore.importers.claude_code.names import Names, agent_title


def test_a_title_that_is_a_worktrees_name_is_none_whichever_is_told_first() -> None:
    for titles, worktrees in ((["mine", "fix-7"], ["fix-7"]), (["fix-7"], ["fix-7", "other"])):
        for first in (True, False):
            names = Names()
            for name in worktrees if first else []:
                names.take_worktree(name)
            for title in titles:
                names.take_custom(title)
            for name in worktrees:
                names.take_worktree(name)
            assert names.best(summary="s") == ("mine" if "mine" in titles else "s")


def test_the_latest_title_of_a_person_counts_before_all_others() -> None:
    names = Names()
    names.take_ai("its")
    assert names.best(b'{"description": "d"}', "s") == "its"
    names.take_custom("one")
    names.take_custom("two")
    names.take_custom("one")
    names.take_custom("")
    assert names.best(b'{"description": "d"}', "s") == "one"
    assert Names().best(b'{"description": "d"}', "s") == "d"
    assert Names().best(b"", "s") == "s"


def test_any_number_of_titles_is_held_in_bounded_memory() -> None:
    names = Names()
    for number in range(10_000):
        names.take_custom(f"t{number}")
        names.take_worktree(f"w{number}")
    assert names.best() == "t9999"
    assert len(names.custom) + len(names.worktrees) < 200


@pytest.mark.parametrize(
    ("meta", "title"),
    [
        (b'{"agentType": "Explore", "description": "Find the clock"}', "Find the clock"),
        (b'\xef\xbb\xbf{"agentType": "Explore", "description": " "}', "Explore"),
        (b'{"agentType": 5, "description": ["x"]}', ""),
        (b'["description"]', ""),
        (b"", ""),
        (b"{", ""),
        (b"\xff\xfe", ""),
        (b'{"description": "\\ud800"}', ""),
        (b"[" * 60_000, ""),
        (json.dumps({"description": "x" * 70_000}).encode(), ""),
    ],
)
def test_the_file_beside_a_subagents(meta: bytes, title: str) -> None:
    assert agent_title(meta) == title
