"""Every real trajectory of SWE-agent against the counts that were made independently (MANIFEST.tsv)."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import random
from typing import Any

import pytest

from agentstore.importers import ImportResult, Options, import_tree, importer_named, importer_of
from tests.unit.mutation_seed import mutation_seed
from tests.unit.test_importers_all import check

ROOT = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)
MANIFEST = ROOT / "MANIFEST.tsv"
pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason=f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")


def rows() -> list[dict[str, str]]:
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["agent"] == "swe-agent"]


def imported(path: pathlib.Path) -> ImportResult:
    (result,) = importer_named("swe-agent").survey([path], Options()).read(path)
    return result


def observations_counted(document: dict[str, Any]) -> int:
    """Where no ``message_type`` says what a message of role "user" is, the manifest counts it as one of a person.

    All but the first (the task) are what commands printed: here they are results of calls, as the manifest's pairs are.
    """
    told = [entry for entry in document["history"] if entry["role"] == "user" and "message_type" not in entry]
    return max(len(told) - 1, 0)


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("swe-agent/demonstrations/"))
def test_totals(row: dict[str, str]) -> None:
    path = ROOT / row["file"]
    importer = importer_of(path)
    assert importer is not None
    assert importer.name == "swe-agent"
    read = imported(path)
    check([read])
    (session,) = read.sessions
    document = json.loads(path.read_bytes())
    assert not read.problems
    assert not read.unknown_records
    assert len(read.tool_calls) == int(row["tool_calls"])
    assert sum(call.result_content_length is not None for call in read.tool_calls) == int(row["pairs_matched"])
    assert session.user_message_count == 1
    assert abs(session.user_message_count - (int(row["user_messages"]) - observations_counted(document))) <= 1
    assert session.total_output_tokens == int(row["output_tokens_dedup"])
    printed = [step["observation"] for step in document.get("trajectory", [])]
    assert [call.result_content for call in read.tool_calls] == printed
    ids = [call["id"] for entry in document["history"] for call in entry.get("tool_calls") or []]
    assert [call.tool_use_id for call in read.tool_calls if call.tool_use_id] == (ids if read.tool_calls else [])


def test_the_tree_holds_each_run_once() -> None:
    sessions = [session for result in import_tree(ROOT / "swe-agent") for session in result.sessions]
    assert len({session.id for session in sessions}) == len(sessions) == 15
    replays = [session for session in sessions if session.project_name == "marshmallow"]
    assert len(replays) == 6
    assert len({session.project_id for session in replays}) == 1


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("swe-agent/demonstrations/"))
def test_every_cut_is_read(row: dict[str, str], tmp_path: pathlib.Path) -> None:
    """``AGENTSTORE_CUTS``: how many at random and how many at lines' ends; "all" ends, and 200."""
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    number = os.environ.get("AGENTSTORE_CUTS", "4")
    data = (ROOT / row["file"]).read_bytes()
    ends = [place + 1 for place, byte in enumerate(data) if byte == 10]
    cuts = ends if number == "all" else chance.sample(ends, min(len(ends), int(number)))
    cuts = [*cuts, *(chance.randrange(len(data)) for _ in range(200 if number == "all" else int(number)))]
    whole = imported(ROOT / row["file"])
    path = tmp_path / pathlib.PurePosixPath(row["file"]).name
    for cut in cuts:
        path.write_bytes(data[:cut])
        part = imported(path)
        check([part])
        assert len(part.messages) <= len(whole.messages)
        assert [message.role for message in part.messages] == [m.role for m in whole.messages[: len(part.messages)]]
        if not part.messages and whole.messages and path.suffix != ".jsonl":
            assert part.problems
