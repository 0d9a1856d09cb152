"""Nothing that a rollout may hold raises, and what comes out can always be stored."""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentstore.importers import import_tree
from agentstore.importers.codex import Codex
from tests.unit.codex_families import STYLES, family
from tests.unit.codex_lines import THREAD, call, data, event, item, line, meta, output, ran, read_bytes, said, tokens
from tests.unit.codex_lines import usage as spent
from tests.unit.mutation_seed import mutation_seed
from tests.unit.test_importer_fuzz import check, damaged

SEEDS = [
    meta(forked_from_id="0199c82c-0000-7337-8e32-5ed701c70441", history_base={"thread_id": "x"}),
    meta(
        id="0199c82c-0000-7337-8e32-5ed701c70441", source={"subagent": {"thread_spawn": {"parent_thread_id": THREAD}}}
    ),
    line("turn_context", 1, turn_id="0199c82d-0000-7337-8e32-5ed701c70441", model="gpt-5.5", cwd="/w"),
    event("task_started", 1, turn_id="0199c82d-0000-7337-8e32-5ed701c70441"),
    said("user", "<environment_context>x</environment_context>", 2),
    said("user", "fix it", 3),
    event("user_message", 3, message="fix it", images=["a"]),
    item("reasoning", 4, summary=[{"type": "summary_text", "text": "hm"}], encrypted_content="e"),
    event("agent_reasoning", 4, text="hm"),
    call("call_1", "shell", {"command": ["bash", "-lc", "git commit -m x"]}, 5),
    ran("call_1", "[main 1a2b3c4] x", 0, 6),
    call("call_2", "spawn_agent", {"message": "go"}, 7, namespace="mcp__a"),
    output("call_2", json.dumps({"agent_id": THREAD}), 8),
    output("call_3", [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "data:"}], 8),
    item("custom_tool_call", 9, call_id="c", name="apply_patch", input="*** Begin Patch\n*** Update File: a.py\n"),
    item("custom_tool_call_output", 9, call_id="c", output={"content": "x", "success": False}),
    item("web_search_call", 9, status="completed", action={"type": "search", "queries": ["q"]}),
    item("local_shell_call", 9, call_id="l", action={"type": "exec", "command": ["ls"]}),
    item("tool_search_output", 9, call_id="l", tools=[{"name": "a", "tools": [{"name": "b"}]}]),
    said("assistant", "done", 10, id="msg_1", phase="final_answer"),
    event("agent_message", 10, message="done"),
    tokens(spent(100, 40, 7, 3), spent(100, 40, 7, 3), 11),
    event("item_completed", 12, item={"type": "UserMessage", "id": "u", "content": [{"type": "text", "text": "more"}]}),
    event("item_completed", 12, item={"type": "Plan", "id": "p", "text": "plan"}),
    event("exec_command_end", 12, call_id="call_1", exit_code=1),
    event("mcp_tool_call_end", 12, call_id="call_2", result={"Err": "x"}),
    event("sub_agent_activity", 12, event_id="call_2", agent_thread_id=THREAD),
    event("thread_name_updated", 13, thread_name="name"),
    line("compacted", 14, message="summary", replacement_history=[said("user", "x")["payload"]]),
    line("inter_agent_communication", 15, author="/root", content="hello"),
    {"record_type": "state"},
    {"id": THREAD, "timestamp": "2025-05-05T05:05:05Z", "instructions": None},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "bare"}]},
]
KEYS = sorted(
    {key for seed in SEEDS for key in seed}
    | {key for seed in SEEDS if isinstance(seed.get("payload"), dict) for key in seed["payload"]}
    | {"info", "total_token_usage", "last_token_usage", "input_tokens", "item", "summary_text", "ordinal", "action"}
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["user", "message", "call_1", THREAD, "function_call", "token_count"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(JSON, max_size=6))
def test_any_json_is_read(values: list[Any]) -> None:
    check(read_bytes("\n".join(json.dumps(value) for value in values).encode()))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(0, len(SEEDS) - 1), st.lists(st.sampled_from(KEYS), max_size=4), JSON), max_size=8)
)
def test_any_value_in_any_field_is_read(choices: list[tuple[int, list[str], Any]]) -> None:
    records = []
    for seed, path, value in choices:
        record = json.loads(json.dumps(SEEDS[seed]))
        target = record
        for key in path[:-1]:
            target = target[key] if isinstance(target.get(key), dict) else target
        if path:
            target[path[-1]] = value
        records.append(record)
    check(read_bytes("\n".join(json.dumps(record) for record in records).encode()))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read(noise: bytes) -> None:
    check(read_bytes(noise))
    check(read_bytes(noise, f"rollout-2025-05-05-{THREAD}.json"))
    check(read_bytes(noise, f"rollout-2025-05-05T05-05-05-{THREAD}.jsonl.zst"))


def test_damaged_files_are_read() -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    whole = data(*SEEDS)
    for _ in range(600):
        check(read_bytes(damaged(whole, chance)))


def test_damaged_families_are_read(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(40):
        for place, thread in enumerate(family(chance, chance.choice(STYLES), 3)):
            path = thread.save(tmp_path / str(number))
            content = damaged(thread.data(), chance)
            path.write_bytes(content)
            if place % 2:  # a second file that claims to be the same thread
                path.with_name(f"{path.stem}-{THREAD}.jsonl").write_bytes(damaged(content, chance))
        ids = []
        for result in import_tree(tmp_path / str(number), importers=[Codex()]):
            msgspec.json.encode(result)
            ids += [session.id for session in result.sessions]
            for rows in (result.messages, result.tool_calls, result.git_links):
                assert {row.session_id for row in rows} <= {session.id for session in result.sessions}
        assert len(ids) == len(set(ids))


def test_every_prefix_of_a_file_is_read_and_keeps_the_rows_before() -> None:
    whole = data(*SEEDS)
    ordinals = [(row.ordinal, row.source_id, row.content) for row in read_bytes(whole).messages]
    for end in range(0, len(whole), 11):
        result = read_bytes(whole[:end])
        check(result)
        for row, (ordinal, source_id, content) in zip(result.messages, ordinals, strict=False):
            assert row.ordinal == ordinal
            assert row.source_id in (source_id, "")
            assert content.startswith(row.content)


def test_what_is_nested_too_deeply_or_too_large_is_a_problem() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    nested = b'{"timestamp":"2026-02-03T10:00:00Z","type":"response_item","payload":' + deep.encode() + b"}\n"
    inner = data(item("function_call", call_id="c", name="shell", arguments=deep))
    number = b'{"timestamp":"x","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{'
    number += b'"input_tokens":' + b"9" * 400 + b',"output_tokens":-1},"last_token_usage":{"input_tokens":1e400}}}}\n'
    result = read_bytes(data(meta(), said("user", "hi")) + nested + inner + number + b"9" * 5000 + b"\n")
    check(result)
    assert [problem.line for problem in result.problems] == [3, 6]


def test_hostile_text_costs_linear_time() -> None:
    parts = [
        "# Context from my IDE setup:",
        "<image",
        "git ",
        "*** Add File: a\n",
        "Exit code: ",
        '"a",',
        "\n## My ",
        "<proposed_plan>",
    ]
    for part in parts:
        text = part * (400_000 // len(part))
        result = read_bytes(
            data(
                meta(),
                said("user", text),
                call("c1", "shell", {"command": ["bash", "-lc", f"git commit; gh pr create {text}"]}),
                output("c1", text),
                item("custom_tool_call", call_id="c2", name="apply_patch", input=text),
                said("user", text[:-1]),
                said("assistant", text),
                event("user_message", message=text),
            )
        )
        check(result)
