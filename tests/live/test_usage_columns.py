"""What a response cost, in columns that the server derives from ``token_usage``: of every agent, and of anything."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.connection.sql import Sql, sql
from agentstore.importers import Options, import_tree
from tests.builders import message, session
from tests.live.connections import connected
from tests.plain_usage import READERS, Found

COLUMNS = ("cache_write_1h_tokens", "reasoning_tokens", "service_tier", "web_searches")
Row = tuple[int, int, str, int]


async def columns(store: AsyncClickHouseStore, org: str) -> list[Row]:
    """The columns of an organisation's messages in the order of their ordinals; their narrow copy has the same."""
    names = Sql(", ".join(COLUMNS))
    whole, narrow = (
        sql(
            "SELECT {names} FROM {table} FINAL WHERE org_id = {org} ORDER BY ordinal",
            names=names,
            table=Sql(table),
            org=org,
        )
        for table in ("messages", "message_facts")
    )
    async with connected(store) as connection:
        rows = list(zip(*await connection.fetch(whole, {}, timeout=60), strict=True))
        assert rows == list(zip(*await connection.fetch(narrow, {}, timeout=60), strict=True))
    return rows


async def derived(
    store: AsyncClickHouseStore, org: str, *usages: str, cache_write: int = 1000, output: int = 1000
) -> list[Row]:
    spent: dict[str, Any] = {"cache_write_tokens": cache_write, "output_tokens": output}
    messages = [message(number, token_usage=usage, **spent) for number, usage in enumerate(usages)]
    await store.write_session(org, session("s"), messages)
    return await columns(store, org)


# --- real files ------------------------------------------------------------------------------------------------------


def files(root: Path, agent: str) -> list[Path]:
    if agent == "opencode":
        return sorted(root.glob("opencode/*/export/*.json"))
    return sorted(path for path in (root / agent).rglob("*") if path.is_file())


async def found_in(store: AsyncClickHouseStore, org: str) -> Found:
    sums = sql(
        "SELECT model, sum(cache_write_1h_tokens), sum(reasoning_tokens), sum(web_searches), sum(output_tokens),"
        " sum(reported_cost_nanodollars), max(reasoning_tokens > output_tokens),"
        " max(cache_write_1h_tokens > cache_write_tokens) FROM messages FINAL WHERE org_id = {org} GROUP BY model",
        org=org,
    )
    tiers = sql(
        "SELECT model, service_tier, count() FROM messages FINAL WHERE org_id = {org} AND service_tier != ''"
        " GROUP BY model, service_tier",
        org=org,
    )
    found: Found = Counter()
    async with connected(store) as connection:
        rows = zip(*await connection.fetch(sums, {}, timeout=60), strict=True)
        for model, hour, reasoning, searches, output, cost, *beyond in rows:
            assert beyond == [0, 0]
            names = ("cache_write_1h", "reasoning", "searches", "output", "cost")
            found |= {
                (name, model): n for name, n in zip(names, (hour, reasoning, searches, output, cost), strict=True)
            }
        for model, tier, count in zip(*await connection.fetch(tiers, {}, timeout=60), strict=True):
            found[f"tier {tier}", model] += count
    return found


@pytest.mark.parametrize("agent", READERS)
async def test_columns_are_what_a_plain_reading_of_real_files_finds(
    store: AsyncClickHouseStore, org: str, transcripts: Path, agent: str
) -> None:
    paths = files(transcripts, agent)
    assert paths
    together: Found = Counter()
    for number, path in enumerate(paths):
        own = f"{org}-{number}"
        for result in import_tree(path, Options()):
            await store.write_batch(own, result.sessions, result.messages, result.tool_calls)
        expected = READERS[agent](path)
        stored = await found_in(store, own)
        if READERS[agent].__name__ == "nothing":
            stored = Counter({key: n for key, n in stored.items() if key[0] != "output"})
        assert +stored == +expected, path
        together += expected
    print(agent, dict(together))
    if agent in ("claude-code", "codex", "gemini-cli", "opencode"):
        assert sum(n for (what, _), n in together.items() if what != "output") > 100


# --- shapes ----------------------------------------------------------------------------------------------------------

USAGES: dict[str, tuple[str, Row]] = {
    "Claude Code": (
        '{"input_tokens":1,"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":4,'
        '"ephemeral_1h_input_tokens":5},"output_tokens":8,"service_tier":"standard","server_tool_use":'
        '{"web_search_requests":3,"web_fetch_requests":7},"iterations":[{"cache_creation":'
        '{"ephemeral_1h_input_tokens":99}}],"output_tokens_details":{"thinking_tokens":6},"speed":"standard"}',
        (5, 6, "standard", 3),
    ),
    "fast": ('{"service_tier":"standard","speed":"fast"}', (0, 0, "fast", 0)),
    "zeros first": ('{"iterations":[{"cache_creation":{"ephemeral_1h_input_tokens":0},"service_tier":"batch"}],'
        '"cache_creation":{"ephemeral_1h_input_tokens":7},"service_tier":"Priority"}', (7, 0, "priority", 0)),
    "tiers inside": ('{"iterations":[{"service_tier":"standard"},{"service_tier":"standard"}]}', (0, 0, "", 0)),
    "Codex": ('{"output_tokens":9,"reasoning_output_tokens":8,"service_tier":"flex"}', (0, 8, "flex", 0)),
    "Gemini": ('{"input":1,"output":2,"cached":0,"thoughts":11,"tool":0,"total":3}', (0, 11, "", 0)),
    "OpenCode": ('{"input":1,"output":9,"reasoning":4,"cache":{"read":5,"write":6}}', (0, 4, "", 0)),
    "Copilot": ('{"inputTokens":1,"outputTokens":2,"reasoningTokens":2,"cacheWriteTokens":3}', (0, 2, "", 0)),
    "Pi": ('{"input":1,"output":9,"cacheWrite":8,"cacheWrite1h":7,"reasoning":3,"cost":{"input":1}}', (7, 3, "", 0)),
    "OMP": ('{"reasoningTokens":3,"cttl":{"ephemeral5m":1,"ephemeral1h":2},"server":{"webSearch":4}}', (2, 3, "", 4)),
    "OpenAI through litellm": (
        '{"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":5},"service_tier":"default",'
        '"prompt_tokens_details":{"cached_tokens":2,"web_search_requests":2}}',
        (0, 5, "default", 2),
    ),
    "Anthropic through litellm": (
        '{"prompt_tokens_details":{"cache_creation_token_details":{"ephemeral_1h_input_tokens":12}},'
        '"server_tool_use":{"web_search_requests":1}}',
        (12, 0, "", 1),
    ),
    "Responses": ('{"output_tokens":9,"output_tokens_details":{"reasoning_tokens":5}}', (0, 5, "", 0)),
    "agentsview": ('{"output_tokens":9,"reasoning_tokens":5,"cache_read_input_tokens":1}', (0, 5, "", 0)),
    "agentsview, of several lines": ('{"reasoning_tokens":5}\n{"reasoning_tokens":6}', (0, 11, "", 0)),
    "Cursor": ('{"inputTokens":3,"outputTokens":4}', (0, 0, "", 0)),
    "SWE-agent": ('{"instance_cost":1.5,"tokens_sent":5,"tokens_received":6,"api_calls":7}', (0, 0, "", 0)),
    "none": ("", (0, 0, "", 0)),
}  # fmt: skip


async def test_the_usage_of_each_agent(store: AsyncClickHouseStore, org: str) -> None:
    found = await derived(store, org, *(usage for usage, _ in USAGES.values()))
    assert dict(zip(USAGES, found, strict=True)) == {name: row for name, (_, row) in USAGES.items()}


def with_number(text: str) -> str:
    """All keys, each with this number."""
    hour, search = f'"ephemeral_1h_input_tokens":{text}', f'"web_search_requests":{text}'
    names = ("reasoning_output_tokens", "reasoning_tokens", "thoughts", "reasoningTokens", "reasoning", "cacheWrite1h")
    flat = ",".join(f'"{name}":{text}' for name in names)
    return (
        f'{{"cache_creation":{{{hour}}},"server_tool_use":{{{search}}},"service_tier":{text},"speed":{text},'
        f'"prompt_tokens_details":{{"cache_creation_token_details":{{{hour}}},{search}}},'
        f'"completion_tokens_details":{{"reasoning_tokens":{text}}},"cttl":{{"ephemeral1h":{text}}},'
        f'"output_tokens_details":{{"reasoning_tokens":{text},"thinking_tokens":{text}}},'
        f'"server":{{"webSearch":{text}}},{flat}}}'
    )


NUMBERS: dict[str, Row] = {
    "7": (7, 7, "", 7),
    "1000": (1000, 1000, "", 1000),
    "1001": (1000, 1000, "", 1001),
    "99999999999999": (1000, 1000, "", 1_000_000),
    **dict.fromkeys(
        (
            "0", "-1", "-9223372036854775808", str(2**70), str(-(2**70)), "1e400", "0.5", "7.5", "NaN", "Infinity",
            "null", "true", '"7"', '"-7"', "[7]", '{"a":7}', "07", "+7", "", "7 7", '"' + "x" * 33 + '"', '"a b"',
            '"ü"', '"\\ud800"', "{" * 1000, "[" * 20_000, '{"reasoning":' * 1000 + "1" + "}" * 1000,
        ),
        (0, 0, "", 0),
    ),
}  # fmt: skip


async def test_no_number_is_less_than_nothing_or_more_than_all(store: AsyncClickHouseStore, org: str) -> None:
    found = await derived(store, org, *map(with_number, NUMBERS))
    assert dict(zip(NUMBERS, found, strict=True)) == NUMBERS
    # A part of nothing is nothing.
    assert {row[:2] for row in await derived(store, f"{org}-0", with_number("7"), cache_write=0, output=0)} == {(0, 0)}


async def test_what_is_no_usage_is_stored_and_tells_nothing(store: AsyncClickHouseStore, org: str) -> None:
    whole, nothing = with_number("7"), (0, 0, "", 0)
    texts = [
        "not JSON", '"reasoning"', "null", "[]", f"[{whole}]", whole[:-1], f"{whole}}}", f"x{whole}", "{" * 100_000,
        '{"service_tier":"standard"', '{"reasoning":7,"x":"' + "y" * 10_000_000 + '"}', '{"reasoning":\udcff7}',
        '{"reasoning":7,"x":"\x00"}', "\ufeff{", '{"reasoning":' * 20_000, '{"a":1e999999,"reasoning":7}',
    ]  # fmt: skip
    assert await derived(store, org, *texts) == [nothing] * len(texts)
    twice = '{"reasoning":3,"reasoning":2000,"service_tier":"batch","service_tier":"flex"}'
    ((hour, reasoning, tier, searches),) = await derived(store, f"{org}-twice", twice)
    assert (hour, searches) == (0, 0)
    assert reasoning in (3, 1000)
    assert tier in ("batch", "flex")
    assert [one.token_usage for one in await store.get_session_messages(f"{org}-twice", "s")] == [twice]


async def test_the_columns_follow_when_a_message_is_written_again(store: AsyncClickHouseStore, org: str) -> None:
    assert await derived(store, org, '{"reasoning":7}') == [(0, 7, "", 0)]
    assert await derived(store, org, '{"reasoning":9,"service_tier":"batch"}') == [(0, 9, "batch", 0)]
