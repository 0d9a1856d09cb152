"""What an ingest tells: by agent, before it reads anything, and when it is asked to stop."""

from __future__ import annotations

import asyncio
import pathlib

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.ingest import IngestSummary, ingest, preview, reimport
from tests.live.ingesting import collected, rows, run, written
from tests.live.test_ingest_run import claude, talk
from tests.unit import codex_lines
from tests.unit.importer_lines import SESSION, assistant, result, use

TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
OTHERS = [f"{number:08x}-2b64-4e0a-8f35-6a1b2c3d4e5f" for number in range(1, 60)]


@pytest.fixture(autouse=True)
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times tell every change: as if all files had been written some time ago."""
    monkeypatch.setattr("agentstore.ingest.places._TICK", 0)
    monkeypatch.setattr("agentstore.ingest.places._COARSE_TICK", 0)


def two_agents(folder: pathlib.Path) -> None:
    """A session of each; a commit in one, a secret in the other."""
    commit = use("toolu_commit", command="git commit -m x")
    claude(folder, *talk("one"), assistant(commit, second=50), result("toolu_commit", "[main 1a2b3c4] x", 51))
    records = [codex_lines.meta(), codex_lines.said("user", f"use {TOKEN}", 1), codex_lines.said("assistant", "ok", 2)]
    written(folder, [(f"sessions/{codex_lines.NAME}", codex_lines.data(*records))])


async def test_figures_are_told_by_agent_and_add_up(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    two_agents(tmp_path)
    summary = (await run(store, org, tmp_path)).summary
    assert set(summary.agents) == {"claude-code", "codex"}
    claude_code, codex = summary.agents["claude-code"], summary.agents["codex"]
    assert (claude_code.sessions, claude_code.tool_calls, claude_code.commits) == (1, 2, 1)
    assert (codex.sessions, codex.messages, codex.tool_calls, codex.commits) == (1, 2, 0, 0)
    assert claude_code.secrets == {}
    assert codex.secrets == summary.secrets != {}
    for name in ("bytes_found", "bytes_read", "sessions", "messages", "tool_calls", "commits", "problem_count"):
        assert getattr(summary, name) == getattr(claude_code, name) + getattr(codex, name), name
    assert summary.files == {"read": 2}
    again = (await run(store, org, tmp_path)).summary
    assert {name: figures.files for name, figures in again.agents.items()} == {
        "claude-code": {"unchanged": 1},
        "codex": {"unchanged": 1},
    }
    kept = (await collected(reimport(store, org))).summary
    assert (kept.agents["claude-code"].messages, kept.agents["codex"].messages) == (
        claude_code.messages, codex.messages,
    )  # fmt: skip


async def test_what_cannot_be_looked_at_is_nobodys(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    summary = (await run(store, org, tmp_path)).summary
    assert summary.agents[""].files == summary.files == {"failed": 1}


async def test_an_ingest_that_is_asked_to_stop_says_what_it_did_and_the_next_goes_on(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    for session in OTHERS:
        claude(tmp_path, *talk("one", "two", session=session), session=session)
    two_agents(tmp_path)
    stop = asyncio.Event()
    summary = IngestSummary()
    async for event in ingest(store, org, places=tmp_path, user="ada", machine="laptop", stop=stop):
        if isinstance(event, IngestSummary):
            summary = event
        elif event.kind == "read":
            stop.set()
    assert 0 < summary.files["read"] <= len(OTHERS) + 1
    assert "codex" not in summary.agents or "read" not in summary.agents["codex"].files
    assert len(await store.get_sessions(org, [*OTHERS, SESSION])) == summary.sessions == summary.files["read"]
    await run(store, org, tmp_path)
    await run(store, f"{org}-clean", tmp_path)
    assert await rows(store, org) == await rows(store, f"{org}-clean")


async def test_a_preview_tells_what_would_be_read_and_writes_nothing(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    two_agents(tmp_path)
    (tmp_path / "notes.txt").write_text("nobody's")
    for given in (None, store):
        told = await preview(given, org, places=tmp_path, user="ada", machine="laptop")
        assert {name: (one.new, one.unchanged) for name, one in told.agents.items()} == {
            "claude-code": (1, 0),
            "codex": (1, 0),
        }
        assert all(one.bytes_to_read == one.bytes_found > 0 for one in told.agents.values())
        assert told.unrecognised == {".txt": 1}
    assert await store.list_source_files(org) == []
    await run(store, org, tmp_path)
    two_agents(tmp_path)
    claude(tmp_path, *talk("one", "two"))
    told = await preview(store, org, places=tmp_path, user="ada", machine="laptop")
    changed, same = told.agents["claude-code"], told.agents["codex"]
    assert (changed.new, changed.changed, changed.unchanged) == (0, 1, 0)
    assert (same.new + same.changed + same.unchanged, same.new) == (1, 0)
    other = await preview(store, org, places=tmp_path, user="ada", machine="elsewhere")
    assert other.agents["claude-code"].new == 1


async def test_a_large_file_is_left_where_it_was_stopped(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentstore.ingest.arguments.PIECE_BYTES", 20_000)
    claude(tmp_path, *talk(*(f"{number} " + "long " * 200 for number in range(200))))
    stop = asyncio.Event()
    summary = IngestSummary()
    async for event in ingest(store, org, places=tmp_path, user="ada", machine="laptop", stop=stop):
        if isinstance(event, IngestSummary):
            summary = event
        elif event.kind == "stored":
            stop.set()
    assert summary.files == {"begun": 1}
    assert summary.sessions == 1
    assert 0 < summary.messages < 400
    ran = await run(store, org, tmp_path)
    assert 0 < ran.summary.messages < 400
    await run(store, f"{org}-clean", tmp_path)
    assert await rows(store, org) == await rows(store, f"{org}-clean")
