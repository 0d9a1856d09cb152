"""``agentstore sessions``, as a process."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, Session
from agentstore.importers.git_directory import repository_of
from agentstore.importers.projects import Project, project_of
from tests.cli.running import Cli, check_snapshots

# What ids of the sample begin with, the latest first.
REVIEW, GEMINI, HARBOURS, CODEX, SPAETZLE, TIDE = (
    "e94b3a07",
    "gemini:b",
    "c2f81d65",
    "codex:01",
    "6d0a9b7e",
    "0b6e2f4a",
)


def read(lines: list[str]) -> list[Session]:
    return [msgspec.json.decode(line, type=Session) for line in lines]


def test_the_table(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "sessions", "sessions")


def test_json_is_the_records_themselves(sample_cli: Cli) -> None:
    found = read(sample_cli("sessions", "--json").lines)
    assert [session.id[:8] for session in found] == [REVIEW, GEMINI, HARBOURS, CODEX, SPAETZLE, TIDE]
    assert found[-1].project_name == "tideclock"
    assert found[-1].user_name == "Ada"


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--user", "jonas"], [CODEX, SPAETZLE]),
        (["--project", "brotzeit"], [CODEX, SPAETZLE]),
        (["--agent", "gemini"], [GEMINI]),
        (["--with-commits"], [HARBOURS, CODEX, SPAETZLE, TIDE]),
        (["--title", "HARBOURS"], []),
        (["--title", "TIDE clock"], [GEMINI, HARBOURS, TIDE]),
        (["--since", "2026-03-05", "--until", "2026-03-05"], [HARBOURS]),
        # Half past one at night in Tokyo is another day than in Berlin.
        (["--until", "2026-03-04"], [CODEX, SPAETZLE, TIDE]),
        (["--tz", "America/New_York", "--until", "2026-03-04"], [HARBOURS, CODEX, SPAETZLE, TIDE]),
        (["-n", "1"], [REVIEW]),
        (["-n", "0", "--agent", "claude-code", "--branch", "main", "--user", "mei"], [REVIEW]),
        (["--starred"], []),
    ],
)
def test_filters(sample_cli: Cli, options: list[str], ids: list[str]) -> None:
    done = sample_cli("sessions", "--json", *options)
    assert [session.id[:8] for session in read(done.lines)] == ids
    assert done.code == (0 if ids else 1)


def test_nothing_found_is_one_and_said(sample_cli: Cli) -> None:
    done = sample_cli("sessions", "--title", "no such thing")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("agentstore: no session matches\n")


def test_times_are_in_the_zone_that_is_asked_for(sample_cli: Cli) -> None:
    for options, shown in (
        ([], ("Europe/Berlin", "2026-03-02 09:14")),
        (["--utc"], ("started UTC", "2026-03-02 08:14")),
        (["--tz", "Asia/Tokyo"], ("Asia/Tokyo", "2026-03-02 17:14")),
    ):
        done = sample_cli("sessions", "--user", "ada", *options)
        assert shown[0] in done.lines[0]
        assert shown[1] in done.lines[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "never"], "--since: 'never' is no time"),
        (["--tz", "Mars/Olympus"], "there is no time zone 'Mars/Olympus'"),
        (["--limit", "-1"], "--limit: -1 is less than 0"),
        (["--limit", "many"], "many"),
        (["--utc", "--tz", "UTC"], "--utc and --tz cannot be given together"),
        (["--colour"], "--colour"),
        (["--store", "no dsn"], "is no DSN"),
    ],
)
def test_wrong_usage_is_two_with_one_sentence_and_no_traceback(sample_cli: Cli, options: list[str], said: str) -> None:
    done = sample_cli("sessions", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err.splitlines()[0]
    assert "Traceback" not in done.err
    assert "Traceback" in sample_cli("sessions", *options, "--debug").err


def test_a_store_that_is_not_there_is_not_made(own_cli: Cli) -> None:
    done = own_cli("sessions")
    assert (done.code, done.out) == (1, "")
    assert "agentstore import" in done.err
    assert not (own_cli.home / "store").exists()


def test_the_repository_one_stands_in_is_a_project_also_from_its_worktrees(own_cli: Cli) -> None:
    repository, worktree = own_cli.home / "tideclock", own_cli.home / "elsewhere"
    git(own_cli.home, "init", "-q", str(repository))
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "worktree", "add", "-q", str(worktree))
    (repository / "inside").mkdir()

    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            some = [
                Session(id=id, project_id=project_of(path).id, message_count=1, user_message_count=1)
                for id, path in (("here", str(repository)), ("other", "/somewhere/else"))
            ]
            await store.write_batch("local", sessions=some)

    asyncio.run(fill())
    for folder in (repository, repository / "inside", worktree):
        done = own_cli("sessions", "--json", "--project", ".", cwd=folder)
        assert [session.id for session in read(done.lines)] == ["here"]
        assert own_cli("sessions", "--json", "--project", str(folder)).out == done.out


def test_a_project_that_was_imported_without_its_remote_is_found_by_its_path(own_cli: Cli) -> None:
    repository = own_cli.home / "tideclock"
    git(own_cli.home, "init", "-q", str(repository))
    (repository / "inside").mkdir()
    path = str(repository)

    async def write(id: str, project: Project) -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            session = Session(id=id, project_id=project.id, project_path=path, message_count=1, user_message_count=1)
            await store.write_session("local", session)

    def found() -> list[str]:
        done = own_cli("sessions", "--json", "-p", ".", cwd=repository / "inside")
        return sorted(session.id for session in read(done.lines))

    git(repository, "remote", "add", "origin", "https://github.com/harbour-example/tideclock.git")
    asyncio.run(write("of a former remote", Project("0123456789abcdef", "tideclock", path)))
    assert found() == ["of a former remote"]
    asyncio.run(write("of its path", project_of(path)))
    assert found() == ["of its path"]
    asyncio.run(write("of its remote", project_of(path, repository_of(path).remote)))
    assert found() == ["of its remote"]
    hits = own_cli("search", "x", "--project", path, "--json")
    assert (hits.code, hits.err) == (1, "")


def git(folder: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, timeout=60)
