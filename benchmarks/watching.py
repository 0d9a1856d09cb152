"""What a watcher costs when nothing happens, and how soon a new record is in the store.


A tree of small transcripts is made in a folder of its own. That they were read is written into the store beforehand,
without their rows: what is measured is a watcher that runs for long, not the first import.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import pathlib
import statistics
import tempfile
import time
import uuid

import msgspec

from agentstore import AsyncClickHouseStore
from agentstore.importers.claude_code.importer import ClaudeCode
from agentstore.importers.file_blocks import name_of
from agentstore.ingest import IngestSummary, watch
from agentstore.ingest.arguments import masker_of, options_of
from agentstore.ingest.ledger import Ledger
from agentstore.ingest.looking import Looker
from agentstore.models import SourceFile

MACHINE, PER_FOLDER = "bench", 100


def record(session: str, number: int) -> bytes:
    """A line of a transcript."""
    at = f"2026-03-02T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
    said = {"role": "user", "content": f"prompt {number}"}
    line = {"type": "user", "sessionId": session, "uuid": f"{session}-{number}", "timestamp": at, "cwd": "/w",
            "version": "2.1.0", "message": said}  # fmt: skip
    return msgspec.json.encode(line) + b"\n"


def make_tree(root: pathlib.Path, number: int) -> list[pathlib.Path]:
    paths = []
    for one in range(number):
        session = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{root}/{one}"))
        path = root / "projects" / f"-w-{one // PER_FOLDER}" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(record(session, line) for line in range(5)))
        paths.append(path)
    return paths


async def note_as_read(store: AsyncClickHouseStore, org: str, root: pathlib.Path) -> None:
    """As if all of the tree had been imported."""
    importer = ClaudeCode()
    ledger = Ledger(store, org, MACHINE)
    files = Looker([root], [importer], ledger).look().files
    options = options_of("", "", MACHINE, masker_of(True), keep_raw=True)
    history = importer.survey([file.path for file in files], options)
    for file in files:
        ledger.note(
            SourceFile(
                path=file.name,
                machine=MACHINE,
                source_id=file.source_id,
                importer=importer.name,
                importer_version=importer.version,
                root=name_of(root),
                stat=file.stat,
                context=history.context(file.path).hex(),
                size=file.found.size,
                outcome="read",
                facts=history.facts(file.path),
            )
        )
    await ledger.settle()


async def measure(arguments: argparse.Namespace, root: pathlib.Path) -> None:
    paths = make_tree(root, arguments.files)
    await asyncio.sleep(3)  # times tell changes of files that are older than that
    org = f"watching-{uuid.uuid4().hex[:8]}"
    async with AsyncClickHouseStore(arguments.store) as store:
        await store.ensure_schema()
        await note_as_read(store, org, root)
        began = time.process_time()
        await asyncio.sleep(arguments.seconds / 3)
        print(f"store alone, idle: {(time.process_time() - began) / arguments.seconds * 300:.3f} % of a core")
        waiting: asyncio.Queue[IngestSummary] = asyncio.Queue()

        async def follow() -> None:
            began, cpu = time.monotonic(), time.process_time()
            events = watch(store, org, places=root, machine=MACHINE, importers=[ClaudeCode()])
            async with contextlib.aclosing(events):
                async for event in events:
                    if isinstance(event, IngestSummary):
                        took, used = time.monotonic() - began, time.process_time() - cpu
                        if waiting.empty() and not event.sessions:
                            print(f"first pass: {took:.2f} s, {used:.2f} s of CPU; {event.files}")
                        waiting.put_nowait(event)

        task = asyncio.create_task(follow())
        await waiting.get()
        began = time.process_time()
        await asyncio.sleep(arguments.seconds)
        print(f"watching, idle: {(time.process_time() - began) / arguments.seconds * 100:.3f} % of a core")
        took = []
        began = time.process_time()
        for number in range(arguments.appends):
            path = paths[number * 97 % len(paths)] if number % 2 else paths[0]
            with path.open("ab") as file:
                file.write(record(path.stem, 5 + number))
            written = time.monotonic()
            await waiting.get()  # a summary follows when the rows are committed
            took.append(time.monotonic() - written)
        cpu = (time.process_time() - began) / max(1, len(took))
        print(
            f"written to stored, {len(took)} appends: median {statistics.median(took):.2f} s, worst {max(took):.2f} s,"
            f" {1000 * cpu:.0f} ms of CPU each"
        )
        print(f"messages of the first file: {len(await store.get_session_messages(org, paths[0].stem))}")
        task.cancel()
        await asyncio.wait([task])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", nargs="?", default="local:.agentstore-bench")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--appends", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(arguments, pathlib.Path(folder)))


if __name__ == "__main__":
    main()
