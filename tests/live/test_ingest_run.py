"""Whole ingests: what is read once, what again, and that many of them end as one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import secrets
from typing import Any

import pytest
import zstandard

from agentstore import AsyncClickHouseStore, NotFoundError
from agentstore.importers.claude_code.importer import ClaudeCode
from agentstore.importers.registry import IMPORTERS
from agentstore.ingest import IngestEvent, arguments, ingest
from tests.live.ingesting import rows, run, sessions, written
from tests.unit import codex_lines, importer_lines
from tests.unit.importer_lines import SESSION, assistant, data, line, result, said, use, user
from tests.unit.importer_seeds import SEEDS
from tests.unit.test_importer_outputs import EMBEDDED

OTHER = "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f"


def talk(*texts: str, session: str = SESSION) -> list[dict[str, Any]]:
    """Prompts and answers, a call each."""
    found = []
    for number, text in enumerate(texts):
        own: dict[str, Any] = {"sessionId": session}
        found += [
            user(text, 10 * number, uuid=f"{session}-u{number}", **own),
            assistant(said(f"answer to {text}"), use(f"toolu_{session}_{number}", command="git status"),
                      second=10 * number + 1, id=f"msg_{session}_{number}", output=7, uuid=f"{session}-a{number}",
                      **own),
            result(f"toolu_{session}_{number}", f"result of {text}", 10 * number + 2, **own),
        ]  # fmt: skip
    return found


def claude(
    folder: pathlib.Path, *records: Any, session: str = SESSION, project: str = "-home-ada-clock"
) -> pathlib.Path:
    path = folder / "projects" / project / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data(*records))
    age(path)
    return path


def age(*paths: pathlib.Path) -> None:
    """As if they had been written long ago: what was written just now is looked at again to be sure."""
    for path in paths:
        then = path.stat().st_mtime_ns - 10_000_000_000
        os.utime(path, ns=(then, then))


@pytest.fixture
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times tell every change: as if all files had been written some time ago."""
    monkeypatch.setattr("agentstore.ingest.places._TICK", 0)
    monkeypatch.setattr("agentstore.ingest.places._COARSE_TICK", 0)


pytestmark = pytest.mark.usefixtures("quick_clock")


async def test_every_agents_history_is_stored_once(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    for number, seed in enumerate(SEEDS):
        written(tmp_path / str(number), [(seed.path, seed.data), *seed.beside.items()])
    first = await run(store, org, tmp_path)
    assert first.summary.files["read"] + first.summary.files.get("held", 0) == len(first.paths("found")) > 0, (
        first.summary
    )
    assert first.summary.sessions == len(await sessions(store, org))
    before = await rows(store, org)
    again = await run(store, org, tmp_path)
    assert set(again.kinds) == {"found", "skipped"}
    assert again.summary.files == {"unchanged": len(again.paths("found"))}
    assert again.summary.bytes_read == 0
    assert await rows(store, org) == before


async def test_what_is_told_adds_up(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    path = claude(tmp_path, *talk("one", "two"), line("mystery", 50))
    (tmp_path / "notes.txt").write_text("nobody's")
    ran = await run(store, org, tmp_path)
    size = path.stat().st_size
    assert [(event.kind, event.size) for event in ran.events] == [("found", size), ("read", size), ("stored", size)]
    assert {event.agent for event in ran.events} == {"claude-code"}
    assert ran.events[-1].session_ids == (SESSION,)
    summary = ran.summary
    assert (summary.files, summary.bytes_found, summary.bytes_read, summary.sessions) == ({"read": 1}, size, size, 1)
    assert (summary.messages, summary.tool_calls) == (4, 2)
    assert summary.unknown_records == {"mystery": 1}
    assert summary.unrecognised == {".txt": 1}


async def test_an_appended_file_costs_its_new_records(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, *talk(*map(str, range(30))))
    await run(store, org, tmp_path)
    path = claude(tmp_path, *talk(*map(str, range(31))))
    ran = await run(store, org, tmp_path)
    assert ran.summary.bytes_read < path.stat().st_size / 10
    assert ran.summary.messages <= 4
    await run(store, f"{org}-clean", tmp_path)
    assert await rows(store, org) == await rows(store, f"{org}-clean")


async def test_growth_in_steps_ends_as_one_ingest(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    records = talk("one", "two", "three", "four")
    whole, path = data(*records), claude(tmp_path)
    for cut in range(0, len(whole), 997):  # also in the middle of lines
        path.write_bytes(whole[:cut])
        await run(store, org, tmp_path)
    path.write_bytes(whole)
    await run(store, org, tmp_path)
    await run(store, f"{org}-clean", tmp_path)
    assert await rows(store, org) == await rows(store, f"{org}-clean")


async def test_a_file_that_was_written_anew_replaces_what_it_was(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, *talk("one", "two", "three"))
    await run(store, org, tmp_path)
    claude(tmp_path, *talk("one", "other"))
    await run(store, org, tmp_path)
    assert [one.content for one in await store.get_session_messages(org, SESSION) if one.role == "user"] == [
        "one",
        "other",
    ]
    await run(store, f"{org}-clean", tmp_path)
    assert await rows(store, org) == await rows(store, f"{org}-clean")


@pytest.mark.parametrize("stop", range(1, 9))
async def test_an_ingest_that_is_ended_anywhere_goes_on(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Also one that replaces what was stored: rows of both are there until it has come to its end."""
    monkeypatch.setattr(arguments, "PIECE_BYTES", 2000)
    claude(tmp_path, *talk(*(f"old {number}" for number in range(12))))
    claude(tmp_path, *talk(*(f"old {number}" for number in range(3)), session=OTHER), session=OTHER)
    await run(store, org, tmp_path)
    claude(tmp_path, *talk(*(f"new {number}" for number in range(9))))
    told = 0
    async with contextlib.aclosing(ingest(store, org, places=tmp_path, user="ada", machine="laptop")) as events:
        async for event in events:
            told += isinstance(event, IngestEvent) and event.kind in ("read", "stored")
            if told == stop:
                break
    await run(store, org, tmp_path)
    await run(store, f"{org}-clean", tmp_path)
    assert await rows(store, org) == await rows(store, f"{org}-clean")


async def test_two_ingests_of_one_tree_at_once_end_right(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments, "PIECE_BYTES", 2000)
    for number in range(5):
        id = f"{number}{SESSION[1:]}"
        claude(tmp_path, *talk(*(f"{number} {part}" for part in range(10)), session=id), session=id)
    first, second = await asyncio.gather(run(store, org, tmp_path), run(store, org, tmp_path))
    assert first.summary.files == second.summary.files == {"read": 5}
    await run(store, f"{org}-clean", tmp_path)
    assert await rows(store, org) == await rows(store, f"{org}-clean")
    assert (await run(store, org, tmp_path)).summary.files == {"unchanged": 5}


async def test_a_moved_file_is_not_read_again(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    path = claude(tmp_path, *talk(*map(str, range(20))))
    await run(store, org, tmp_path)
    before = await rows(store, org)
    target = tmp_path / "elsewhere" / "projects" / path.parent.name / path.name
    target.parent.mkdir(parents=True)
    path.rename(target)
    ran = await run(store, org, tmp_path)
    assert ran.summary.messages == 0
    assert await rows(store, org) == before
    with target.open("ab") as file:
        file.write(data(user("more", 500, uuid="more")))
    ran = await run(store, org, tmp_path)
    assert ran.summary.messages == 1
    assert ran.summary.bytes_read < 1000
    assert [one.content for one in await store.get_session_messages(org, SESSION)][-1] == "more"


async def test_a_compressed_rollout_goes_on_where_the_plain_one_ended(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    records = [codex_lines.meta(), *(codex_lines.said("user", f"part {number}", number) for number in range(40))]
    plain = (
        written(tmp_path, [(f"sessions/{codex_lines.NAME}", importer_lines.data(*records))])
        / "sessions"
        / codex_lines.NAME
    )
    await run(store, org, tmp_path)
    before = await rows(store, org)
    plain.with_name(plain.name + ".zst").write_bytes(zstandard.compress(plain.read_bytes()))
    plain.unlink()
    ran = await run(store, org, tmp_path)
    assert (ran.summary.messages, ran.summary.files) == (0, {"unchanged": 1})
    assert await rows(store, org) == before


async def test_the_same_file_on_another_machine_is_known(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    claude(one, *talk("one"))
    await run(store, org, one)
    before = await rows(store, org)
    claude(other, *talk("one"))
    ran = await run(store, org, other, user="bob", machine="desktop")
    assert ran.paths("skipped", "known") == [f"{SESSION}.jsonl"]
    assert ran.summary.bytes_read == 0
    assert (await run(store, org, other, user="bob", machine="desktop")).summary.files == {"unchanged": 1}
    assert await rows(store, org) == before
    # It goes on there: a fork, for it is bob's now, and nothing of ada's is lost.
    claude(other, *talk("one", "bob's"))
    await run(store, org, other, user="bob", machine="desktop")
    assert next(one.content for one in await store.get_session_messages(org, SESSION) if one.role == "user") == "one"


async def test_a_deleted_session_does_not_come_back(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, *talk("one"))
    await run(store, org, tmp_path)
    await store.delete_sessions(org, [SESSION])
    claude(tmp_path, *talk("one", "two"))
    ran = await run(store, org, tmp_path)
    assert ran.paths("skipped", "deleted") == [f"{SESSION}.jsonl"]
    claude(tmp_path, *talk("one", "two", "three"))
    assert (await run(store, org, tmp_path)).summary.files == {"deleted": 1}
    with pytest.raises(NotFoundError):
        await store.get_session(org, SESSION)
    assert (await run(store, org, tmp_path, again=True)).summary.files == {"read": 1}
    assert (await store.get_session(org, SESSION)).message_count == 6


async def test_a_purged_session_does_not_come_back(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, *talk("one"))
    await run(store, org, tmp_path)
    await store.purge_sessions(org, [SESSION])
    ran = await run(store, org, tmp_path)
    assert ran.paths("skipped", "purged") == [f"{SESSION}.jsonl"]
    assert (await run(store, org, tmp_path)).summary.files == {"unchanged": 1}
    (row,) = await store.list_source_files(org, packed=["state", "facts"])
    assert (row.outcome, row.state, row.facts, row.session_ids) == ("purged", b"", b"", ())
    assert (await run(store, org, tmp_path, again=True)).summary.files == {"purged": 1}
    await store.restore_sessions(org, [SESSION])
    assert (await run(store, org, tmp_path, again=True)).summary.files == {"read": 1}
    assert (await store.get_session(org, SESSION)).message_count > 0


async def test_a_newer_importer_reads_again(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    class Better(ClaudeCode):
        version = ClaudeCode.version + 1

    claude(tmp_path, *talk("one"))
    await run(store, org, tmp_path)
    better = [Better() if isinstance(one, ClaudeCode) else one for one in IMPORTERS]
    assert (await run(store, org, tmp_path, importers=better)).summary.messages == 2
    assert (await run(store, org, tmp_path, importers=better)).summary.files == {"unchanged": 1}


async def test_no_secret_reaches_the_store(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    token = "ghp_" + secrets.token_hex(18)
    claude(tmp_path, *talk(f"use {token}", "two"))
    ran = await run(store, org, tmp_path)
    assert ran.summary.secrets["github-token"] > 0
    (row,) = await store.list_source_files(org, packed=["state", "facts"])
    parts = await store.get_originals(org, row.original_id)
    kept = b"".join(part.data for part in parts)
    assert len(parts) == 1
    assert kept.count(b"\n") == 6
    assert "‹secret:github-token›".encode() in kept
    assert token not in repr((await rows(store, org), row, parts))
    assert token.encode() not in kept
    plain = await run(store, f"{org}-plain", tmp_path, mask=False, keep_raw=False)
    assert plain.summary.secrets == {}
    assert token in repr(await rows(store, f"{org}-plain"))
    (row,) = await store.list_source_files(f"{org}-plain")
    assert row.original_id == ""


async def test_one_file_that_cannot_be_read_does_not_end_the_others(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    locked = claude(tmp_path, *talk("one"))
    claude(tmp_path, *talk("two", session=OTHER), session=OTHER)
    locked.chmod(0)
    ran = await run(store, org, tmp_path)
    assert ran.paths("failed") == [locked.name]
    assert ran.summary.files == {"failed": 1, "read": 1}
    locked.chmod(0o600)
    assert (await run(store, org, tmp_path)).summary.files == {"read": 1, "unchanged": 1}


async def test_a_purged_session_in_a_file_of_several_leaves_the_others(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, *EMBEDDED)
    await run(store, org, tmp_path)
    (row,) = await store.list_source_files(org)
    own, embedded = SESSION, next(id for id in row.session_ids if id != SESSION)
    await store.purge_sessions(org, [embedded])
    claude(tmp_path, *EMBEDDED, user("go on", 90))
    ran = await run(store, org, tmp_path)
    assert ran.summary.files == {"read": 1}
    said_there = [one.content for one in await store.get_session_messages(org, own) if one.role == "user"]
    assert (said_there[0], said_there[-1]) == ("go", "go on")
    (row,) = await store.list_source_files(org, packed=["state", "facts"])
    assert (row.session_ids, row.state, row.facts) == ((own,), b"", b"")
    assert all(b"look" not in part.data for part in await store.get_originals(org, row.original_id or "none"))


async def test_what_was_at_a_path_before_is_not_kept_for_the_session_that_is_there_now(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, *talk("one", "two"))
    await run(store, org, tmp_path)
    path = claude(tmp_path, *talk("other"))
    await run(store, org, tmp_path)
    files = {row.outcome: row for row in await store.list_source_files(org)}
    assert files.keys() == {"read", "replaced"}
    kept = await store.get_originals(org, files["read"].original_id)
    assert b"".join(part.data for part in kept) == path.read_bytes()
    await store.purge_sessions(org, [SESSION])
    for row in files.values():
        assert await store.get_originals(org, row.original_id) == []
