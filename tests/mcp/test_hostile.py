"""Arguments that nobody in their right mind gives, and paths that are not what they look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.blame.replaying import git
from tests.blame.repositories import PATH, made, stored
from tests.mcp.asking import agent, handles

LONG = "x" * 1_000_000
ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("search", {"query": LONG}), ("search", {"query": LONG, "words": True}), ("search", {LONG: 1}),
    ("search", {"query": "x", "since": LONG}), ("search", {"query": "x", "role": LONG}),
    ("search", {"query": "x", "cursor": LONG}), ("search", {"query": "x", "limit": 10**30}),
    ("file_history", {"path": "x", "did": [LONG]}), ("file_history", {"path": LONG}), ("open", {"handle": LONG}),
    ("sessions", {"title": LONG}), ("usage", {"until": LONG}), ("commit", {"commit": f"https://{LONG}"}),
    ("blame", {"path": LONG}), ("blame", {"path": "a\x00b"}), ("blame", {"path": PATH, "line": -(10**30)}),
    ("blame", {"path": PATH, "last": 2}),
]  # fmt: skip


async def test_errors_are_short_and_none_is_a_fault(home: Path) -> None:
    dsn, top = f"local:{home / 'store'}", home / "tideclock"
    top.mkdir()
    await stored(dsn, "local", top, made(top))
    async with agent(home, dsn, cwd=top) as asked:
        for tool, arguments in ARGUMENTS:
            text, is_error = await asked.answered(tool, **arguments)
            assert is_error, tool
            assert len(text) <= 500, (tool, len(text))
            assert "fault of agentstore" not in text, (tool, text)


async def test_a_path_over_a_link_is_the_path_itself(home: Path) -> None:
    """An agent names files by the working directory that it was started in, which may be a link, as /tmp on a Mac."""
    dsn, top = f"local:{home / 'store'}", home / "tideclock"
    top.mkdir()
    await stored(dsn, "local", top, made(top))
    (home / "link").symlink_to(top)
    async with agent(home, dsn, cwd=home / "link") as asked:
        for path in (PATH, home / "link" / PATH, top / PATH):
            assert "line 2 high" in await asked("blame", path=str(path), line=2)
            assert handles(await asked("file_history", path=str(path)))


async def test_a_file_of_another_repository_is_not_this_ones(home: Path) -> None:
    dsn, top, other = f"local:{home / 'store'}", home / "tideclock", home / "other"
    top.mkdir()
    other.mkdir()
    await stored(dsn, "local", top, made(top))
    made(other)
    git(top, "worktree", "add", "-q", str(home / "aside"))
    async with agent(home, dsn, cwd=top) as asked:
        for tool in ("file_history", "blame"):
            assert (await asked.answered(tool, path=str(other / PATH)))[1]
        # Worktrees are the same repository.
        assert handles(await asked("file_history", path=str(home / "aside" / PATH)))
