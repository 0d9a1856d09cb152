"""The files of Copilot and Cursor among the real transcripts, against the counts that were made independently."""

from __future__ import annotations

import csv
import os
import pathlib
import shutil

import pytest

from agentstore.importers import ImportResult, importer_of
from agentstore.importers.copilot.importer import Copilot
from agentstore.importers.cursor.importer import Cursor
from agentstore.importers.importer import Importer
from tests.unit.agent_files import cuts, damaged, grown, keys, read_all, read_one, seeded, union

ROOT = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)
MANIFEST = ROOT / "MANIFEST.tsv"
AGENTS: dict[str, Importer] = {"copilot-cli": Copilot(), "cursor": Cursor()}
pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason=f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")


def rows() -> list[dict[str, str]]:
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["agent"] in AGENTS]


def imported(row: dict[str, str]) -> list[ImportResult]:
    return read_one(AGENTS[row["agent"]], ROOT / row["file"])


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["file"])
def test_counts_are_those_of_the_manifest(row: dict[str, str]) -> None:
    importer = importer_of(ROOT / row["file"])
    assert importer is not None
    assert importer.name == AGENTS[row["agent"]].name
    results = imported(row)
    assert not [problem for result in results for problem in result.problems]
    assert sum(len(result.tool_calls) for result in results) == int(row["tool_calls"])
    prompts = sum(message.role == "user" for result in results for message in result.messages)
    assert abs(prompts - int(row["user_messages"])) <= 2
    assert not [result for result in results if result.unknown_records]


@pytest.mark.parametrize("agent", AGENTS)
def test_all_files_together(agent: str) -> None:
    results = read_all(AGENTS[agent], ROOT / agent)
    wanted = [row for row in rows() if row["agent"] == agent]
    sessions = [session for result in results for session in result.sessions]
    assert len({session.id for session in sessions}) == len(sessions)
    assert sum(session.relationship_type != "subagent" for session in sessions) >= len(wanted) - 1
    assert sum(len(result.tool_calls) for result in results) == sum(int(row["tool_calls"]) for row in wanted)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["file"])
def test_cut_grown_and_damaged(row: dict[str, str], tmp_path: pathlib.Path) -> None:
    importer, chance = AGENTS[row["agent"]], seeded()
    path = tmp_path / pathlib.Path(row["file"]).relative_to(row["agent"])
    path.parent.mkdir(parents=True)
    shutil.copy2(ROOT / row["file"], path)
    data, whole = path.read_bytes(), union(read_one(importer, path))
    before: set[object] = set()
    for part in cuts(data, chance, 60):
        path.write_bytes(part)
        now = keys(union(read_one(importer, path)))
        # Ids are told by the first line; without it a file's name has to do.
        if part.count(b"\n"):
            assert before <= now <= keys(whole)
            before = now
    path.write_bytes(data)
    for _ in range(5):
        ends = sorted({chance.randrange(len(data)) for _ in range(3)} | {len(data)})
        ends = [end for end in ends if b"\n" in data[:end]]
        assert keys(union(grown(importer, path, ends, 500))) == keys(whole)
    for _ in range(60):
        path.write_bytes(damaged(data, chance))
        read_one(importer, path)
