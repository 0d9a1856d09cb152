"""``agentstore commits`` and ``agentstore files``, as processes."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, FileHistoryEntry, FileTouch, GitLink, GitLinkResult, Message, Session
from agentstore.faces.placing import placed
from agentstore.importers.projects import project_of
from tests.cli.running import Cli, check_snapshots
from tests.cli.test_sessions import git
from tests.cli.test_show import TIDE

PULL = "https://github.com/harbour-example/tideclock/pull/17"


def links(cli: Cli, *arguments: str) -> list[GitLinkResult]:
    return [msgspec.json.decode(line, type=GitLinkResult) for line in cli("commits", "--json", *arguments).lines]


def touches(cli: Cli, *arguments: str, cwd: Path | None = None) -> list[FileHistoryEntry]:
    lines = cli("files", "--json", *arguments, cwd=cwd).lines
    return [msgspec.json.decode(line, type=FileHistoryEntry) for line in lines]


# --- commits ---


def test_the_latest_commits(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "commits", "commits")


def test_one_commit_or_pull_request(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "commits-one", "commits", "4F9D")
    for what in ("4f9d", "4f9d2c7aaaaaaaaaaaaa", PULL, f"{PULL}/files#diff-1", f"{PULL}?tab=checks", f" {PULL} "):
        assert {one.session_id for one in links(sample_cli, what)} == {TIDE}
    assert "address" in sample_cli("commits", width=200).out
    assert PULL in sample_cli("commits", width=200).out


def test_json_of_all_is_what_each_is_looked_up_as(sample_cli: Cli) -> None:
    found = links(sample_cli)
    assert len(found) == 5
    for one in found:
        assert one in links(sample_cli, one.commit_sha or one.pr_url)
    assert links(sample_cli, "-n", "2") == found[:2]
    assert "… and more: --limit 0" in sample_cli("commits", "-n", "2").out
    assert {one.user_id for one in links(sample_cli, "--user", "mei", "-n", "0")} == {"mei"}
    assert {one.project_name for one in links(sample_cli, "--project", "brotzeit")} == {"brotzeit"}


@pytest.mark.parametrize("what", ["ffffffffff", "https://example.com/pull/1", f"{PULL}0"])
def test_a_commit_of_no_session_is_one(sample_cli: Cli, what: str) -> None:
    done = sample_cli("commits", what)
    assert (done.code, done.out) == (1, "")
    assert "no session made" in done.err
    assert sample_cli("commits", "--json", what).code == 1


@pytest.mark.parametrize("arguments", [["abc"], ["HEAD"], ["4f9d", "--user", "ada"], ["-n", "-1"]])
def test_what_is_no_commit_is_two(sample_cli: Cli, arguments: list[str]) -> None:
    assert sample_cli("commits", *arguments).code == 2


def test_what_a_fork_copied_is_told_once(own_cli: Cli) -> None:
    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            for id, day in (("origin", 1), ("fork", 2)):
                started = dt.datetime(2026, 3, day, tzinfo=dt.UTC)
                session = Session(id=id, started_at=started, message_count=1, user_message_count=1)
                message = Message(ordinal=0, session_id=id, role="assistant", source_id="r1", output_tokens=1)
                await store.write_session("local", session, [message])
                link = GitLink(session_id=id, link_type="commit", confidence="high", commit_sha="abcdef1")
                await store.write_git_links("local", [link])

    asyncio.run(fill())
    assert [one.session_id for one in links(own_cli)] == [one.session_id for one in links(own_cli, "abcdef1")]
    assert len(links(own_cli)) == 1


# --- files ---


def test_who_touched_a_file(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "files", "files", "-p", "tideclock", "tideclock/hand.py")
    check_snapshots(sample_cli, "files-folder", "files", "--anywhere", "tideclock/")


def test_json_is_the_records_and_filters_hold(sample_cli: Cli) -> None:
    found = touches(sample_cli, "--anywhere", "tideclock/hand.py")
    assert [one.operation for one in found] == ["edit", "read"]
    assert {one.session_id for one in found} == {TIDE}
    assert touches(sample_cli, "--anywhere", "tideclock/hand.py", "--did", "edit") == found[:1]
    assert touches(sample_cli, "--anywhere", "tideclock/hand.py", "-n", "1") == found[:1]
    assert touches(sample_cli, "-p", "brotzeit", "tideclock/hand.py") == []
    assert len(touches(sample_cli, "-p", "tideclock", "tideclock/", "-d", "edit", "-d", "write", "-n", "0")) == 3


def test_nothing_touched_is_one(sample_cli: Cli) -> None:
    done = sample_cli("files", "no/such/file.py")
    assert (done.code, done.out) == (1, "")
    assert "no session touched no/such/file.py" in done.err
    assert sample_cli("files", "--json", "no/such/file.py").code == 1
    for arguments in ([], ["x", "-n", "-1"], ["x", "--anywhere", "-p", "p"], ["x", "--did", "burn"]):
        assert sample_cli("files", *arguments).code == 2


def test_a_path_is_of_the_repository_one_stands_in_also_in_its_worktrees(own_cli: Cli) -> None:
    repository, worktree = own_cli.home / "clock", own_cli.home / "elsewhere"
    git(own_cli.home, "init", "-q", str(repository))
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "worktree", "add", "-q", str(worktree))
    for top in (repository, worktree):
        (top / "src" / "deep").mkdir(parents=True)
        (top / "src" / "hand.py").touch()

    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            for id, path in (("mine", str(repository)), ("other", "/somewhere/else")):
                session = Session(id=id, project_id=project_of(path).id, message_count=1, user_message_count=1)
                await store.write_session("local", session)
                touched = [
                    FileTouch(session_id=id, path=path, operation="edit", tool_use_id=path)
                    for path in ("src/hand.py", "src/deep/gone.py", "README")
                ]
                await store.write_file_touches("local", touched)

    asyncio.run(fill())
    hand, gone, readme = ["src/hand.py"], ["src/deep/gone.py"], ["README"]
    for top in (repository, worktree):
        for named, cwd, paths in (
            ("src/hand.py", top, hand),
            ("hand.py", top / "src", hand),
            ("./../src/hand.py", top / "src", hand),
            ("src/hand.py", top / "src", hand),
            (str(top / "src" / "hand.py"), Path("/"), hand),
            ("src/", top, gone + hand),
            ("src", top, gone + hand),
            (".", top / "src" / "deep", gone),
            ("gone.py", top / "src" / "deep", gone),
            (".", top, readme + gone + hand),
        ):
            found = touches(own_cli, named, cwd=cwd)
            assert {one.session_id for one in found} == {"mine"}, (named, cwd)
            assert sorted(one.path for one in found) == sorted(paths), (named, cwd)
    assert {one.session_id for one in touches(own_cli, "--anywhere", "README", cwd=repository)} == {"mine", "other"}
    done = own_cli("files", "LICENSE", cwd=repository)
    assert (done.code, "agentstore files --anywhere LICENSE" in done.err) == (1, True)


def test_outside_of_a_repository_a_path_is_as_typed(tmp_path: Path) -> None:
    assert placed("src/x.py", str(tmp_path)) == ("src/x.py", "")
    assert placed("/etc/hosts", str(tmp_path)) == ("/etc/hosts", "")
    assert placed("", str(tmp_path)) == ("", "")
