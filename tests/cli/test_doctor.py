"""``agentstore doctor``: as a process, and what its findings say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from agentstore.cli.examining.agents import claude_clean_up, gemini_clean_up
from agentstore.cli.examining.finding import Finding
from agentstore.cli.examining.server import (
    clock_finding,
    disk_finding,
    index_finding,
    part_finding,
    schema_finding,
    version_findings,
)
from agentstore.cli.tables_version import PendingMigration, SchemaState
from agentstore.read.search.parts import PartsState, TableSize, TableSizes
from tests.cli.running import Cli
from tests.cli.test_hostile import EVIL
from tests.cli.trees import small_sample
from tests.faces.test_safe import is_harmless


def findings(cli: Cli, *arguments: str, code: int = 0) -> list[Finding]:
    done = cli("doctor", "--json", *arguments)
    assert (done.code, done.err) == (code, "")
    return [msgspec.json.decode(line, type=Finding) for line in done.lines]


def named(found: list[Finding], check: str) -> Finding:
    (one,) = [finding for finding in found if finding.check == check]
    return one


def test_a_store_that_is_well_has_a_line_for_each_check(own_cli: Cli) -> None:
    small_sample(own_cli.home / "tree")
    (own_cli.home / ".claude").mkdir()
    (own_cli.home / "tree" / "ada" / "projects").rename(own_cli.home / ".claude" / "projects")
    assert named(findings(own_cli), "server").todo == "agentstore import makes it"
    assert not (own_cli.home / "store").exists()
    assert own_cli("import").code == 0
    found = findings(own_cli)
    assert [one.check for one in found] == [
        "agentstore", "configuration", "server", "version", "rights", "schema", "text index", "clock", "disk", "parts",
        "import", "claude-code", "clean-up",
    ]  # fmt: skip
    assert {one.status for one in found if one.check not in ("clean-up", "disk")} == {"ok"}
    assert "all 2 files are in the store" in named(found, "import").text
    assert "~/.claude/projects: 2 files, 27 kB" in named(found, "claude-code").text
    assert "30 days, its default" in named(found, "clean-up").text
    (own_cli.home / ".claude" / "settings.json").write_text('{"cleanupPeriodDays": 3650}')
    assert named(findings(own_cli), "clean-up").status == "ok"
    for path in (own_cli.home / ".claude").rglob("*.jsonl"):
        with path.open("a") as stream:
            stream.write("{}\n")
    assert named(findings(own_cli), "import").text.startswith("2 of 2 files are new or have changed")
    done = own_cli("doctor", width=40)
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.lines)) <= 40
    assert "     → agentstore import" in done.lines


def test_a_server_that_is_away_fails_and_the_rest_is_looked_at(own_cli: Cli) -> None:
    found = findings(own_cli, "--store", "clickhouse://ada:geheim@127.0.0.1:1/x", code=2)
    assert named(found, "server").status == "fail"
    assert found[-1].check == "agents"
    assert "geheim" not in str(found)


def test_hostile_places_command_nothing(own_cli: Cli) -> None:
    evil = EVIL.replace("\x00", "").replace("/", "")
    folder = own_cli.home / evil
    (folder / "projects").mkdir(parents=True)
    os.symlink("/nowhere", os.fsencode(folder) + b"/projects/bad\xff\x1b[2J.jsonl")
    (folder / "settings.json").write_text(json.dumps({"cleanupPeriodDays": evil}))
    own_cli("schema", "upgrade")
    for arguments in (["doctor"], ["doctor", "--json"]):
        done = own_cli(*arguments, CLAUDE_CONFIG_DIR=str(folder), AGENTSTORE_USER=evil)
        assert "no number of days" in " ".join(done.out.split())
        assert all(is_harmless(line) for line in (done.out + done.err).split("\n"))


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        (None, "warn", "30 days, its default"),
        ('{"cleanupPeriodDays": 20}', "warn", "after 20 days"),
        ('{"cleanupPeriodDays": 3650}', "ok", "after 3650 days"),
        ('{"cleanupPeriodDays": 0}', "warn", "writes no transcripts at all"),
        ('{"cleanupPeriodDays": "x"}', "warn", "no number of days"),
        ('{"cleanupPeriodDays": true}', "warn", "no number of days"),
        ("{", "warn", "cannot be read"),
        ("[]", "warn", "cannot be read"),
    ],
)
def test_when_claude_code_deletes(tmp_path: Path, settings: str | None, status: str, said: str) -> None:
    if settings is not None:
        (tmp_path / "settings.json").write_text(settings)
    found = claude_clean_up(tmp_path / "settings.json", str(tmp_path))
    assert (found.status, said in found.text) == (status, True)
    assert bool(found.todo) == (status == "warn")


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        (None, "warn", "30d, the default of newer versions"),
        ('{"general": {"sessionRetention": {"enabled": false}}}', "ok", "keeps its sessions"),
        ('{"general": {"sessionRetention": {"enabled": true, "maxAge": "7d"}}}', "warn", "after 7d"),
        ('{"general": {"sessionRetention": {"enabled": true, "maxAge": "520w"}}}', "ok", "after 520w"),
        ('{"general": 3}', "warn", "30d"),
        ("nonsense", "warn", "cannot be read"),
    ],
)
def test_when_gemini_deletes(tmp_path: Path, settings: str | None, status: str, said: str) -> None:
    if settings is not None:
        (tmp_path / "settings.json").write_text(settings)
    found = gemini_clean_up(tmp_path / "settings.json", str(tmp_path))
    assert (found.status, said in found.text) == (status, True)


def test_versions_that_are_known_to_be_broken() -> None:
    (found,) = version_findings("26.6.1.1")
    assert found.status == "warn"
    assert "issue 112451" in found.text
    assert "upgrade" in found.todo
    assert [one.status for one in version_findings("26.8.8.1", has_ttl=True)] == ["warn"]
    assert [one.status for one in version_findings("26.8.8.1")] == ["ok"]
    assert [one.status for one in version_findings("26.9.2.1")] == ["ok"]


def test_clocks_disks_and_parts() -> None:
    assert clock_finding(0.5).status == "ok"
    assert clock_finding(5.0, uncertain=4.0).status == "ok"
    assert "3 min behind" in clock_finding(-180.0).text
    assert clock_finding(4.0).status == "warn"
    statuses = [disk_finding("default", free, 10**12).status for free in (10**11, 10**9, 10**8)]
    assert statuses == ["ok", "warn", "fail"]
    assert disk_finding("s3", 2**64 - 1, 2**64 - 1).status == "ok"
    broken = part_finding("d", "messages", "all_1_1_0", "broken-on-start")
    assert (broken.status, "DROP DETACHED PART" in broken.todo) == ("fail", True)
    assert part_finding("d", "messages", "all_1_1_0", "").status == "warn"


def test_schemas() -> None:
    missing = [PendingMigration(2, "text_index")]
    for state, local, status in (
        (SchemaState(database="d", version=2, newest=2), False, "ok"),
        (SchemaState(database="d", version=1, newest=2, waiting=missing), False, "ok"),
        (SchemaState(database="d", version=1, newest=2, pending=missing), False, "warn"),
        (SchemaState(database="d", version=0, newest=2, pending=missing), True, "warn"),
        (SchemaState(database="d", version=3, newest=2, newer=True), False, "fail"),
    ):
        found = schema_finding(state, local=local)
        assert (found.status, bool(found.todo)) == (status, status != "ok")


def test_the_text_index() -> None:
    def state(total: int, left: int, *, has_indexes: bool = True) -> PartsState:
        table = TableSize(rows=1, granules=1, bytes=total, unindexed_bytes=left, unindexed=("all_1_1_0",) * (left > 0))
        return PartsState(TableSizes(1, {"messages": table}), has_indexes=has_indexes)

    assert index_finding(PartsState()).text == "there are no texts yet"
    assert index_finding(state(1000, 0)).text == "100 % of 1.0 kB"
    assert "500 B in 1 new parts" in index_finding(state(1000, 500)).text
    assert index_finding(state(10**11, 10**10)).status == "warn"
    assert index_finding(state(1000, 0, has_indexes=False)).todo == "agentstore schema upgrade"
    assert "26.4" in index_finding(state(1000, 0), is_old=True).todo
