"""Nothing that a file may hold raises, and what comes out can always be stored."""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentstore.importers import ImportResult, import_claude_code, import_claude_code_tree
from tests.unit.importer_lines import FILE, SESSION, assistant, data, line, result, said, use, user

SEEDS = [
    user("fix it"),
    user([said("a"), {"type": "image", "source": {"media_type": "image/png", "data": "AAAA"}}], 1),
    assistant(said("yes"), {"type": "thinking", "thinking": "hm"}, use("t1", "Task", prompt="x"), second=2, output=7),
    assistant(use("t2", command="git commit"), second=3, output=9),
    result("t1", [said("agentId: a1")], 4, toolUseResult={"agentId": "a1"}),
    result("t2", "[main 1a2b3c4] x", 5, error=False),
    line("system", 6, subtype="local_command", content="<command-name>/x</command-name>"),
    line("attachment", 7, attachment={"type": "queued_command", "prompt": "more"}),
    line("progress", 8, parentToolUseID="t1", data={"type": "agent_progress", "agentId": "a1"}),
    line("summary", None, summary="s", leafUuid="user-0"),
    line("custom-title", customTitle="c"),
    line("pr-link", 9, prUrl="https://github.com/o/r/pull/1"),
    line("worktree-state", worktreeSession={"worktreeName": "c", "worktreePath": "/w", "originalCwd": "/r"}),
    user("<agent-message>x</agent-message>", 10, isMeta=True, origin={"kind": "peer"}, promptSource="queued"),
    assistant(use("t3", command="git remote -v"), second=11, id="msg_9"),
    result("t3", "origin\tgit@github.com:o/r.git (fetch)", 12),
    line("file-history-snapshot", None, snapshot={"timestamp": "2026-03-02T09:00:00Z"}),
]
KEYS = sorted(
    {key for seed in SEEDS for key in seed}
    | {"content", "type", "id", "usage", "text", "input", "forkedFrom", "kind", "parts", "message", "agentId"}
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["user", "assistant", "tool_use"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


def check(read: ImportResult) -> None:
    """The rows are consistent, fit their columns, and are text that has UTF-8."""
    msgspec.json.encode(read)
    assert [message.ordinal for message in read.messages] == list(range(len(read.messages)))
    keys = [(call.message_ordinal, call.tool_use_id, call.call_index) for call in read.tool_calls]
    assert len(keys) == len(set(keys))
    assert len(read.sessions) == bool(read.messages)
    for session in read.sessions:
        assert session.id
        assert session.message_count == len(read.messages)
        assert session.user_message_count == sum(message.role == "user" for message in read.messages)
        for rows in (read.messages, read.tool_calls, read.git_links, read.file_touches):
            assert {row.session_id for row in rows} <= {session.id}
    for message in read.messages:
        assert message.content_length == len(message.content)
        assert 0 <= message.output_tokens <= 2**32


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(JSON, max_size=6))
def test_any_json_is_read(values: list[Any]) -> None:
    text = "\n".join(json.dumps(value) for value in values)
    check(import_claude_code(text.encode(), file=FILE))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(0, len(SEEDS) - 1), st.lists(st.sampled_from(KEYS), max_size=3), JSON), max_size=8)
)
def test_real_lines_with_any_value_in_any_field_are_read(choices: list[tuple[int, list[str], Any]]) -> None:
    records = []
    for seed, path, value in choices:
        record = json.loads(json.dumps(SEEDS[seed]))
        target = record
        for key in path[:-1]:
            target = target[key] if isinstance(target.get(key), dict) else target
        if path:
            target[path[-1]] = value
        records.append(record)
    check(import_claude_code("\n".join(json.dumps(r) for r in records).encode(), file=FILE))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read(noise: bytes) -> None:
    check(import_claude_code(noise, file=FILE))


def damaged(data: bytes, chance: random.Random) -> bytes:
    torn = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(torn) + 1)
        cut = slice(start, start + chance.choice([0, 1, 2, 40]))
        torn[cut] = chance.choice([b"", b"{", b'"', b"\n", b"\x00", b"\xff", b"[", b"null", b"\\ud800", b"}{"])
    return bytes(torn)


def test_damaged_files_are_read() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    whole = data(*SEEDS)
    for _ in range(1500):
        check(import_claude_code(damaged(whole, chance), file=FILE))


def test_a_tree_of_damaged_files_is_read(tmp_path: pathlib.Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    whole = data(*SEEDS)
    names = [f"a/{SESSION}.jsonl", f"b/{SESSION}.jsonl", "c/full.jsonl", f"a/{SESSION}/subagents/agent-a1.jsonl"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    for _ in range(100):
        for name in names:
            (tmp_path / name).write_bytes(damaged(whole, chance))
        (tmp_path / names[3]).with_suffix(".meta.json").write_bytes(damaged(b'{"description": "x"}', chance))
        read = list(import_claude_code_tree(tmp_path, local_git=True, others=True))
        ids = [session.id for file in read for session in file.sessions]
        assert len(ids) == len(set(ids))
        for file in read:
            msgspec.json.encode(file)
            for session in file.sessions:
                own = [message for message in file.messages if message.session_id == session.id]
                assert session.message_count == len(own)


def test_every_prefix_of_a_file_is_read_and_keeps_the_rows_before() -> None:
    whole = data(*SEEDS)
    ordinals = [(m.ordinal, m.role, m.source_id) for m in import_claude_code(whole, file=FILE).messages]
    for end in range(0, len(whole), 7):
        read = import_claude_code(whole[:end], file=FILE)
        check(read)
        found = [(m.ordinal, m.role, m.source_id) for m in read.messages]
        assert found == ordinals[: len(found)]


def test_hostile_text_costs_linear_time() -> None:
    parts = [
        "<system-reminder>",
        "<command-name>",
        "git ",
        "https://",
        "cat ",
        "[a ",
        "<task-id>a",
        "name:",
        "<ide_selection>",
    ]
    for part in parts:
        text = part * (400_000 // len(part))
        command = f"git commit; gh pr create; cat SKILL.md {text}"
        calls = [use("t1", command=command), use("t2", "Read", file_path="a/SKILL.md")]
        read = import_claude_code(data(user(text), assistant(*calls), result("t1", text), result("t2", text)))
        check(read)
        assert len(read.messages) == 2
