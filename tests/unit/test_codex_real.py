"""Every real rollout against the counts that were made independently (MANIFEST.tsv)."""

from __future__ import annotations

import csv
import os
import pathlib
import random

import msgspec
import pytest

from agentstore.importers import ImportResult, Options, importer_of
from agentstore.importers.codex import Codex
from tests.unit.importer_rows import kept, union
from tests.unit.mutation_seed import mutation_seed

ROOT = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)
MANIFEST = ROOT / "MANIFEST.tsv"
pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason=f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")


def rows() -> list[dict[str, str]]:
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["agent"] == "codex"]


def imported(path: pathlib.Path, piece_bytes: int = 1 << 30) -> list[ImportResult]:
    return list(Codex().survey([path], Options(piece_bytes=piece_bytes)).read(path))


def each(row: dict[str, str]) -> str:
    return row["file"].removeprefix("codex/")


@pytest.mark.parametrize("row", rows(), ids=each)
def test_the_counts_are_the_manifests(row: dict[str, str]) -> None:
    path = ROOT / row["file"]
    importer = importer_of(path)
    assert importer is not None
    assert importer.name == "codex"
    (read,) = imported(path)
    assert len(read.tool_calls) == int(row["tool_calls"])
    assert sum(call.result_content_length is not None for call in read.tool_calls) == int(row["pairs_matched"])
    assert sum(message.output_tokens for message in read.messages) == int(row["output_tokens_dedup"])
    assert abs(sum(message.role == "user" for message in read.messages) - int(row["user_messages"])) <= 1
    assert read.problems == []
    for session in read.sessions:
        assert session.message_count == len(read.messages)
        assert session.user_message_count == sum(message.role == "user" for message in read.messages)
        assert session.total_output_tokens == int(row["output_tokens_dedup"])
        if row["kind"] == "real session":
            assert session.id == "codex:" + path.stem[-36:]
            assert session.project_name == "OpenPrintKit"
            assert session.git_branch


@pytest.mark.parametrize("row", rows(), ids=each)
def test_any_pieces_of_a_file_are_the_file(row: dict[str, str], tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    data = (ROOT / row["file"]).read_bytes()
    path = tmp_path / pathlib.Path(row["file"]).name
    path.write_bytes(data)
    whole = imported(path)
    expected = union(whole)
    assert union(imported(path, chance.choice([1, 10_000, 400_000]))) == expected
    for _ in range(3):
        results: list[ImportResult] = []
        state = None
        for end in [*sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 6))), len(data)]:
            path.write_bytes(data[:end])
            options = Options(piece_bytes=chance.choice([1, 100_000, 10**7]))
            results += Codex().survey([path], options).read(path, state)
            state = kept(results[-1].state)
        assert union(results) == expected
    assert len(msgspec.msgpack.encode(whole[0].state)) < 40_000 + len(data) // 20


@pytest.mark.parametrize("row", rows(), ids=each)
def test_the_rows_of_a_prefix_are_a_prefix(row: dict[str, str], tmp_path: pathlib.Path) -> None:
    """``AGENTSTORE_CUTS``: how many at random and how many at lines' ends (few, or this takes minutes); "all" ends."""
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    number = os.environ.get("AGENTSTORE_CUTS", "6")
    data = (ROOT / row["file"]).read_bytes()
    ends = [place + 1 for place in range(len(data)) if data[place] == 10] if number == "all" else []
    if not ends:
        ends = [data.find(b"\n", chance.randrange(len(data))) + 1 for _ in range(int(number))]
    cuts = ends + [chance.randrange(len(data) + 1) for _ in range(200 if number == "all" else int(number))]
    path = tmp_path / pathlib.Path(row["file"]).name
    path.write_bytes(data)
    (whole,) = imported(path)
    calls = {(call.message_ordinal, call.tool_use_id, call.call_index): call for call in whole.tool_calls}
    for cut in cuts:
        path.write_bytes(data[:cut])
        (part,) = imported(path)
        assert len(part.messages) <= len(whole.messages)
        for message, later in zip(part.messages, whole.messages, strict=False):
            assert (message.ordinal, message.timestamp) == (later.ordinal, later.timestamp)
            assert message.source_id in (later.source_id, "")
            assert later.content.startswith(message.content)
            assert later.output_tokens >= message.output_tokens
        for call in part.tool_calls:
            same = calls[call.message_ordinal, call.tool_use_id, call.call_index]
            assert same.input_json == call.input_json
            assert call.result_content_length is None or same.result_content == call.result_content
