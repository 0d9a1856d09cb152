"""Real transcripts: imported, written, and read back equal, with the totals that were counted independently."""

from __future__ import annotations

import asyncio
import csv
from collections import defaultdict
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore, Message, SearchQuery, SessionFilter, ToolCall
from agentstore.importers import ImportResult, import_claude_code
from tests.builders import stored
from tests.live.model import Model
from tests.live.snapshot import snapshot
from tests.reference import is_subagent
from tests.servers import Server

EVERYTHING = SessionFilter(include_subagents=True, include_deleted=True, limit=1000)
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])


@pytest.fixture(scope="module")
def manifest(transcripts: Path) -> list[dict[str, str]]:
    with (transcripts / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["agent"] == "claude-code"]
    # Earlier snapshots are of sessions that are there: they have the same ids.
    return [row for row in rows if "/growth/" not in row["file"]]


@pytest.fixture(scope="module")
def imported(transcripts: Path, manifest: list[dict[str, str]]) -> list[ImportResult]:
    return [import_claude_code((transcripts / row["file"]).read_bytes(), file=row["file"]) for row in manifest]


async def write(store: AsyncClickHouseStore, org: str, results: list[ImportResult]) -> None:
    for result in results:
        await store.write_batch(org, result.sessions, result.messages, result.tool_calls)
        await store.write_git_links(org, result.git_links)


def in_order(calls: Iterator[ToolCall]) -> list[ToolCall]:
    return sorted(calls, key=attrgetter("message_ordinal", "tool_use_id", "call_index"))


@pytest.fixture(scope="module")
def written(server: Server, database: str, imported: list[ImportResult]) -> str:
    """An organisation with all of them."""
    org = f"transcripts-{database}"

    async def fill() -> None:
        async with AsyncClickHouseStore(server.dsn, database=database) as store:
            await write(store, org, imported)

    asyncio.run(fill())
    return org


async def test_read_back_equal(store: AsyncClickHouseStore, written: str, imported: list[ImportResult]) -> None:
    org = written
    assert sum(len(result.sessions) for result in imported) >= 45
    for result in imported:
        for session in result.sessions:
            links = [link for link in result.git_links if link.session_id == session.id]
            keys = {(link.commit_sha, link.pr_url) for link in links}
            called = [call for call in result.tool_calls if call.session_id == session.id]
            read = await store.get_session(org, session.id)
            derived = {
                "commit_count": len(keys),
                "tool_call_count": len(called),
                "copied_message_count": read.copied_message_count,
                "origin_session_id": read.origin_session_id,
            }
            assert read == stored(session, org, **derived)
            messages = [stored(message, org) for message in result.messages if message.session_id == session.id]
            assert await store.get_session_messages(org, session.id) == messages
            calls = (stored(call, org) for call in called)
            assert await store.get_session_tool_calls(org, session.id) == in_order(calls)
            found = await store.get_session_git_links(org, session.id)
            assert {(link.commit_sha, link.pr_url): link for link in found} == {
                (link.commit_sha, link.pr_url): stored(link, org) for link in links
            }


async def test_totals_are_those_of_the_manifest(
    store: AsyncClickHouseStore, written: str, manifest: list[dict[str, str]], imported: list[ImportResult]
) -> None:
    org = written
    page = await store.list_sessions(org, EVERYTHING)
    sessions = {found.id: found for found in page.sessions}
    counted = [(row, read.sessions[0].id) for row, read in zip(manifest, imported, strict=True) if read.sessions]
    assert len(counted) == sum(row["sessions_in_file"] != "0" for row in manifest)
    for row, id in counted:
        # Sessions without a user's message are not browsable, but they are there.
        session = sessions.get(id) or await store.get_session(org, id)
        calls = await store.get_session_tool_calls(org, id)
        assert len(calls) == int(row["tool_calls"])
        assert sum(call.result_content_length is not None for call in calls) == int(row["pairs_matched"])
        messages = await store.get_session_messages(org, id)
        assert sum(message.output_tokens for message in messages) == int(row["output_tokens_dedup"])
        assert session.total_output_tokens == int(row["output_tokens_dedup"])
    listed = await store.list_sessions(org, SessionFilter(limit=1000))
    assert sum(day.session_count for day in await store.daily_activity(org)) == listed.total
    assert sum(cell.session_count for cell in await store.activity_heatmap(org)) == listed.total


async def test_tokens_are_those_of_each_response_once(
    store: AsyncClickHouseStore, written: str, imported: list[ImportResult]
) -> None:
    listed = {found.id for found in (await store.list_sessions(written, SessionFilter(limit=1000))).sessions}
    heads = [session for result in imported for session in result.sessions]
    listed |= {one.id for one in heads if is_subagent(one) and one.parent_session_id in listed}
    largest: dict[object, Message] = {}
    for message in (message for result in imported for message in result.messages):
        key = message.source_id or (message.session_id, message.ordinal)
        if message.session_id in listed and message.output_tokens >= getattr(largest.get(key), "output_tokens", 0):
            largest[key] = message
    expected: dict[str, int] = defaultdict(int)
    for message in largest.values():
        expected[message.model] += message.output_tokens
    found = await store.token_usage_by_model(written)
    assert {one.model: one.output_tokens for one in found} == {m: n for m, n in expected.items() if n}
    assert [one.output_tokens for one in found] == sorted((one.output_tokens for one in found), reverse=True)


async def test_importing_twice_changes_nothing(
    store: AsyncClickHouseStore, written: str, imported: list[ImportResult]
) -> None:
    ids = [session.id for result in imported for session in result.sessions][:10]
    before = await snapshot(store, written, ids)
    await write(store, written, imported)
    assert await snapshot(store, written, ids) == before


async def test_search_finds_what_a_plain_scan_finds(
    store: AsyncClickHouseStore, org: str, imported: list[ImportResult]
) -> None:
    model = Model(org)
    short = [result for result in imported if len(result.messages) < 16]
    await write(store, org, short)
    for result in short:
        model.write_batch(result.sessions, result.messages, result.tool_calls)
    for needle in ("error", "ÜBER", "%", "\\n", "→", "def ", "✓", "日"):
        page = await store.search(org, SearchQuery(query=needle, limit=1000))
        expected = model.search(needle)
        assert (page.results, page.total) == (expected, len(expected)), needle
