"""What agents say that their responses cost: exact, each dollar once, however a file is read; and what tokens count."""

from __future__ import annotations

import copy
import json
import pathlib
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.importers import ImportResult, Options, import_claude_code, import_tree, importer_named
from agentstore.importers.claude_code.window import OPEN_MESSAGES
from agentstore.importers.cursor.importer import Cursor
from agentstore.importers.money import nanodollars, nanodollars_in
from tests.unit import agentsview_files, opencode_files, pi_lines
from tests.unit import codex_lines as codex
from tests.unit.agent_files import read_all
from tests.unit.cursor_databases import state_db
from tests.unit.importer_lines import FILE, assistant, data, line, said, user
from tests.unit.importer_rows import grown, union
from tests.unit.importer_seeds import MINI_RUN, SWE_RUN, document

HOSTILE: list[Any] = [
    -1, -0.5, 0, 0.0, True, None, "1", "NaN", [1], {"usd": 1}, 1e-300, 1e300, 10**7, 10**400, float("nan"),
    float("inf"), 4e-10,
]  # fmt: skip


def costs(results: list[ImportResult]) -> list[int]:
    return [one.reported_cost_nanodollars for result in results for one in result.messages]


# --- amounts ---------------------------------------------------------------------------------------------------------


@given(st.decimals(min_value=0, max_value=10**6, places=9, allow_nan=False))
def test_an_amount_is_exact_to_the_nanodollar(amount: Decimal) -> None:
    assert nanodollars_in(str(amount)) == int(amount * 10**9)


@given(st.floats(min_value=1e-9, max_value=10**6))
def test_a_float_is_the_number_that_the_file_has(amount: float) -> None:
    assert nanodollars(amount) == nanodollars_in(json.dumps(amount)) == int((Decimal(repr(amount)) * 10**9).__round__())


@pytest.mark.parametrize("amount", HOSTILE)
def test_what_is_no_amount_is_none(amount: Any) -> None:
    assert nanodollars(amount) == 0


@pytest.mark.parametrize(
    "text", ["", "NaN", "sNaN", "Infinity", "-1", "1e999999999", "1e-999999999", "x", "9" * 5000, "0"]
)
def test_a_text_that_is_no_amount_is_none(text: str) -> None:
    assert nanodollars_in(text) == 0


def test_whole_dollars_and_cents() -> None:
    assert (nanodollars(3), nanodollars(10**6), nanodollars(24.5, digits=7)) == (3 * 10**9, 10**15, 245_000_000)
    assert nanodollars_in("0.031924600000000004") == 31_924_600


# --- Claude Code -----------------------------------------------------------------------------------------------------


def state(total: Any, **fields: Any) -> dict[str, Any]:
    return line("cost-state", None, totalCostUSD=total, modelUsage={}, **fields)


def told(*records: Any) -> list[int]:
    return costs([import_claude_code(data(*records), file=FILE)])


def test_each_line_of_a_response_tells_the_cost_of_all_of_it() -> None:
    lines = [assistant(said(text), second=n, costUSD=usd) for n, (text, usd) in enumerate([("a", 0.1), ("b", 0.3)])]
    assert told(user("go"), *lines, assistant(said("c"), id="msg_2", second=5, costUSD=0.07)) == [
        0, 300_000_000, 70_000_000,
    ]  # fmt: skip


def test_what_is_new_in_a_sum_is_of_the_response_before_it() -> None:
    one, two = assistant(said("a"), id="msg_1", second=1), assistant(said("b"), id="msg_2", second=3)
    program = assistant(said("API Error"), id="msg_3", second=4)
    program["message"]["model"] = "<synthetic>"
    records = [
        user("go"),
        one,
        state(0.25),
        state(0.25),
        user("more", 2),
        two,
        program,
        state(0.4),
        user("x", 5),
        state(0.5),
    ]
    assert told(*records) == [0, 250_000_000, 0, 250_000_000, 0, 0]
    # The program counts anew: all of it is new.
    assert told(*records, assistant(said("c"), id="msg_4", second=6), state(0.2))[-1] == 200_000_000


def test_a_sum_has_the_responses_in_it_that_told_their_own() -> None:
    lines = [assistant(said("a"), second=1, costUSD=0.1), assistant(said("b"), id="msg_2", second=2, costUSD=0.2)]
    assert told(*lines, state(0.35), state(0.34)) == [100_000_000, 250_000_000 + 340_000_000]
    assert told(*lines, state(0.3), assistant(said("c"), id="msg_3", costUSD=0.05), state(0.35)) == [
        100_000_000, 200_000_000, 50_000_000,
    ]  # fmt: skip


def test_a_sum_before_anybody_spoke_is_not_lost() -> None:
    assert told(state(0.1), user("go"), assistant(said("a")), state(0.1)) == [0, 100_000_000]
    read = import_claude_code(data(user("go"), state(0.2)), file=FILE)
    assert (costs([read]), read.skipped_records["cost-state"]) == ([200_000_000], 1)


@pytest.mark.parametrize("amount", HOSTILE)
def test_hostile_amounts_of_claude_code(amount: Any) -> None:
    assert told(assistant(said("a"), costUSD=amount), state(amount), state({"totalCostUSD": amount})) == [0]


def test_a_file_that_grows_has_each_dollar_once() -> None:
    rng = random.Random(15)
    records: list[dict[str, Any]] = []
    total, expected = Decimal(0), 0
    for number in range(2 * OPEN_MESSAGES):
        records.append(user(f"do {number}", number))
        own = {"costUSD": number % 3 / 1000} if number % 2 else {}
        expected += number % 3 * 10**6 if number % 2 else 0
        records.append(assistant(said("x"), id=f"msg_{number}", second=number, output=number, **own))
        if rng.random() < 0.4:
            total += Decimal(rng.randrange(1, 10**9)) / 10**9
            records.append(state(float(total + 10)))  # more than the responses tell together
            expected = int((total + 10) * 10**9)
    whole = data(*records)
    once = union([import_claude_code(whole, file=FILE)])
    assert sum(row.reported_cost_nanodollars for key, row in once["rows"].items() if key[0] == "message") == expected
    for seed in range(5):
        cuts = sorted(random.Random(seed).sample(range(len(whole)), 9))
        print(f"seed {seed}")
        assert union(grown(whole, [*cuts, len(whole)], 3000, file=FILE)) == once


# --- others ----------------------------------------------------------------------------------------------------------


def test_a_message_of_opencode(tmp_path: pathlib.Path) -> None:
    session = opencode_files.export(
        opencode_files.user(1, opencode_files.said("x")),
        opencode_files.assistant(2, opencode_files.said("y"), cost=0.0123456789),
        opencode_files.assistant(3, opencode_files.said("z"), cost=0),  # its steps say 0.1
        opencode_files.assistant(4, opencode_files.said("no"), cost="0.5"),
    )
    path = opencode_files.write_export(tmp_path / "one.json", session)
    assert costs(opencode_files.read(path)) == [0, 12_345_679, 100_000_000, 100_000_000]


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ({"input": 0.1, "output": 0.2, "cacheRead": 0, "cacheWrite": 0, "total": 0.3}, 300_000_000),
        ({"input": 0.1, "output": 0.2}, 300_000_000),
        ({"input": -0.1, "output": "1", "total": None}, 0),
        (0.25, 250_000_000),
        ({}, 0),
        ([1], 0),
    ],
)
def test_a_response_of_pi(cost: Any, expected: int, tmp_path: pathlib.Path) -> None:
    usage = {"input": 1, "output": 2, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 3, "cost": cost}
    path = pi_lines.write(
        tmp_path / pi_lines.NAME, pi_lines.header(), pi_lines.assistant(1, pi_lines.said("x"), usage=usage)
    )
    assert costs(pi_lines.read(path)) == [expected]


def swe(tmp_path: pathlib.Path, name: str, run: Any) -> list[int]:
    (tmp_path / name).write_bytes(document(run))
    return costs(list(import_tree(tmp_path, Options(), [importer_named("swe-agent")])))


def test_a_run_of_swe_agent(tmp_path: pathlib.Path) -> None:
    run = copy.deepcopy(SWE_RUN)
    run["info"]["model_stats"] = {"instance_cost": 0.0625, "tokens_sent": 5, "tokens_received": 2, "total_cost": 9}
    found = swe(tmp_path, "a.traj", run)
    assert (sum(found), len([one for one in found if one])) == (62_500_000, 1)


def test_a_run_of_mini_swe_agent(tmp_path: pathlib.Path) -> None:
    run = copy.deepcopy(MINI_RUN)
    said_by_model = [one for one in run["messages"] if one.get("role") == "assistant"]
    for number, one in enumerate(said_by_model, 1):
        one["extra"]["cost"] = number / 100
    run["info"]["model_stats"] = {"instance_cost": 0.05, "api_calls": 3}
    # What nobody tells of (retries) is of the last response.
    assert [one for one in swe(tmp_path, "a.traj.json", run) if one] == [10_000_000, 40_000_000]
    run["info"]["model_stats"]["instance_cost"] = 0.01
    assert [one for one in swe(tmp_path, "a.traj.json", run) if one] == [10_000_000, 20_000_000]
    for one in said_by_model:
        del one["extra"]["cost"]
    assert [one for one in swe(tmp_path, "a.traj.json", run) if one] == [10_000_000]


def test_a_conversation_of_cursors_editor(tmp_path: pathlib.Path) -> None:
    id = "11111111-2222-3333-4444-555555555555"
    composer = {
        "composerId": id,
        "usageData": {"default": {"costInCents": 24, "amount": 6}, "opus": {"costInCents": 0.5}, "x": -1, "y": None},
        "conversation": [
            {"type": 1, "bubbleId": "a", "text": "x"},
            {"type": 2, "bubbleId": "b", "text": "y", "tokenCount": {"inputTokens": 3, "outputTokens": 4}},
            {"type": 1, "bubbleId": "c", "text": "z"},
        ],
    }
    state_db(tmp_path / "User" / "globalStorage" / "state.vscdb", {f"composerData:{id}": composer}).close()
    results = read_all(Cursor(), tmp_path)
    assert costs(results) == [0, 245_000_000, 0]
    assert results[0].messages[1].output_tokens == 4


@pytest.mark.parametrize(("column", "scale"), [("cost_usd", 10**9), ("cost_microdollars", 1000)])
def test_usage_events_of_agentsview(column: str, scale: int, tmp_path: pathlib.Path) -> None:
    archive = agentsview_files.Archive(tmp_path / "sessions.db")
    archive.connection.execute(f"ALTER TABLE usage_events ADD COLUMN {column}")
    archive.session("hermes:s", "hermes")
    for text in "xy":
        archive.message("hermes:s", "assistant", text)
    spent = {"input_tokens": 10, "output_tokens": 5, "reasoning_tokens": 2}
    for ordinal, cost in ((0, 3), (0, 4), (1, None), (1, -5)):
        archive.usage("hermes:s", model="m", message_ordinal=ordinal, **spent, **{column: cost})
    first, second = archive.sessions()["hermes:s"].messages
    assert (first.reported_cost_nanodollars, second.reported_cost_nanodollars) == (7 * scale, 0)
    # Two usages are one: their sum, and one object.
    assert (first.input_tokens, first.output_tokens) == (20, 10)
    assert json.loads(first.token_usage)["reasoning_tokens"] == 4


# --- what the tokens of a response have in them ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # Google's models, up to the version that mended it: the input has what was read from the cache.
        ({"input": 100, "output": 20, "cacheRead": 60, "cacheWrite": 0, "totalTokens": 120}, (40, 60, 0, 20)),
        ({"input": 40, "output": 20, "cacheRead": 60, "cacheWrite": 0, "totalTokens": 120}, (40, 60, 0, 20)),
        ({"input": 100, "output": 20, "cacheRead": 60, "cacheWrite": 5, "totalTokens": 125}, (40, 60, 5, 20)),
        ({"input": 100, "output": 20, "cacheRead": 60, "cacheWrite": 5}, (100, 60, 5, 20)),
        ({"input": 100, "output": 20, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 120}, (100, 0, 0, 20)),
    ],
)
def test_input_of_pi_is_without_the_cache(
    usage: dict[str, int], expected: tuple[int, ...], tmp_path: pathlib.Path
) -> None:
    said_so = pi_lines.assistant(1, pi_lines.said("x"), usage=usage)
    (result,) = pi_lines.read(pi_lines.write(tmp_path / pi_lines.NAME, pi_lines.header(), said_so))
    (one,) = result.messages
    assert (one.input_tokens, one.cache_read_tokens, one.cache_write_tokens, one.output_tokens) == expected
    assert json.loads(one.token_usage) == usage


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 90, "completion_tokens": 9, "total_tokens": 99,
          "completion_tokens_details": {"reasoning_tokens": 5}}, (90, 0, 0, 9)),
        ({"prompt_tokens": 90, "completion_tokens": 9, "total_tokens": 104,
          "completion_tokens_details": {"reasoning_tokens": 5}}, (90, 0, 0, 14)),
        ({"prompt_tokens": 90, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 50}},
         (90, 0, 0, 59)),
        ({"prompt_tokens": 90, "completion_tokens": 9, "completion_tokens_details": None}, (90, 0, 0, 9)),
        ({"input_tokens": 90, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 30},
          "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 99}, (60, 30, 0, 9)),
        ({"input_tokens": 90, "output_tokens": 9, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 7},
         (90, 300, 7, 9)),
        ({"prompt_tokens": 397, "completion_tokens": 9, "cache_read_input_tokens": 300,
          "cache_creation_input_tokens": 7}, (90, 300, 7, 9)),
    ],
)  # fmt: skip
def test_tokens_of_litellm(usage: dict[str, Any], expected: tuple[int, ...], tmp_path: pathlib.Path) -> None:
    run = copy.deepcopy(MINI_RUN)
    response = next(one for one in run["messages"] if one.get("role") == "assistant")["extra"]["response"]
    response |= {"usage": usage, "service_tier": "flex"}
    (tmp_path / "a.traj.json").write_bytes(document(run))
    (result,) = import_tree(tmp_path, Options(), [importer_named("swe-agent")])
    one = result.messages[1]
    assert (one.input_tokens, one.cache_read_tokens, one.cache_write_tokens, one.output_tokens) == expected
    assert json.loads(one.token_usage) == usage | {"service_tier": "flex"}


def test_the_tier_of_codex_is_that_of_the_settings() -> None:
    def tier(second: int, name: Any) -> dict[str, Any]:
        return codex.event("thread_settings_applied", second, thread_settings={"model": "m", "service_tier": name})

    def answer(number: int) -> list[dict[str, Any]]:
        spent = codex.usage(10, 0, 5, 2)
        total = {name: number * count for name, count in spent.items()}
        return [codex.said("assistant", f"a{number}", number), codex.tokens(total, spent, number)]

    records = [codex.meta(), *answer(1), tier(2, "priority"), *answer(2), *answer(3), tier(4, None), *answer(4)]
    result = codex.read(*records, tier(5, 7), *answer(5))
    assert [json.loads(one.token_usage).get("service_tier") for one in result.messages] == [
        None, "priority", "priority", None, None,
    ]  # fmt: skip
    without = codex.read(*(one for one in records if one["payload"].get("type") != "thread_settings_applied"))
    assert [one.source_id for one in without.messages] == [one.source_id for one in result.messages[:4]]
