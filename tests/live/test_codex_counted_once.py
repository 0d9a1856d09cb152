"""Families of Codex threads in a store: imported file by file in any order, what they share counts once."""

from __future__ import annotations

import pathlib
import random

import pytest

from agentstore import AsyncClickHouseStore, SessionFilter
from agentstore.importers import Options
from agentstore.importers.codex import Codex
from agentstore.ingest import ImportWriter
from tests.unit.codex_families import STYLES, Thread, family
from tests.unit.mutation_seed import mutation_seed

EVERYTHING = SessionFilter(include_subagents=True, limit=1000)


async def write(store: AsyncClickHouseStore, org: str, paths: list[pathlib.Path], rng: random.Random) -> None:
    writer = ImportWriter(store, org)
    history = Codex().survey(paths, Options(user_id="ada", machine="one", piece_bytes=rng.choice([2000, 1 << 24])))
    for path in rng.sample(paths, len(paths)):
        for result in history.read(path):
            await writer.write(result)


async def counted(store: AsyncClickHouseStore, org: str) -> dict[str, int]:
    models = await store.token_usage_by_model(org)
    tools = await store.tool_usage_distribution(org)
    sessions = (await store.list_sessions(org, EVERYTHING)).sessions
    own = sum(one.message_count - one.copied_message_count for one in sessions)
    return {
        "input": sum(model.input_tokens for model in models),
        "output": sum(model.output_tokens for model in models),
        "calls": sum(tool.usage_count for tool in tools),
        "messages": own,
    }


def written(threads: list[Thread]) -> dict[str, int]:
    return {
        "input": sum(thread.input for thread in threads),
        "output": sum(thread.output for thread in threads),
        "calls": sum(thread.calls for thread in threads),
        "messages": sum(thread.prompts + thread.responses + thread.summaries for thread in threads),
    }


@pytest.mark.parametrize("style", STYLES)
async def test_families_count_once_in_any_order(
    store: AsyncClickHouseStore, org: str, style: str, tmp_path: pathlib.Path
) -> None:
    seed = mutation_seed()
    print(f"{style}: AGENTSTORE_MUTATION_SEED={seed}")
    await _check(store, org, style, seed, tmp_path)


@pytest.mark.xfail(strict=True, reason="the tokens of one response of 69 are counted for none of these threads")
async def test_a_family_of_which_one_response_counts_nowhere(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    """Found by chance, and not understood yet."""
    await _check(store, org, "turns", 579607358, tmp_path)


async def _check(store: AsyncClickHouseStore, org: str, style: str, seed: int, tmp_path: pathlib.Path) -> None:
    rng = random.Random(seed)
    threads = family(rng, style, 5)
    paths = [thread.save(tmp_path) for thread in threads]
    for number in range(2):
        one_org = f"{org}-{number}"
        await write(store, one_org, paths, rng)
        assert await counted(store, one_org) == written(threads)
        # Again: nothing changes.
        await write(store, one_org, paths, rng)
        assert await counted(store, one_org) == written(threads)
