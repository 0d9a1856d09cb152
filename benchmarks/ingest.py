"""What an ingest costs: reading, parsing, masking, writing, and the server's share of all of it.

``python -m benchmarks.ingest FOLDER [--megabytes 1000] [--rounds 3]`` multiplies the transcripts below FOLDER with new
ids (``multiplied``), and takes, each with the CPU time of this process and of the server's:

* read: the bytes, and nothing else
* parse: the importers' rows (whole surveys included), without and with masking, without and with originals
* ingest: into a new local store; then again, with nothing changed; then with one line added to one file
* what is left to do for the server when the ingest has returned: merges, and with them the index of texts

Memory is the peak of this process. Bytes are those of the files.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import pathlib
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

from agentstore import AsyncClickHouseStore
from agentstore.connection.sql import sql
from agentstore.importers import IMPORTERS, ImportResult, Options, find_history
from agentstore.ingest import IngestSummary, ingest
from agentstore.ingest.arguments import PIECE_BYTES
from agentstore.local.client.acquire import find_running, stop
from agentstore.local.directory.layout import resolve
from agentstore.masking import Masker
from agentstore.models import OriginalPart
from agentstore.write.encoded_rows import encode_rows
from agentstore.write.rows import FILE_TOUCHES, GIT_LINKS, MESSAGES, ORIGINALS, SESSIONS, TOOL_CALLS
from benchmarks.multiplied import multiply

MEGABYTE = 1e6


class Cost(NamedTuple):
    """Seconds by the clock, and of the processors: this process's and the server's."""

    wall: float
    own: float
    server: float = 0.0

    def row(self, name: str, size: int) -> str:
        speed = size / MEGABYTE / self.wall if self.wall else 0.0
        return f"| {name} | {self.wall:,.2f} | {speed:,.0f} | {self.own:,.2f} | {self.server:,.2f} |"


def timed(work: Callable[[], Any]) -> Cost:
    wall, own = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - own)


async def awaited(work: Callable[[], Awaitable[Any]], pid: int) -> Cost:
    wall, own, server = time.perf_counter(), time.process_time(), cpu_of(pid)
    await work()
    return Cost(time.perf_counter() - wall, time.process_time() - own, cpu_of(pid) - server)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def read_all(folder: pathlib.Path) -> int:
    return sum(len(path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def parse_all(
    folder: pathlib.Path, *, mask: bool = False, keep: bool = False, take: Callable[[ImportResult], object] = id
) -> None:
    options = Options(mask=Masker().mask if mask else None, keep_original=keep, piece_bytes=PIECE_BYTES)
    found: dict[str, list[pathlib.Path]] = collections.defaultdict(list)
    for importer, path in find_history(folder):
        if importer is not None:
            found[importer.name].append(path)
    for importer in IMPORTERS:
        history = importer.survey(found[importer.name], options)
        for path in history.files:
            for result in history.read(path):
                take(result)


def encoded(result: ImportResult) -> None:
    """The rows as they are sent."""
    originals = [
        OriginalPart(original_id="o", start=one.offset, end=one.end, data=one.data) for one in result.originals
    ]
    for table, records in (
        (SESSIONS, result.sessions),
        (MESSAGES, result.messages),
        (TOOL_CALLS, result.tool_calls),
        (GIT_LINKS, result.git_links),
        (FILE_TOUCHES, result.file_touches),
        (ORIGINALS, originals),
    ):
        encode_rows(table, "bench", records, name=table.name)


async def whole(store: AsyncClickHouseStore, folder: pathlib.Path) -> IngestSummary:
    async for event in ingest(store, "bench", places=folder, user="ada"):
        if isinstance(event, IngestSummary):
            return event
    raise AssertionError("no summary")


def add_a_line(folder: pathlib.Path) -> int:
    """To the largest transcript; how many bytes it has."""
    path = max(folder.rglob("*.jsonl"), key=lambda one: one.stat().st_size)
    with path.open("ab") as file:
        file.write(b'{"type":"user","uuid":"one more","message":{"role":"user","content":"one more"}}\n')
    return path.stat().st_size


async def into_a_store(folder: pathlib.Path, size: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        lines = []
        async with AsyncClickHouseStore(f"local:{place}/store") as store:
            await store.ensure_schema()
            running = find_running(resolve(f"{place}/store"))
            assert running is not None
            pid = running.pid
            summaries: list[IngestSummary] = []

            async def once() -> None:
                summaries.append(await whole(store, folder))

            lines.append((await awaited(once, pid)).row("ingest, everything new", size))
            left = await awaited(lambda: merged(store), pid)
            lines.append(left.row("what the server does after it: merges, index", size))
            lines.append((await awaited(once, pid)).row("ingest, nothing changed", size))
            grown = add_a_line(folder)
            lines.append((await awaited(once, pid)).row(f"ingest, a line added to {grown / MEGABYTE:,.1f} MB", size))
            first, memory = summaries[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            lines.append(
                f"\n{first.files}, {first.messages:,} messages, {first.tool_calls:,} calls; {await kept(store, size)};"
                f" memory {memory:,.0f} MB; again: {summaries[1].files}"
            )
        stop(f"{place}/store")
        shutil.rmtree(f"{place}/store", ignore_errors=True)
    return iter(lines)


async def merged(store: AsyncClickHouseStore) -> None:
    """Returns when the server has merged all parts of each partition into one."""
    for table in ("messages", "tool_calls", "originals"):
        await store._open_lanes.background.execute(sql(f"OPTIMIZE TABLE {table} FINAL"), timeout_seconds=3600)


async def kept(store: AsyncClickHouseStore, size: int) -> str:
    """What the originals take on the disk."""
    query = sql(
        "SELECT sum(bytes_on_disk) FROM system.parts"
        " WHERE database = currentDatabase() AND table = 'originals' AND active"
    )
    ((taken,),) = await store._open_pool.fetch(query)
    return f"originals {taken / size:.3f} bytes on the disk for each byte of the files"


def measure(source: pathlib.Path, megabytes_of: int, *, rounds: int, work: pathlib.Path | None = None) -> None:
    """Print all of it."""
    with tempfile.TemporaryDirectory(dir=work) as place:
        folder = pathlib.Path(place, "transcripts")
        count, size = multiply(source, folder, megabytes_of)
        print(f"{count:,} files, {size / MEGABYTE:,.0f} MB\n")
        print("| | seconds | MB/s | CPU here, s | CPU of the server, s |\n| --- | --- | --- | --- | --- |", flush=True)
        stages: dict[str, Callable[[], Any]] = {
            "read": lambda: read_all(folder),
            "parse": lambda: parse_all(folder),
            "parse, mask": lambda: parse_all(folder, mask=True),
            "parse, mask, keep originals": lambda: parse_all(folder, mask=True, keep=True),
            "parse, mask, keep originals, encode": lambda: parse_all(folder, mask=True, keep=True, take=encoded),
        }
        taken: dict[str, list[Cost]] = {name: [] for name in stages}
        for _ in range(rounds):
            for name, work_of in stages.items():
                taken[name].append(timed(work_of))
        for name, costs in taken.items():
            cost = Cost(statistics.median(one.wall for one in costs), statistics.median(one.own for one in costs))
            print(cost.row(name, size), flush=True)
        for line in asyncio.run(into_a_store(folder, size)):
            print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=pathlib.Path, help="where to put the copies; else a temporary folder")
    asked = parser.parse_args()
    measure(asked.folder, int(asked.megabytes * MEGABYTE), rounds=asked.rounds, work=asked.work)


if __name__ == "__main__":
    main()
