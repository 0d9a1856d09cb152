"""What breaks promises of an ingest: files, importers, stores and callers that do what nobody expects."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pathlib
import random
import re
import secrets
import tracemalloc
from typing import Any

import msgspec
import pytest
import zstandard

from agentstore import AsyncClickHouseStore, NotFoundError, SchemaError
from agentstore.importers.importer import HEAD
from agentstore.importers.sqlite_files import is_sqlite
from agentstore.ingest import arguments, ingest, restore
from agentstore.ingest.identity import head_of
from agentstore.masking import Masker
from tests.live.ingesting import rows, run, sessions, written
from tests.live.test_ingest_run import OTHER, age, claude, quick_clock, talk  # noqa: F401
from tests.servers import Server
from tests.unit import codex_lines, opencode_files
from tests.unit.importer_lines import SESSION, data
from tests.unit.importer_seeds import SEEDS

pytestmark = pytest.mark.usefixtures("quick_clock")


async def clean(store: AsyncClickHouseStore, org: str, place: Any, **options: Any) -> dict[str, Any]:
    """The rows of one clean ingest."""
    await run(store, f"{org}-clean", place, **options)
    return await rows(store, f"{org}-clean")


async def original(store: AsyncClickHouseStore, org: str, path: pathlib.Path | None = None) -> bytes:
    (row,) = [row for row in await store.list_source_files(org) if path is None or row.path == str(path)]
    return b"".join(part.data for part in await store.get_originals(org, row.original_id))


# --- what is kept ---------------------------------------------------------------------------------------------------


async def test_originals_are_whole_where_they_are_kept_later(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, *talk("one"))
    await run(store, org, tmp_path, keep_raw=False)
    path = claude(tmp_path, *talk("one", "two"))
    ran = await run(store, org, tmp_path)
    assert ran.summary.files == {"read": 1}, ran.events
    assert await original(store, org) == path.read_bytes()
    claude(tmp_path, *talk("one", "two", "three"))
    await run(store, org, tmp_path, keep_raw=False)
    claude(tmp_path, *talk("one", "two", "three", "four"))
    await run(store, org, tmp_path)
    with pytest.raises(NotFoundError):  # a part of it is missing
        await restore(store, org, SESSION, tmp_path / "back")


async def test_a_first_line_that_is_not_there_yet(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = claude(tmp_path)
    whole = data(*talk("one"))
    for size in (0, 1, 20, 40, len(whole)):
        path.write_bytes(whole[:size])
        ran = await run(store, org, tmp_path)
        assert "failed" not in ran.summary.files, (size, ran.events)
    assert await rows(store, org) == await clean(store, org, tmp_path)


async def test_another_user_of_the_same_files_does_not_lose_the_original(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = claude(tmp_path, *talk("one"))
    await run(store, org, tmp_path)
    await run(store, org, tmp_path, user="bob")
    (back, *_) = await restore(store, org, SESSION, tmp_path / "back")
    assert back.read_bytes() == path.read_bytes()


# --- what one file has to do with others ------------------------------------------------------------------------------


async def test_a_long_file_is_replaced_as_a_whole_beside_many_short_ones(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though there are more of them than the writer remembers."""
    monkeypatch.setattr(arguments, "PIECE_BYTES", 2000)
    monkeypatch.setattr("agentstore.ingest.writer._REMEMBERED", 8)
    padding = "x" * 10_000
    claude(tmp_path, *talk(*(f"old {number} {padding}" for number in range(100))))
    await run(store, org, tmp_path)
    claude(tmp_path, *talk(*(f"new {number} {padding}" for number in range(90))))
    for number in range(80):
        id = f"{0x20000000 + number:08x}{SESSION[8:]}"
        claude(tmp_path, *talk("short", session=id), session=id)
    await run(store, org, tmp_path)
    texts = [one.content for one in await store.get_session_messages(org, SESSION)]
    assert not [text for text in texts if "old" in text]


async def test_a_file_that_failed_is_read_for_what_others_say_by_the_next_run(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others say of it is known by then."""
    records = [codex_lines.meta(), codex_lines.said("user", "hello", 1), codex_lines.said("assistant", "so", 2)]
    written(tmp_path, [(f"sessions/{codex_lines.NAME}", codex_lines.data(*records))])
    await run(store, org, tmp_path)
    entry = {"id": codex_lines.THREAD, "thread_name": "A title", "updated_at": "2026-02-03T11:00:00Z"}
    written(tmp_path, [("session_index.jsonl", codex_lines.data(entry))])
    with monkeypatch.context() as broken:

        def refuse(*_: Any) -> Any:
            raise RuntimeError("broken for once")

        broken.setattr("agentstore.importers.codex.history.CodexHistory.read", refuse)
        ran = await run(store, org, tmp_path)
        assert ran.summary.files == {"failed": 1}, ran.events
    await run(store, org, tmp_path)
    (session,) = await sessions(store, org)
    assert session.display_name == "A title"


async def test_deleted_sessions_of_a_database_stay_away_and_new_ones_come(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    one = opencode_files.export(opencode_files.user(1, opencode_files.said("first")))
    ids = ["ses_39b9a333bffeVNXMK6bSZru9Ur", "ses_39b9a333bffeVNXMK6bSZru9Us"]
    connection = opencode_files.write_database(tmp_path / "opencode.db", one)
    await run(store, org, tmp_path)
    (stored,) = await sessions(store, org)
    await store.delete_sessions(org, [stored.id])
    other = opencode_files.export(opencode_files.user(1, opencode_files.said("second")), id=ids[0])
    opencode_files.insert(connection, other)
    ran = await run(store, org, tmp_path)
    assert [session.id for session in await sessions(store, org)] == [f"opencode:{ids[0]}"], ran.events
    third = opencode_files.export(opencode_files.user(1, opencode_files.said("third")), id=ids[1])
    opencode_files.insert(connection, third)
    connection.execute("UPDATE session SET title = 'new', time_updated = time_updated + 5000")
    connection.commit()
    await run(store, org, tmp_path)
    assert [session.id for session in await sessions(store, org)] == [f"opencode:{id}" for id in ids]
    connection.close()


# --- importers that raise ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["survey", "detect", "beside", "around", "context", "facts", "read"])
async def test_a_fault_of_an_importer_does_not_end_the_others(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a fault")

    claude(tmp_path, *talk("one"))
    records = [codex_lines.meta(), codex_lines.said("user", "hello", 1)]
    written(tmp_path, [(f"sessions/{codex_lines.NAME}", codex_lines.data(*records))])
    where = "ClaudeCode" if method in ("survey", "detect", "beside", "around") else "ClaudeHistory"
    module = "importer" if where == "ClaudeCode" else "files"
    with monkeypatch.context() as broken:
        broken.setattr(f"agentstore.importers.claude_code.{module}.{where}.{method}", refuse)
        ran = await run(store, org, tmp_path)
        assert ran.summary.files == {"read": 1, "failed": 1}
        (failed,) = [event for event in ran.events if event.kind == "failed"]
        assert failed.path.endswith(f"{SESSION}.jsonl")
        assert "a fault" in failed.reason
    assert (await run(store, org, tmp_path)).summary.files == {"read": 1, "unchanged": 1}
    assert await rows(store, org) == await clean(store, org, tmp_path)


async def test_a_mask_that_raises(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    """Nothing of what it could not mask is stored, and other agents' files are."""

    class Broken(Masker):
        def mask(self, data: bytes) -> bytes:
            if b"poison" in data:
                raise ZeroDivisionError("a fault")
            return super().mask(data)

    claude(tmp_path, *talk("poison"))
    claude(tmp_path, *talk("two", session=OTHER), session=OTHER)
    records = [codex_lines.meta(), codex_lines.said("user", "hello", 1)]
    written(tmp_path, [(f"sessions/{codex_lines.NAME}", codex_lines.data(*records))])
    ran = await run(store, org, tmp_path, mask=Broken())
    assert ran.summary.files == {"read": 1, "failed": 2}
    assert "poison" not in repr(await rows(store, org))
    assert (await run(store, org, tmp_path)).summary.files == {"read": 2, "unchanged": 1}


@pytest.mark.parametrize("value", ["1180591620717411303424", "-7", "1e400", "true", "null", '""', "[[]]", "{}"])
async def test_numbers_that_are_none(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, value: str) -> None:
    """In no agent's file do they lead to a row that is refused."""
    number = re.compile(rb"(?<=[:\[ ,])-?\d+(?:\.\d+)?(?=[,\]} \n])")
    for place, seed in enumerate(seed for seed in SEEDS if not is_sqlite(seed.data)):
        changed = number.sub(value.encode(), seed.data)
        written(tmp_path / str(place), [(seed.path, changed), *seed.beside.items()])
    ran = await run(store, org, tmp_path)
    assert not [event for event in ran.events if event.kind == "failed"]


# --- who ends it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_goes_on_after_it_was_ended(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Nor is anything raised that nobody sees, and the next run ends as one clean run does."""
    monkeypatch.setattr(arguments, "PIECE_BYTES", 2000)
    monkeypatch.setattr("agentstore.importers.jsonl._STRETCH_BYTES", 3000)
    rng, loop = random.Random(seed), asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
    for turn in range(2):
        for number in range(5):
            id = f"{number}{SESSION[1:]}"
            texts = [f"{turn} {part} {'x' * rng.randint(1, 900)}" for part in range(rng.randint(1, 12))]
            claude(tmp_path, *talk(*texts, session=id), session=id)
        before = asyncio.all_tasks()
        if rng.random() < 0.5:
            ingesting = asyncio.create_task(run(store, org, tmp_path))
            for _ in range(rng.randint(1, 300)):
                await asyncio.sleep(0)
            ingesting.cancel()
            await asyncio.wait([ingesting])
        else:
            most = rng.randint(1, 30)
            async with contextlib.aclosing(ingest(store, org, places=tmp_path, user="ada", machine="laptop")) as events:
                async for _ in events:
                    most -= 1
                    if not most:
                        break
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert not names & {"agentstore-ingest", "agentstore-ledger", "agentstore-looks", "agentstore-write"}
    await run(store, org, tmp_path)
    assert await rows(store, org) == await clean(store, org, tmp_path)
    gc.collect()
    assert complaints == []


# --- places and files -------------------------------------------------------------------------------------------------


async def test_strange_files(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    folder = claude(tmp_path, *talk("one")).parent
    (folder / "directory.jsonl").mkdir()
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "folders").symlink_to(folder, target_is_directory=True)
    os.link(folder / f"{SESSION}.jsonl", folder / "hard.jsonl")
    (folder / "new\nline.jsonl").write_bytes(data(*talk("two", session=OTHER)))
    (folder / os.fsdecode(b"b\xffd.jsonl")).write_bytes(data(*talk("three", session=OTHER.replace("5a", "6b"))))
    with contextlib.suppress(OSError):
        os.symlink(b"nowhere", os.fsencode(folder) + b"/gone\xff.jsonl")
    for number, content in enumerate((b"", b"{", b'{"type":"user"', b"\n", b"\x00" * 5000)):
        id = f"{number:08x}{SESSION[8:]}"
        (folder / f"{id}.jsonl").write_bytes(content)
    ran = await run(store, org, [tmp_path, folder, tmp_path])
    for event in ran.events:
        event.path.encode()
    again = await run(store, org, (place for place in [folder, tmp_path]))
    assert "read" not in again.summary.files, again.events
    assert await rows(store, org) == await clean(store, org, tmp_path)


async def test_a_place_may_be_relative(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    claude(one / "here", *talk("one"))
    claude(two / "here", *talk("two"))
    monkeypatch.chdir(one)
    await run(store, org, "here")
    monkeypatch.chdir(two)
    assert (await run(store, org, one)).summary.files == {"unchanged": 1}


async def test_what_it_says_of_a_database_without_tables(
    server: Server, fresh_database: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, *talk("one"))
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        with pytest.raises(SchemaError, match="ensure_schema"):
            await run(store, "acme", tmp_path)


async def test_a_place_that_no_system_can_look_for_ends_nothing(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claude(tmp_path / ".claude", *talk("one"))
    for name in ("CLAUDE_CONFIG_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENCODE_DB", "x" * 300)
    assert (await run(store, org, None)).summary.files == {"read": 1}
    ran = await run(store, org, [tmp_path / ("x" * 300), tmp_path / "nowhere", tmp_path])
    assert ran.summary.files == {"unchanged": 1, "failed": 2}


async def test_a_path_that_nobody_may_look_at_is_not_taken_for_a_moved_file(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = claude(tmp_path, *talk("one"))
    await run(store, org, tmp_path)
    (row,) = await store.list_source_files(org, packed=["state", "facts"])
    await store.write_source_files(org, [msgspec.structs.replace(row, path=f"/{'x' * 300}/{path.name}")])
    claude(tmp_path, *talk("one", "two"))
    assert (await run(store, org, tmp_path)).summary.files == {"read": 1}
    assert await original(store, org, path) == path.read_bytes()


async def test_a_little_file_of_many_bytes(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    """Of a compressed one no more is looked at than of any other."""
    written(tmp_path, [(f"sessions/{codex_lines.NAME}.zst", zstandard.compress(bytes(100 * 1024 * 1024), 3))])
    tracemalloc.start()
    try:
        head = head_of(tmp_path / "sessions" / f"{codex_lines.NAME}.zst")
        assert len(head) <= HEAD
        assert tracemalloc.get_traced_memory()[1] < 10 * HEAD
    finally:
        tracemalloc.stop()
    ran = await run(store, org, tmp_path)
    assert "failed" not in ran.summary.files


async def test_nothing_unmasked_is_left_where_all_is_read_again_with_a_mask(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    token = "ghp_" + secrets.token_hex(18)
    records = talk("one", f"use {token}", "three")
    for number in range(3, len(records) + 1, 3):
        claude(tmp_path, *records[:number])
        await run(store, org, tmp_path, mask=False)
    await run(store, org, tmp_path, again=True)
    assert token not in repr(await rows(store, org))
    assert token.encode() not in await original(store, org)
