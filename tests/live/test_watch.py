"""A watcher beside agents that write, move, rewrite and delete their files, and beside a server that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest
import zstandard

from agentstore import AsyncClickHouseStore, StoreClosedError
from agentstore.importers.opencode.importer import OpenCode
from agentstore.ingest import watch
from tests.faults.server import KillableServer
from tests.live.ingesting import rows, run
from tests.live.watched import GUARD, PACE, watching
from tests.unit.importer_lines import SESSION, data, user

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


async def test_places_that_come_go_and_come_back(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
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
