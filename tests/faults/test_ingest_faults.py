"""A tree of transcripts that grows, is rewritten and moved, while importers and the server are killed at any moment.

In the end there is what one clean ingest of the tree makes: every row, each once, and the originals byte for byte.

``AGENTSTORE_FAULT_SCHEDULES`` says how many trees: one for every hundred, at least two. ``AGENTSTORE_FAULT_SEED`` takes
the one with that seed.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import random
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from agentstore import AsyncClickHouseStore
from agentstore.importers.file_blocks import name_of
from agentstore.write.mending import Mender
from tests.faults.server import KillableServer
from tests.live.copies import differences
from tests.live.ingesting import rows, run
from tests.local.server_processes import start_python
from tests.unit import codex_lines
from tests.unit.importer_lines import assistant, data, result, said, use, user

CHILD = """\
import asyncio, sys
from agentstore import AgentStoreError, AsyncClickHouseStore
from agentstore.ingest import arguments, ingest
arguments.PIECE_BYTES = 3000
async def main(dsn, place):
    async with AsyncClickHouseStore(dsn, write_timeout_seconds=5) as store:
        async for event in ingest(store, "faults", places=place, user="ada", machine="laptop"):
            print(event.kind, flush=True)
try:
    asyncio.run(main(*sys.argv[1:]))
except AgentStoreError as error:
    print(type(error).__name__, flush=True)
"""


def seeds() -> list[int]:
    if seed := os.environ.get("AGENTSTORE_FAULT_SEED"):
        return [int(seed)]
    return list(range(max(2, int(os.environ.get("AGENTSTORE_FAULT_SCHEDULES", "24")) // 100)))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KillableServer]:
    found = KillableServer(tmp_path_factory.mktemp("ingest-faults"))
    await found.start()
    yield found
    await found.stop()


class Tree:
    """Sessions of Claude Code with subagents, and rollouts of Codex, which change as agents and people change them."""

    def __init__(self, folder: pathlib.Path, rng: random.Random) -> None:
        self.folder, self._rng = folder, rng
        self._turns: dict[pathlib.Path, int] = {}
        for number in range(4):
            id = f"{number}d9c1f7e-2b64-4e0a-8f35-6a1b2c3d4e5f"
            claude = folder / "claude" / "projects" / "-home-ada-clock"
            self._turns[claude / f"{id}.jsonl"] = 0
            self._turns[claude / id / "subagents" / "agent-a1b2c3d.jsonl"] = 0
        name = codex_lines.NAME
        self._turns[folder / "codex" / "sessions" / "2026" / "02" / "03" / name] = 0

    def change(self) -> None:
        """One or more of the files are written to, cut, or moved."""
        for path in self._rng.sample(sorted(self._turns), self._rng.randint(1, 4)):
            kind = self._rng.choice(["grow", "grow", "grow", "rewrite", "move"])
            if kind == "grow":
                self._grow(path)
            elif kind == "rewrite":
                path.unlink(missing_ok=True)
                self._turns[path] = 0
                self._grow(path)
            elif path.exists() and "subagents" not in path.parts and "codex" not in path.parts:
                self._move(path)

    def finish(self) -> None:
        """Whole lines at the end of each file."""
        for path in self._turns:
            if path.exists() and not path.read_bytes().endswith(b"\n"):
                path.write_bytes(path.read_bytes() + b"\n")

    def _grow(self, path: pathlib.Path) -> None:
        turns = self._rng.randint(1, 8)
        new = b"".join(self._turn(path, number) for number in range(self._turns[path], self._turns[path] + turns))
        self._turns[path] += turns
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            new = b"\n" + new
        if self._rng.random() < 0.2:  # the last line is still being written
            new = new[: -self._rng.randint(1, 30)]
        with path.open("ab") as file:
            file.write(new)

    def _move(self, path: pathlib.Path) -> None:
        target = self.folder / "claude" / "projects" / f"-moved-{self._rng.randint(0, 3)}" / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
            self._turns[target] = self._turns.pop(path)

    def _turn(self, path: pathlib.Path, number: int) -> bytes:
        text = f"{path.stem} {number} " + self._rng.randbytes(self._rng.randint(1, 300)).hex()
        if "codex" in path.parts:
            first = [codex_lines.meta()] if number == 0 else []
            return data(*first, codex_lines.said("user", text, number), codex_lines.said("assistant", "so", number))
        is_agent = path.parent.name == "subagents"
        session = path.parent.parent.name if is_agent else path.stem
        unique = f"{session}-{path.stem}-{number}"
        own: dict[str, Any] = {"sessionId": session, "isSidechain": is_agent}
        if is_agent:
            own["agentId"] = path.stem.removeprefix("agent-")
        call = f"toolu_{unique}"
        return data(
            user(text, number * 3, uuid=f"u-{unique}", **own),
            assistant(said("so"), use(call, command="git status"), second=number * 3 + 1, id=f"msg_{unique}",
                      output=5, uuid=f"a-{unique}", **own),
            result(call, "clean", number * 3 + 2, uuid=f"r-{unique}", **own),
        )  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", seeds())
async def test_whatever_is_killed_the_store_ends_as_after_one_ingest(
    server: KillableServer, tmp_path: pathlib.Path, seed: int
) -> None:
    print(f"seed {seed}: AGENTSTORE_FAULT_SEED={seed}")
    rng = random.Random(seed)
    tree = Tree(tmp_path, rng)
    database = f"ingest_{seed}_{os.getpid()}"
    async with AsyncClickHouseStore(server.dsn(database)) as store:
        await store.ensure_schema()
    for _ in range(8):
        tree.change()
        await _faulty_ingests(server, database, tmp_path, rng)
    tree.finish()
    async with AsyncClickHouseStore(server.dsn(database)) as store:
        ran = await run(store, "faults", tmp_path)
        assert "failed" not in ran.summary.files, ran.summary
        await run(store, "clean", tmp_path)
        assert await rows(store, "faults") == await rows(store, "clean")
        await _check_originals(store, tmp_path)
        await Mender(store._open_pool).mend()  # of an importer that was killed together with the server
        assert await differences(store) == []
        again = await run(store, "faults", tmp_path)
        assert again.summary.bytes_read == 0, again.summary


async def _faulty_ingests(server: KillableServer, database: str, place: pathlib.Path, rng: random.Random) -> None:
    """One or two ingests at once, of which each is killed after some events, or the server is, or nothing."""
    faults = rng.choice([["none"], ["importer"], ["server"], ["importer", "importer"], ["importer", "server"]])
    async with asyncio.TaskGroup() as group:
        for fault in faults:
            group.create_task(_ingest(server, database, place, fault, rng.randint(1, 40)))


async def _ingest(server: KillableServer, database: str, place: pathlib.Path, fault: str, events: int) -> None:
    child = start_python("-c", CHILD, server.dsn(database), str(place))
    assert child.stdout is not None
    try:
        for _ in range(events if fault != "none" else 1_000_000):
            if not await asyncio.to_thread(child.stdout.readline):
                break
        if fault == "importer":
            child.kill()
        elif fault == "server":
            port = server.port
            await server.kill()
            await server.start(port)
    finally:
        await _ended(child)


async def _ended(child: subprocess.Popen[str]) -> None:
    out, err = await asyncio.to_thread(child.communicate)
    assert child.returncode in (0, -9), (out, err)


async def _check_originals(store: AsyncClickHouseStore, folder: pathlib.Path) -> None:
    """Each file of the tree is kept as it is: its parts join, and are its bytes (there are no secrets in it)."""
    known = {row.path: row for row in await store.list_source_files("faults") if row.outcome == "read"}
    for path in sorted(folder.rglob("*.jsonl")):  # noqa: ASYNC240
        row = known[name_of(path)]
        parts = {part.start: part for part in await store.get_originals("faults", row.original_id) if part.file == ""}
        kept, position = b"", 0
        while position < row.size:
            kept, position = kept + parts[position].data, parts[position].end
        assert kept == path.read_bytes(), f"{path} is not kept as it is"
