"""The tools for agents beside the store's own calls, and the start of their server beside the SDK's own import.

::

    python -m benchmarks.mcp [FOLDER]     # transcripts to fill a local store with; default: the sample

Both sides of a line run in turns, now the one first and now the other, so that what else the machine does hits them
alike; the store's call has the arguments that the tool gives it. What ``blame`` stands beside is the library's, which
asks git and the store. Told are the medians, and the median of the
differences, turn by turn. Targets: a start takes at most 200 ms more than ``import mcp``, a tool at most 10 ms more
than the call it makes.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentstore import AsyncClickHouseStore, SearchQuery, SessionFilter
from agentstore.blame import blame
from agentstore.ingest import ingest
from agentstore.mcp.holding import Holder
from agentstore.mcp.serving import called
from tests.blame import repositories

ROOT = str(Path(__file__).resolve().parent.parent)
STARTS, CALLS, WARM = 21, 41, 5
ORG = "local"
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}},
}  # fmt: skip


def import_took(environment: dict[str, str]) -> float:
    """Until it is imported: the end of such a process takes long again, and nobody waits for it."""
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", "import mcp; print(flush=True)"], env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        return time.perf_counter() - begun


def start_took(environment: dict[str, str]) -> float:
    """Until the server has answered the first message."""
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "agentstore", "mcp"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(HELLO).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        seconds = time.perf_counter() - begun
        process.stdin.close()
    return seconds


async def timed(call: Callable[[], Awaitable[Any]]) -> float:
    begun = time.perf_counter()
    await call()
    return time.perf_counter() - begun


def tool_of(holder: Holder, name: str, **arguments: Any) -> Callable[[], Awaitable[Any]]:
    """A call of a tool, which may not fail."""

    async def call() -> None:
        text, is_error = await called(holder, name, arguments)
        if is_error:
            raise SystemExit(f"{name}: {text}")

    return call


async def sides(store: AsyncClickHouseStore, holder: Holder) -> dict[str, tuple[Callable[[], Awaitable[Any]], ...]]:
    """Each tool, and the store's call in it."""
    hit = (await store.search(ORG, SearchQuery(query="the", limit=1))).results[0]
    session, ordinal = hit.session_id, hit.ordinal
    commits = [one.commit_sha for one in (await store.list_git_links(ORG)).links if one.commit_sha]
    sha = commits[0][:8] if commits else "abcd"
    project = await holder.project_id(store)

    tool = functools.partial(tool_of, holder)

    def search(**asked: Any) -> Callable[[], Awaitable[Any]]:
        return lambda: store.search(ORG, SearchQuery(query="the", limit=8, **asked))

    return {
        "search": (tool("search", query="the", project="*"), search()),
        "search calls": (tool("search", query="the", role="tool", project="*"), search(role="tool")),
        "search words": (tool("search", query="the", words=True, project="*"), search(mode="words")),
        "search here": (tool("search", query="the"), search(project_id=project)),
        "open": (
            tool("open", handle=f"{session}#{ordinal}"),
            lambda: store.session_window(
                ORG, session, first_ordinal=max(0, ordinal - 1), last_ordinal=ordinal + 1, max_characters=3000
            ),
        ),
        "open a session": (
            tool("open", handle=session),
            lambda: asyncio.gather(
                store.session_outline(ORG, session), store.session_prompts(ORG, session, max_characters=160)
            ),
        ),
        "sessions": (tool("sessions", project="*"), lambda: store.list_sessions(ORG, SessionFilter(limit=10))),
        "file_history": (
            tool("file_history", path="src/", project="*"),
            lambda: store.file_history(ORG, "src/", limit=500),
        ),
        "commit": (tool("commit", commit=sha), lambda: store.lookup_git_links(ORG, sha=sha)),
        "usage": (tool("usage", project="*"), lambda: store.cost_by(ORG, "model", limit=10)),
    }


def shown(name: str, ours: list[float], theirs: list[float]) -> None:
    one, other = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    more = statistics.median(mine - its for mine, its in zip(ours, theirs, strict=True)) * 1000
    print(f"{name:<18} {one:7.1f} ms beside {other:7.1f} ms   more {more:6.1f} ms   × {one / other:.2f}", flush=True)


async def in_turns(
    name: str, turns: int, ours: Callable[[], Awaitable[float]], theirs: Callable[[], Awaitable[float]]
) -> None:
    """Both in turns, now the one first and now the other, and what they took."""
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns):
        for side in (0, 1) if turn % 2 else (1, 0):
            took[side].append(await (ours, theirs)[side]())
    shown(name, *took)


async def measure(target: str) -> None:
    environment = {**os.environ, "AGENTSTORE_DSN": target, "PYTHONPATH": ROOT}

    async def started() -> float:
        return await asyncio.to_thread(start_took, environment)

    async def imported() -> float:
        return await asyncio.to_thread(import_took, environment)

    await started()  # what it loads is in the file cache
    print(f"load {os.getloadavg()[0]:.1f}")
    await in_turns("start, import mcp", STARTS, started, imported)
    async with AsyncClickHouseStore(target) as store:
        # A directory that the store knows as a project: as if the server ran there.
        here = next(one.path for one in await store.list_projects(ORG) if one.path)
    holder = Holder(target, ORG, here)
    for name, (tool, call) in (await sides(await holder.store(), holder)).items():
        await tool_beside(name, tool, call)
    await holder.aclose()
    await measure_blame(target)
    print(f"load {os.getloadavg()[0]:.1f}")


def _repository(directory: str) -> tuple[Path, str]:
    top = Path(directory).resolve() / "tideclock"
    return top, repositories.made(top)


async def measure_blame(target: str) -> None:
    """On a file of four lines, of which one is committed and linked, one an edit's and one a person's."""
    with tempfile.TemporaryDirectory(prefix="agentstore-bench-") as directory:
        top, sha = _repository(directory)
        await repositories.stored(target, ORG, top, sha)
        holder = Holder(target, ORG, str(top))
        store = await holder.store()
        project = await holder.project_id(store)
        await tool_beside(
            "blame",
            tool_of(holder, "blame", path=repositories.PATH),
            lambda: blame(store, ORG, str(top), repositories.PATH, project_id=project),
        )
        await holder.aclose()


async def tool_beside(name: str, tool: Callable[[], Awaitable[Any]], call: Callable[[], Awaitable[Any]]) -> None:
    for _ in range(WARM):
        await tool()
        await call()
    await in_turns(name, CALLS, functools.partial(timed, tool), functools.partial(timed, call))


async def main() -> None:
    folder = sys.argv[1] if sys.argv[1:] else str(files("agentstore") / "samples")
    with tempfile.TemporaryDirectory(prefix="agentstore-bench-") as directory:
        target = f"local:{directory}/store"
        async with AsyncClickHouseStore(target) as store:
            await store.ensure_schema()
            async for _ in ingest(store, ORG, places=folder, user="ada", machine="tide", mask=False):
                pass
            await measure(target)


if __name__ == "__main__":
    asyncio.run(main())
