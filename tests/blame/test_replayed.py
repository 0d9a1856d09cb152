"""Blame on repositories that were made by carrying the edit calls of real transcripts out once more.

What is measured: how many lines of calls are told, how many of those rightly, and that none is told wrongly with
confidence "high". ``-s`` prints the numbers by project. AGENTSTORE_BLAME=all measures every project that the
transcripts know, which takes some minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.blame import BlamedLines, blame
from agentstore.ingest import ingest
from tests.blame.replaying import CHECKOUT, PERSON, Replayed, Replaying, calls_of
from tests.local.server_processes import end_all_servers

ROOT = Path(__file__).resolve().parents[2]
TRANSCRIPTS = Path(os.environ.get("AGENTSTORE_TRANSCRIPTS") or ROOT.parent / "shared" / "transcripts")
ORG = "replayed"
# By the path of their sessions: one with many sessions of several people, one that was written from nothing, one of
# patches.
PROJECTS = [
    "/Users/gtrrz-victor/wks/cli",
    "/Users/testuser/Documents/GitHub/example-org/example-project",
    "/Users/pete/git/moredip/session-share",
    "/Users/alex/repos/vfp/dark-factory",
]

pytestmark = pytest.mark.skipif(
    not TRANSCRIPTS.is_dir(), reason=f"no transcripts at {TRANSCRIPTS} (AGENTSTORE_TRANSCRIPTS)"
)


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    home = Path(tempfile.mkdtemp(prefix="agentstore-blame-"))
    try:
        target = f"local:{home / 'store'}"
        asyncio.run(_fill(target))
        yield target
    finally:
        end_all_servers(home)
        shutil.rmtree(home, ignore_errors=True)


async def _fill(target: str) -> None:
    async with AsyncClickHouseStore(target) as store:
        await store.ensure_schema()
        for agent in ("claude-code", "codex", "opencode"):
            async for _ in ingest(store, ORG, places=TRANSCRIPTS / agent, user="ada", machine="tide", mask=False):
                pass


@pytest.mark.parametrize("path", PROJECTS)
@pytest.mark.timeout(300)
async def test_nothing_is_told_wrongly_for_sure_and_most_is_told(dsn: str, path: str, tmp_path: Path) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        project = next(one for one in await store.list_projects(ORG) if one.path == path)
        replayed = Replaying(tmp_path, project.id).carry_out(await calls_of(store, ORG, project.id))
        await store.write_git_links(ORG, replayed.links)
        counts, wrong = await measured(store, replayed)
    print(project.name, dict(counts))
    assert wrong == []
    of_calls = counts["right"] + counts["wrong"] + counts["missed"]
    assert of_calls > 50
    assert counts["right"] >= 0.9 * of_calls
    assert counts["high"] >= 0.5 * of_calls
    # What a person wrote, in other words: copies of the calls' own lines are in doubt, the rest is nobody's.
    assert counts["of a person, named"] <= 0.1 * counts["of a person"] + 20


@pytest.mark.skipif(os.environ.get("AGENTSTORE_BLAME") != "all", reason="takes long: AGENTSTORE_BLAME=all")
@pytest.mark.timeout(7200)
async def test_nothing_of_any_project_is_told_wrongly_for_sure(dsn: str, tmp_path: Path) -> None:
    total: Counter[str] = Counter()
    wrong = []
    async with AsyncClickHouseStore(dsn) as store:
        for number, project in enumerate(await store.list_projects(ORG)):
            calls = await calls_of(store, ORG, project.id)
            if not calls:
                continue
            replayed = Replaying(tmp_path / str(number), project.id).carry_out(calls)
            await store.write_git_links(ORG, replayed.links)
            counts, found = await measured(store, replayed)
            print(project.path, dict(counts), found, flush=True)
            total += counts
            wrong += [f"{project.path} {one}" for one in found]
    print("all", dict(total))
    assert total["high"] > 1000
    assert wrong == []


async def measured(store: AsyncClickHouseStore, replayed: Replayed) -> tuple[Counter[str], list[str]]:
    """How many lines are told how, and each that is told wrongly with confidence "high"."""
    counts: Counter[str] = Counter()
    wrong = []
    for path, truth in replayed.truth.items():
        found = await blame(store, ORG, str(replayed.top), path, project_id=replayed.project_id)
        assert [number for one in found.lines for number in range(one.first, one.last + 1)] == list(
            range(1, len(truth) + 1)
        )
        for one in found.lines:
            for number in range(one.first, one.last + 1):
                true = truth[number - 1]
                is_right = key_of(one) in true
                is_persons = not is_right and bool(true & {PERSON, CHECKOUT})
                counts["of a person"] += is_persons
                counts["of a person, named"] += is_persons and one.tool_use_id != ""
                counts["right"] += is_right
                counts["missed"] += not one.session_id and not is_persons
                counts["wrong"] += bool(one.tool_use_id) and not is_right and not is_persons
                counts["high"] += one.confidence == "high"
                if one.confidence == "high" and not is_right:
                    wrong.append(f"{path}:{number}: {key_of(one)} and not {true}")
    return counts, wrong


def key_of(one: BlamedLines) -> str:
    return json.dumps([one.session_id, one.message_ordinal, one.tool_use_id])


async def test_the_prompt_is_the_last_one_before_the_call(dsn: str, tmp_path: Path) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        project = next(one for one in await store.list_projects(ORG) if one.path == PROJECTS[2])
        replayed = Replaying(tmp_path, project.id).carry_out(await calls_of(store, ORG, project.id))
        prompts = 0
        for path in replayed.truth:
            found = await blame(store, ORG, str(replayed.top), path, project_id=replayed.project_id)
            for one in found.lines:
                if not one.tool_use_id:
                    continue
                messages = await store.get_session_messages(ORG, one.session_id)
                before = [m for m in messages if m.ordinal < one.message_ordinal and m.role == "user"]
                assert (one.prompt_ordinal, one.prompt) == (before[-1].ordinal, before[-1].content)
                prompts += 1
    assert prompts > 5
