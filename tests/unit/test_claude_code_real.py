"""Every real transcript against the counts that were made independently, by hand-checked scripts (MANIFEST.tsv)."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import pathlib
import random
import re
import uuid
from typing import Any

import msgspec
import pytest

from agentstore.importers import (
    ImportResult,
    find_claude_code,
    import_claude_code,
    import_claude_code_tree,
    iter_claude_code,
)
from tests.unit.importer_rows import grown, union
from tests.unit.test_importer_lines import forgivingly, plain

ROOT = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)
MANIFEST = ROOT / "MANIFEST.tsv"
pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason=f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")

# The manifest counts lines. In these two excerpts the same prompts stand twice, the second time with their blocks on
# lines of their own: 15 lines are 6 prompts, replayed (12 lines, 6 of them copies) with 3 IDE notices alone on a line;
# 3 slash commands, which the manifest leaves out, are prompts here. 7 lines are 2 prompts and 1 slash command likewise.
REPLAYED = {"general-tool-calls.jsonl": 6 + 3, "images-in-user-messages.jsonl": 2 + 1}


def rows() -> list[dict[str, str]]:
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["agent"] == "claude-code"]


def imported(row: dict[str, Any]) -> ImportResult:
    return import_claude_code((ROOT / row["file"]).read_bytes(), file=row["file"])


def queued_prompts(path: pathlib.Path) -> int:
    """Prompts that stand nowhere but in the queue, which the manifest does not count: enqueued, then removed."""
    waiting: list[str] = []
    found = 0
    for line in path.read_bytes().splitlines():
        if b'"queue-operation"' not in line or not line.endswith(b"}"):
            continue
        record = json.loads(line)
        if record["operation"] == "enqueue":
            waiting.append(record["content"])
        elif waiting:
            text = waiting.pop(0)
            found += record["operation"] == "remove" and not text.startswith("<")
    return found


def expected_id(path: pathlib.Path) -> str:
    """By the name of a file, if it is a session's; else by what its records call their session."""
    if path.parent.name == "subagents":
        return f"{path.parent.parent.name}:{path.stem}"
    if len(path.stem) == 36:
        return path.stem
    named: list[bytes] = re.findall(rb'"sessionId": ?"([^"]+)"', path.read_bytes())
    return named[0].decode()


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("claude-code/"))
def test_totals(row: dict[str, str]) -> None:
    read = imported(row)
    assert len(read.tool_calls) == int(row["tool_calls"])
    assert sum(call.result_content_length is not None for call in read.tool_calls) == int(row["pairs_matched"])
    assert read.skipped_records.get("tool_result/orphan", 0) >= int(row["orphan_results"])
    assert sum(message.output_tokens for message in read.messages) == int(row["output_tokens_dedup"])
    assert len(read.problems) == int(row["unparsable_lines"])
    if not int(row["sessions_in_file"]):
        assert read.sessions == []
        return
    (session,) = read.sessions
    assert session.id == expected_id(ROOT / row["file"])
    assert session.total_output_tokens == int(row["output_tokens_dedup"])
    assert session.message_count == len(read.messages)
    name = pathlib.PurePosixPath(row["file"]).name
    if name in REPLAYED:
        assert session.user_message_count == REPLAYED[name]
    else:
        typed = int(row["user_messages"]) + queued_prompts(ROOT / row["file"])
        assert abs(session.user_message_count - typed) <= 1
    assert session.started_at is not None
    assert session.ended_at is not None
    assert session.started_at.isoformat(timespec="milliseconds").replace("+00:00", "") == row["first_ts"].rstrip("Z")
    assert session.ended_at.isoformat(timespec="milliseconds").replace("+00:00", "") == row["last_ts"].rstrip("Z")
    models = {message.model for message in read.messages} - {""}
    assert models <= set(row["models"].split(","))


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("claude-code/"))
def test_rows_are_consistent_and_the_same_every_time(row: dict[str, str]) -> None:
    read = imported(row)
    assert imported(row) == read
    assert msgspec.json.decode(msgspec.json.encode(read), type=ImportResult) == read
    assert [message.ordinal for message in read.messages] == list(range(len(read.messages)))
    ids = [call.tool_use_id for call in read.tool_calls if call.tool_use_id]
    assert len(ids) == len(set(ids))
    sources = [message.source_id for message in read.messages if message.role == "assistant" and message.source_id]
    assert len(sources) == len(set(sources))
    assert set(read.unknown_records) <= {"tool_use", "tool_result", "block/fallback"}  # schema fixtures, before 1.0


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("claude-code/"))
def test_results_do_not_depend_on_the_decoder(row: dict[str, str]) -> None:
    arguments: dict[str, Any] = {"file": row["file"], "agent_files": ()}
    whole = (ROOT / row["file"]).read_bytes()
    assert plain(import_claude_code(whole, **arguments)) == plain(forgivingly(whole, **arguments))


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("claude-code/"))
def test_any_pieces_of_a_file_are_the_file(row: dict[str, str]) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    # A name of its own: else the last line would say whose file this is, and that would change from cut to cut.
    arguments: dict[str, Any] = {"file": f"{uuid.UUID(int=7)}.jsonl", "agent_files": ()}
    data = (ROOT / row["file"]).read_bytes()
    whole = import_claude_code(data, **arguments)
    expected = union([whole])
    assert union(iter_claude_code(io.BytesIO(data), piece_bytes=chance.choice([1, 10_000, 400_000]), **arguments)) == (
        expected
    )
    for _ in range(3):
        sizes = [*sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 6))), len(data)]
        assert union(grown(data, sizes, chance.choice([1, 100_000, 10**7]), **arguments)) == expected
    assert len(msgspec.msgpack.encode(whole.state)) < 40_000 + len(data) // 20


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]).removeprefix("claude-code/"))
def test_the_rows_of_a_prefix_are_a_prefix(row: dict[str, str]) -> None:
    """``AGENTSTORE_CUTS``: how many at random and how many at lines' ends (few, or this takes minutes); "all" ends."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    number = os.environ.get("AGENTSTORE_CUTS", "6")
    data = (ROOT / row["file"]).read_bytes()
    ends = [place + 1 for place in range(len(data)) if data[place] == 10] if number == "all" else []
    if not ends:
        ends = [data.find(b"\n", chance.randrange(len(data))) + 1 for _ in range(int(number))]
    cuts = ends + [chance.randrange(len(data) + 1) for _ in range(200 if number == "all" else int(number))]
    whole = import_claude_code(data, file="f.jsonl")
    starts = [(message.ordinal, message.source_id, message.timestamp) for message in whole.messages]
    calls = {(call.message_ordinal, call.tool_use_id, call.call_index): call for call in whole.tool_calls}
    for cut in cuts:
        part = import_claude_code(data[:cut], file="f.jsonl")
        for message, (ordinal, source_id, moment) in zip(part.messages, starts, strict=False):
            assert (message.ordinal, message.timestamp) == (ordinal, moment)
            assert message.source_id in (source_id, "")  # a prompt from the queue gets its id later
            assert whole.messages[ordinal].content.startswith(message.content)
            assert whole.messages[ordinal].output_tokens >= message.output_tokens
        assert len(part.messages) <= len(whole.messages)
        for call in part.tool_calls:
            same = calls[call.message_ordinal, call.tool_use_id, call.call_index]
            assert same.input_json == call.input_json
            assert call.result_content_length is None or same.result_content == call.result_content


def test_damaged_real_lines_never_raise() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    lines = [line for row in rows() for line in (ROOT / row["file"]).read_bytes().splitlines() if len(line) < 20_000]
    for _ in range(300):
        picked = [bytearray(line) for line in chance.sample(lines, 8)]
        for line in picked:
            start = chance.randrange(len(line))
            line[start : start + chance.choice([1, 5, 50])] = chance.choice([b"", b"{", b'"', b"\xff", b"[]", b"1e999"])
        read = import_claude_code(b"\n".join(picked))
        msgspec.json.encode(read)
        assert [message.ordinal for message in read.messages] == list(range(len(read.messages)))


def snapshots() -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Each earlier snapshot of a session, and the next."""
    steps: list[tuple[pathlib.Path, pathlib.Path]] = []
    for folder in sorted((ROOT / "claude-code" / "entireio-cli" / "growth").glob("*")):
        chain = sorted(folder.glob("*.jsonl"))
        chain += (ROOT / "claude-code").glob(f"*/projects/*/{folder.name}.jsonl")
        steps += itertools.pairwise(chain)
    return steps


@pytest.mark.parametrize("step", snapshots(), ids=lambda step: f"{step[0].stem} to {step[1].stem}")
def test_rows_of_a_grown_file_keep_their_keys(step: tuple[pathlib.Path, pathlib.Path]) -> None:
    before, after = (import_claude_code(path.read_bytes(), file="the-session.jsonl") for path in step)
    assert 0 < len(before.messages) <= len(after.messages)
    assert after.messages[: len(before.messages) - 1] == before.messages[:-1]
    last = len(before.messages) - 1
    assert after.messages[last].content.startswith(before.messages[last].content)
    grown = {(c.message_ordinal, c.tool_use_id, c.call_index): c for c in after.tool_calls}
    for call in before.tool_calls:
        same = grown[call.message_ordinal, call.tool_use_id, call.call_index]
        assert same.input_json == call.input_json
        assert call.result_content_length is None or same.result_content == call.result_content


def test_the_files_of_the_manifest_are_found() -> None:
    expected = {row["file"] for row in rows()}
    found = {path.relative_to(ROOT).as_posix() for path in find_claude_code(ROOT)}
    assert found == expected


def test_the_whole_tree_is_imported_with_its_titles() -> None:
    read = list(import_claude_code_tree(ROOT / "claude-code", user_id="u", user_name="U", machine="m"))
    assert len({r.file.partition("#")[0] for r in read}) == len(rows())
    assert max(len(r.sessions) for r in read) == 1
    assert {s.user_id for r in read for s in r.sessions} == {"u"}
    sessions = [s for r in read for s in r.sessions]
    assert sum(bool(s.display_name) for s in sessions) >= 8
    held = [r for r in read if r.skipped_records == {"file/held by another": 1}]
    assert {"growth" in r.file for r in held} == {True}
    assert len(held) == sum("/growth/" in row["file"] for row in rows())
    counted = [row for row in rows() if "/growth/" not in row["file"]]
    embedded = {s.id for r in read for s in r.sessions if "#" in r.file}
    assert embedded
    own = [c for r in read for c in r.tool_calls if c.session_id not in embedded]
    assert len(own) == sum(int(row["tool_calls"]) for row in counted)
    parents = {s.id: s.parent_session_id for s in sessions if s.relationship_type == "subagent"}
    session = "4b2030ed-5563-49ea-b703-6a002f2d3cc8"
    agent = f"{session}:agent-a2018e5"
    assert parents[agent] == session
    assert agent in {call.subagent_session_id for call in own}
    assert len({s.id for s in sessions}) == len(sessions)
    # Whoever starts a subagent that the tree knows names it as the tree does.
    assert embedded <= {call.subagent_session_id for call in own}


def test_exports_that_call_every_file_the_same_are_the_same_sessions(tmp_path: pathlib.Path) -> None:
    """Real sessions and earlier snapshots of them, as checkpoints have them: in any order, under one name."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    sources = [row["file"] for row in rows() if row["file"].startswith("claude-code/entireio-cli/")]
    random.Random(seed).shuffle(sources)
    for number, source in enumerate(sources):
        target = tmp_path / f"{number:02x}" / "0" / "full.jsonl"
        target.parent.mkdir(parents=True)
        target.write_bytes((ROOT / source).read_bytes())
    read = [result for result in import_claude_code_tree(tmp_path) if result.sessions and "#" not in result.file]
    sessions = [pathlib.PurePosixPath(source).stem for source in sources if "/growth/" not in source]
    assert sorted(result.sessions[0].id for result in read) == sorted(sessions)
    assert all(result.replaces == ["full"] for result in read)
    totals = {row["file"]: row for row in rows()}
    for result in read:
        (row,) = [row for file, row in totals.items() if file.endswith(f"/{result.sessions[0].id}.jsonl")]
        own = [call for call in result.tool_calls if call.session_id == result.sessions[0].id]
        assert len(own) == int(row["tool_calls"])
