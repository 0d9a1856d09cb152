"""A watcher beside agents that write, move, rewrite and delete their files, and beside a server that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest
import zstandard

from agentstore import AsyncClickHouseStore, StoreClosedError
from agentstore.ingest import watch
from tests.faults.server import KillableServer
from tests.live.ingesting import rows, run
from tests.live.watched import GUARD, PACE, Watched, watching
from tests.unit.importer_lines import SESSION, data, user
from tests.unit.opencode_files import SESSION as OPENCODE_SESSION

OPENCODE = f"opencode:{OPENCODE_SESSION}"
OTHER = "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f"


def talk(*texts: str, session: str = SESSION, start: int = 0) -> bytes:
    return data(
        *(user(text, start + n, uuid=f"{session}-{start + n}", sessionId=session) for n, text in enumerate(texts))
    )


def path_of(folder: pathlib.Path, session: str = SESSION) -> pathlib.Path:
    return folder / "projects" / "-home-ada-clock" / f"{session}.jsonl"


def written(path: pathlib.Path, content: bytes) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def append(path: pathlib.Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


async def test_what_is_appended_is_stored(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    path = written(path_of(tmp_path), talk("a"))
    quiet = written(path_of(tmp_path, OTHER), talk("z", session=OTHER))
    async with watching(store, org, tmp_path) as watched:
        assert watched.summaries[0].files == {"read": 2}
        for number, text in enumerate(("b", "c", "d"), 1):
            append(path, talk(text, start=number))
            await watched.until_said(SESSION, *"abcd"[: number + 1])
        await watched.until_told(lambda: sum(one.messages for one in watched.summaries) == 5)
        # Of a file that nobody writes to nothing is told after the first pass.
        assert [one.kind for one in watched.events if one.path.endswith(quiet.name)] == ["found", "read", "stored"]


async def test_a_line_in_two_parts(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    path = written(path_of(tmp_path), talk("a"))
    whole = talk("b", "c", start=1)
    async with watching(store, org, tmp_path) as watched:
        append(path, whole[:-20])
        await watched.until_said(SESSION, "a", "b")
        append(path, whole[-20:])
        await watched.until_said(SESSION, "a", "b", "c")


async def test_files_in_new_folders(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    ids = [f"5a6b7c8d-2b64-4e0a-8f35-{number:012x}" for number in range(12)]
    async with watching(store, org, tmp_path) as watched:
        for number, id in enumerate(ids):
            written(tmp_path / "projects" / f"p{number}" / "deeper" / f"{id}.jsonl", talk("a", session=id))
        for number, id in enumerate(ids):
            await watched.until_said(id, "a")
            append(tmp_path / "projects" / f"p{number}" / "deeper" / f"{id}.jsonl", talk("b", session=id, start=1))
        for id in ids:
            await watched.until_said(id, "a", "b")


async def test_places_that_come_go_and_come_back(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    place, other = tmp_path / "later" / "place", tmp_path / "file" / f"{OTHER}.jsonl"
    async with watching(store, org, [place, other]) as watched:
        assert watched.summaries[0].files == {}
        path = written(path_of(place), talk("a"))
        await watched.until_said(SESSION, "a")
        written(other, talk("x", session=OTHER))
        await watched.until_said(OTHER, "x")
        append(path, talk("b", start=1))
        await watched.until_said(SESSION, "a", "b")
        for texts in ("abc", "abcd"):
            shutil.rmtree(tmp_path / "later")
            written(path, talk(*texts))
            await watched.until_said(SESSION, *texts)
        # A file that is a place may be replaced by another one.
        written(other.with_suffix(".new"), talk("x", "y", session=OTHER)).replace(other)
        await watched.until_said(OTHER, "x", "y")
        append(other, talk("z", session=OTHER, start=2))
        await watched.until_said(OTHER, "x", "y", "z")
        assert not [one for one in watched.events if one.kind == "failed"]


async def test_a_file_is_renamed_compressed_and_deleted(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path, other = written(path_of(tmp_path), talk("a")), path_of(tmp_path, OTHER)
    async with watching(store, org, tmp_path) as watched:
        moved = path.parent.parent / "-home-ada-watch" / path.name
        moved.parent.mkdir()
        path.rename(moved)
        append(moved, talk("b", start=1))
        await watched.until_said(SESSION, "a", "b")
        packed = moved.with_suffix(".jsonl.zst")
        packed.write_bytes(zstandard.compress(moved.read_bytes()))
        moved.unlink()
        written(other, talk("x", session=OTHER))
        await watched.until_said(OTHER, "x")
        packed.unlink()
        other.unlink()
        third = SESSION.replace("0", "1")
        written(path_of(tmp_path, third), talk("y", session=third))
        await watched.until_said(third, "y")
        await watched.until_said(SESSION, "a", "b")
        await watched.until_said(OTHER, "x")
        assert not [one for one in watched.events if one.kind == "failed"]


async def test_a_file_is_truncated_and_written_anew(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = written(path_of(tmp_path), talk(*"abcdef"))
    async with watching(store, org, tmp_path) as watched:
        path.write_bytes(talk("a", "b"))
        await watched.until_said(SESSION, "a", "b")
        path.write_bytes(talk("x", "y", "z"))
        await watched.until_said(SESSION, "x", "y", "z")
        written(path.with_suffix(".tmp"), talk("p", "q")).replace(path)
        await watched.until_said(SESSION, "p", "q")


async def test_a_database_that_another_process_writes(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "opencode" / "opencode.db"
    path.parent.mkdir()
    for place in (path.parent, path):
        part = f"{org}-{place.name}"
        agent = await started("tests.live.opencode_agent", str(path))
        try:
            await told(agent, "first")
            async with watching(store, part, place) as watched:
                await watched.until_said(OPENCODE, "first")
                before = path.stat().st_mtime_ns
                for said in ("second", "third"):
                    await told(agent, said)
                await watched.until_said(OPENCODE, "first", "second", "third")
                assert path.stat().st_mtime_ns == before  # all of it is in the log beside it
        finally:
            assert agent.stdin is not None
            agent.stdin.close()
            assert await agent.wait() == 0
        path.unlink()


async def test_two_watchers_of_one_place(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    ids = [f"5a6b7c8d-2b64-4e0a-8f35-{number:012x}" for number in range(4)]
    for id in ids:
        written(path_of(tmp_path, id), talk("a", session=id))
    async with watching(store, org, tmp_path, others=True) as one, watching(store, org, tmp_path, others=True) as two:
        for number, text in enumerate("bcd", 1):
            for id in ids:
                append(path_of(tmp_path, id), talk(text, session=id, start=number))
        path_of(tmp_path, ids[0]).write_bytes(talk("x", "y", session=ids[0]))
        for watched in (one, two):
            await watched.until_said(ids[0], "x", "y")
            for id in ids[1:]:
                await watched.until_said(id, *"abcd")
    await run(store, f"{org}-once", tmp_path)
    assert await rows(store, org) == await rows(store, f"{org}-once")


async def test_a_server_that_is_killed_and_comes_back(org: str, tmp_path: pathlib.Path) -> None:
    server = KillableServer(tmp_path / "store")
    await server.start()
    port, place = server.port, tmp_path / "place"
    paths = [written(path_of(place, id), talk("a", session=id)) for id in (SESSION, OTHER)]
    try:
        async with AsyncClickHouseStore(server.dsn("watched"), write_timeout_seconds=3.0) as store:
            await store.ensure_schema()
            async with watching(store, org, place) as watched:
                await server.kill()
                for number, text in enumerate("bc", 1):
                    append(paths[0], talk(text, start=number))
                    await watched.until_told(lambda: bool(watched.failed()))
                append(paths[1], talk("y", session=OTHER, start=1))
                await server.start(port)
                await watched.until_said(SESSION, *"abc")
                await watched.until_said(OTHER, *"ay")
                append(paths[0], talk("d", start=3))
                await watched.until_said(SESSION, *"abcd")
                assert len([one for one in watched.events if one.kind == "failed"]) == 1
    finally:
        await server.kill()


async def test_an_error_that_stays_ends_the_watch(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = written(path_of(tmp_path), talk("a"))
    async with AsyncClickHouseStore(store.options) as other:
        watched = Watched(other, org)
        task = asyncio.create_task(watched.follow(tmp_path))
        await watched.until_told(lambda: bool(watched.summaries))
        await other.aclose()
        append(path, talk("b", start=1))
        with pytest.raises(StoreClosedError):
            await asyncio.wait_for(task, GUARD)
    async with watching(store, org, tmp_path) as later:
        await later.until_said(SESSION, "a", "b")


async def test_a_signal_ends_a_watcher_and_the_next_goes_on(
    store: AsyncClickHouseStore, database: str, server: Any, org: str, tmp_path: pathlib.Path
) -> None:
    ids = [f"5a6b7c8d-2b64-4e0a-8f35-{number:012x}" for number in range(20)]
    child = await started("tests.live.watching_child", server.dsn, database, org, str(tmp_path))
    assert child.stdout is not None
    async with asyncio.timeout(GUARD):
        assert await child.stdout.readline() == b"summary\n"
        for id in ids:
            written(path_of(tmp_path, id), talk("a", session=id))
        assert await child.stdout.readline() == b"stored\n"
        for id in ids:
            append(path_of(tmp_path, id), talk("b", session=id, start=1))
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0
    first = await run(store, org, tmp_path)
    assert sum(first.summary.files.values()) == 20
    for id in ids:
        assert [one.content for one in await store.get_session_messages(org, id)] == ["a", "b"]


async def test_who_ends_early_loses_nothing_that_was_read(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    ids = [f"5a6b7c8d-2b64-4e0a-8f35-{number:012x}" for number in range(40)]
    for id in ids:
        written(path_of(tmp_path, id), talk("a", session=id))
    read = set()
    async with contextlib.aclosing(watch(store, org, places=tmp_path, machine="laptop", pace=PACE)) as events:
        async for event in events:
            if event.kind == "read":
                read.add(pathlib.PurePath(event.path).stem)
                if len(read) == 5:
                    break
    for id in read:
        assert [one.content for one in await store.get_session_messages(org, id)] == ["a"]
    assert sum((await run(store, org, tmp_path)).summary.files.values()) == len(ids)
    for id in ids:
        assert [one.content for one in await store.get_session_messages(org, id)] == ["a"]


async def test_a_broken_document_is_told_when_it_changes(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    broken = written(tmp_path / "opencode" / "opencode.db", b"SQLite format 3\0" + bytes(range(200)))
    path = written(path_of(tmp_path), talk("a"))
    frequent = type(PACE)(look_for_places=0.05, everything=0.05, longest_rest=0.05, end=10)
    async with watching(store, org, tmp_path, pace=frequent) as watched:
        await watched.until_told(lambda: len(watched.failed(broken.name)) == 1)
        for number in (1, 2):
            append(path, talk("b", start=number))
            await watched.until_said(SESSION, "a", *"bb"[:number])
            await watched.until_told(lambda: len(watched.summaries) > 4)
        assert len(watched.failed(broken.name)) == 1
        append(broken, bytes(range(200)))
        await watched.until_told(lambda: len(watched.failed(broken.name)) == 2)


async def test_without_the_systems_help_files_are_looked_at(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def no_more(*_: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", no_more)
    path = written(path_of(tmp_path), talk("a"))
    async with watching(store, org, tmp_path) as watched:
        append(path, talk("b", start=1))
        await watched.until_said(SESSION, "a", "b")
        written(path_of(tmp_path / "new", OTHER), talk("x", session=OTHER))
        await watched.until_said(OTHER, "x")
        path.unlink()
        append(path_of(tmp_path / "new", OTHER), talk("y", session=OTHER, start=1))
        await watched.until_said(OTHER, "x", "y")
    assert "limit reached" in caplog.text


async def started(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


async def told(agent: asyncio.subprocess.Process, text: str) -> None:
    """Returns when the agent has written this into its database."""
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(f"{text}\n".encode())
    assert await agent.stdout.readline() == b"written\n"
