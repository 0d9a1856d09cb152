"""Every real chat of Gemini CLI against the counts that were made independently (MANIFEST.tsv)."""

from __future__ import annotations

import csv
import os
import pathlib
import random

import pytest

from agentstore.importers import ImportResult, Options, import_tree, importer_named, importer_of
from agentstore.importers.times import parse_time
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
        return [row for row in csv.DictReader(file, delimiter="\t") if row["agent"] == "gemini-cli"]


def imported(path: pathlib.Path) -> ImportResult:
    history = importer_named("gemini").survey([path], Options())
    (result,) = history.read(path)
    return result


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("gemini-cli/"))
def test_totals(row: dict[str, str]) -> None:
    path = ROOT / row["file"]
    importer = importer_of(path)
    assert importer is not None
    assert importer.name == "gemini"
    read = imported(path)
    check([read])
    if path.name == "schema_drift.json":  # it names no session, and the manifest counts nothing in it
        assert read.sessions == []
        assert [problem.reason[:12] for problem in read.problems] == ["no sessionId"]
        return
    (session,) = read.sessions
    assert not read.problems
    assert not read.unknown_records
    assert len(read.tool_calls) == int(row["tool_calls"])
    assert sum(call.result_content_length is not None for call in read.tool_calls) == int(row["pairs_matched"])
    assert session.total_output_tokens == int(row["output_tokens_dedup"])
    assert sum(message.output_tokens for message in read.messages) == int(row["output_tokens_dedup"])
    assert session.user_message_count == int(row["user_messages"])
    assert session.started_at == parse_time(row["first_ts"])
    assert session.ended_at == parse_time(row["last_ts"])
    assert {message.model for message in read.messages} - {""} <= set(row["models"].split(","))


def test_the_tree_holds_each_session_once() -> None:
    results = list(import_tree(ROOT / "gemini-cli"))
    sessions = [session for result in results for session in result.sessions]
    assert len({session.id for session in sessions}) == len(sessions) == 8
    assert sum(result.skipped_records.get("file/held by another", 0) for result in results) == 2
    paths = {session.project_path for session in sessions if session.message_count > 5 and session.project_path}
    assert paths == {"/Users/peytonmontei/Documents/entire/devenv/entireio/cli"}  # its hash is the folder's name


def test_snapshots_of_a_session_keep_their_rows() -> None:
    """Three states of one document, as it grew."""
    folder = next((ROOT / "gemini-cli" / "entireio-cli").glob("tmp/7e89*/chats"))
    first, second, third = sorted(map(imported, folder.glob("*f7633853*")), key=lambda result: len(result.messages))
    for before, after in ((first, second), (second, third)):
        assert [(m.ordinal, m.role, m.source_id) for m in before.messages] == [
            (m.ordinal, m.role, m.source_id) for m in after.messages[: len(before.messages)]
        ]
        assert all(
            message.content in after.messages[message.ordinal].content  # calls were added to a message
            for message in before.messages
        )
        assert len(before.tool_calls) < len(after.tool_calls)


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("gemini-cli/"))
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
