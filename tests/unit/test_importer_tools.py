from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from agentstore.importers.git_links import links_in
from agentstore.importers.tools import CATEGORIES, category, describe_call, skill_name, starts_subagent


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Read", "Read"), ("MultiEdit", "Other"), ("NotebookEdit", "Write"), ("Agent", "Task"), ("Skill", "Tool"),
        ("my_SubAgent_x", "Task"), ("mcp__github__search", "Other"), ("todowrite", "Other"), ("", "Other"),
    ],
)  # fmt: skip
def test_categories(name: str, expected: str) -> None:
    assert category(name) == expected


def test_the_table_is_the_published_one() -> None:
    published = pathlib.Path(__file__).parents[3] / "shared" / "tool_categories.json"
    if not published.exists():
        pytest.skip("the published table is not on this machine")
    assert dict(CATEGORIES) == json.loads(published.read_text("utf-8"))


def test_only_task_like_tools_start_subagents() -> None:
    assert [starts_subagent(name) for name in ("Task", "Agent", "x_subagent", "Bash")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("Bash", {"command": "ls"}, "[Bash]\n$ ls"),
        ("Bash", {"command": "ls", "description": "List"}, "[Bash: List]\n$ ls"),
        ("shell", {"command": ["ls"]}, "[Bash]\n$ ls"),
        ("Read", {"file_path": "/a"}, "[Read: /a]"),
        ("Edit", {"file_path": "/a"}, "[Edit: /a]"),
        ("Write", {"file_path": "/a"}, "[Write: /a]"),
        ("Grep", {"pattern": "x"}, "[Grep: x]"),
        ("Glob", {"pattern": "*.py"}, "[Glob: *.py]"),
        ("Agent", {"description": "look", "prompt": "p"}, "[Task: look]"),
        ("Skill", {"skill": "tdd"}, "[Skill: tdd]"),
        ("EnterPlanMode", {}, "[Entering Plan Mode]"),
        ("ExitPlanMode", {"plan": "1. go"}, "[Exiting Plan Mode]\n1. go"),
        ("AskUserQuestion", {"questions": [{"question": "Why?"}]}, "[Question: AskUserQuestion]\nWhy?"),
        ("TodoWrite", {"todos": [
            {"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}, {"content": "c"}, 5,
        ]}, "[Todos]\n✓ a\n→ b\n○ c"),
        ("TodoWrite", {"todos": 5}, "[Tool: TodoWrite]"),
        ("AskUserQuestion", None, "[Question: AskUserQuestion]"),
        ("mcp__x", {"a": 1}, "[Tool: mcp__x]"),
        ("Read", "not an object", "[Tool: Read]"),
    ],
)  # fmt: skip
def test_a_call_as_text(name: str, arguments: Any, expected: str) -> None:
    assert describe_call(name, arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "result", "expected"),
    [
        ("Skill", {"skill": "tdd"}, "", "tdd"),
        ("skill", {"name": "tdd"}, "", "tdd"),
        ("Read", {"file_path": "/s/review/SKILL.md"}, "", "review"),
        ("Read", {"file_path": "/s/review/SKILL.md"}, "     1→---\n     2→name: code-review\n", "code-review"),
        ("Read", {"file_path": "/s/review/README.md"}, "name: x", ""),
        ("Bash", {"command": "cat ~/skills/deploy/SKILL.md | head"}, "", "deploy"),
        ("Bash", {"command": "rm ~/skills/deploy/SKILL.md"}, "", ""),
        ("Edit", {"file_path": "/s/review/SKILL.md"}, "", ""),
    ],
)
def test_skills(name: str, arguments: Any, result: str, expected: str) -> None:
    assert skill_name(name, arguments, result) == expected


COMMIT = "[main 1a2b3c4] Fix it\n 1 file changed"
URL = "https://github.com/o/r/pull/12"


@pytest.mark.parametrize(
    ("name", "command", "result", "is_error", "expected"),
    [
        ("Bash", "git commit -m x", COMMIT, False, [("commit", "high", "1a2b3c4", "")]),
        ("Bash", "cd a && git -C b commit -m x && git push", COMMIT, False, [("commit", "high", "1a2b3c4", "")]),
        ("Bash", "git commit -m x && false", COMMIT, True, [("commit", "high", "1a2b3c4", "")]),
        ("Bash", "git commit -m x", "[main (root-commit) 1a2b3c4d5e] x", False, [("commit", "high", "1a2b3c4d5e", "")]),
        ("Bash", "git commit -m x", "[detached HEAD 1a2b3c4] x", False, [("commit", "high", "1a2b3c4", "")]),
        ("Bash", "git cherry-pick abc", COMMIT, False, [("commit", "medium", "1a2b3c4", "")]),
        ("Bash", "git log", COMMIT, False, []),
        ("Bash", "git commit -m x", "nothing to commit", False, []),
        ("Read", "git commit", COMMIT, False, []),
        ("Bash", "gh pr create", f"See https://github.com/o/r/pull/1\n{URL}", False, [("pr", "high", "", URL)]),
        ("Bash", "gh pr create", f"a pull request already exists:\n{URL}", True, [("pr", "medium", "", URL)]),
        ("Bash", "gh pr view 12", URL, False, []),
        ("mcp__github__create_pull_request", "", f'{{"html_url":"{URL}"}}', False, [("pr", "high", "", URL)]),
    ],
)  # fmt: skip
def test_git_links(name: str, command: str, result: str, is_error: bool, expected: list[tuple[str, ...]]) -> None:
    assert list(links_in(name, {"command": command}, result, is_error=is_error)) == expected
