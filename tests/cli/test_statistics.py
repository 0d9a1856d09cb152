"""``agentstore usage``, ``days``, ``heatmap``, ``tools``, ``models``, ``users``, ``projects``, as processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from agentstore import (
    AsyncClickHouseStore,
    DailyActivity,
    HeatmapCell,
    ModelTokenUsage,
    ProjectUsage,
    Session,
    ToolUsageStat,
    UserUsage,
)
from agentstore.importers.projects import project_of
from tests.cli.running import Cli, check_snapshots
from tests.cli.test_sessions import git

RECORDS = {
    "usage": UserUsage,
    "days": DailyActivity,
    "heatmap": HeatmapCell,
    "tools": ToolUsageStat,
    "models": ModelTokenUsage,
    "users": UserUsage,
    "projects": ProjectUsage,
}


@pytest.mark.parametrize("command", RECORDS)
def test_what_is_shown(sample_cli: Cli, command: str) -> None:
    check_snapshots(sample_cli, command, command)


async def from_the_library(dsn: str) -> dict[str, object]:
    async with AsyncClickHouseStore(dsn) as store:
        summary = await store.summary("local", tz="Europe/Berlin")
        return {
            "usage": await store.usage_by_user("local"),
            "days": summary.days,
            "heatmap": summary.heatmap,
            "tools": summary.tools,
            "models": summary.models,
            "users": summary.users,
            "projects": summary.projects,
        }


def test_json_is_the_records_themselves(sample_cli: Cli) -> None:
    expected = asyncio.run(from_the_library(sample_cli.dsn))
    for command, record in RECORDS.items():
        done = sample_cli(command, "--json")
        assert [msgspec.json.decode(line, type=record) for line in done.lines] == expected[command]
        assert done.code == 0


@pytest.mark.parametrize("command", RECORDS)
def test_nothing_to_count_is_one(sample_cli: Cli, command: str) -> None:
    done = sample_cli(command, "--user", "nobody")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("agentstore: there is nothing of these sessions to count\n")
    assert (sample_cli(command, "--user", "nobody", "--json").code) == 1


@pytest.mark.parametrize(
    ("options", "sessions"),
    [
        (["--user", "mei"], 3),
        (["--project", "tideclock"], 4),
        (["--agent", "claude-code"], 4),
        (["--agent", "codex"], 1),
        (["--agent", "pi"], 0),
        (["--since", "2026-03-03", "--until", "2026-03-05"], 3),
        # Twenty past two in the night in Berlin is the evening before in New York.
        (["--tz", "America/New_York", "--until", "2026-03-04"], 4),
    ],
)
def test_filters(sample_cli: Cli, options: list[str], sessions: int) -> None:
    for command in ("days", "usage", "users", "projects", "heatmap"):
        rows = [
            msgspec.json.decode(line, type=RECORDS[command]) for line in sample_cli(command, "--json", *options).lines
        ]
        assert sum(row.session_count for row in rows) == sessions


def test_days_and_hours_are_those_of_the_zone(sample_cli: Cli) -> None:
    def days(*options: str) -> list[str]:
        lines = sample_cli("days", "--json", *options).lines
        return [msgspec.json.decode(line, type=DailyActivity).date.isoformat() for line in lines]

    assert "2026-03-05" in days()
    assert "2026-03-04" in days("--tz", "America/New_York")
    assert "America/New_York" in sample_cli("days", "--tz", "America/New_York").out
    assert "UTC" in sample_cli("heatmap", "--utc").out.splitlines()[-1]


def test_the_repository_one_stands_in(own_cli: Cli) -> None:
    here = own_cli.home / "mine"
    git(own_cli.home, "init", "-q", str(here))

    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            some = [
                Session(id=id, project_id=project_of(path).id, project_name=name, message_count=1, user_message_count=1)
                for id, path, name in (("a", str(here), "mine"), ("b", "/somewhere/else", "other"))
            ]
            await store.write_batch("local", sessions=some)

    asyncio.run(fill())
    done = own_cli("projects", "--json", "--project", ".", cwd=here)
    assert [msgspec.json.decode(line, type=ProjectUsage).project_name for line in done.lines] == ["mine"]
    elsewhere = own_cli("projects", "--project", ".", cwd=Path("/"))
    assert (elsewhere.code, elsewhere.out) == (1, "")
    assert "no session is of the repository ." in elsewhere.err


def test_users_of_one_name_are_told_apart(own_cli: Cli) -> None:
    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            some = [
                Session(id=id, user_id=user, user_name=name, message_count=1, user_message_count=1)
                for id, user, name in (("a", "sam@a", "Sam"), ("b", "sam@b", "Sam"), ("c", "", ""))
            ]
            await store.write_batch("local", sessions=some)

    asyncio.run(fill())
    usage = own_cli("usage").out
    assert "Sam (sam@a)" in usage
    assert "Sam (sam@b)" in usage
    assert "(none)" in usage
