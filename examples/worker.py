"""An ingestion worker: a directory of Claude Code transcripts into a store, several files at a time.

    AGENTSTORE_DSN=clickhouse://user:password@host/database python examples/worker.py ORG DIRECTORY

Run it as often as you like, also twice at once: the same rows written again change nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from agentstore import AgentStoreError, AsyncClickHouseStore
from agentstore.importers import ImportResult, import_tree
from agentstore.ingest import ImportWriter

TASKS = 8


async def ingest(store: AsyncClickHouseStore, org: str, results: Iterator[ImportResult]) -> tuple[int, list[str]]:
    """Store every result, ``TASKS`` at a time: how many files, and what went wrong with which."""
    writer = ImportWriter(store, org)
    failures: list[str] = []
    count = 0
    turn = asyncio.Lock()

    async def work() -> None:
        nonlocal count
        while True:
            async with (
                turn
            ):  # reading and parsing happen in a thread, one file at a time; the waiting is for the server
                result = await asyncio.to_thread(next, results, None)
            if result is None:
                return
            try:
                await writer.write(result)
            except AgentStoreError as error:  # one file must not end the others; the next run writes it again
                failures.append(f"{result.file}: {error}")
            failures.extend(f"{problem.file}:{problem.line}: {problem.reason}" for problem in result.problems)
            count += result.piece == 0

    async with asyncio.TaskGroup() as group:
        for _ in range(TASKS):
            group.create_task(work())
    return count, failures


async def main(org: str, directory: str) -> int:
    async with AsyncClickHouseStore() as store:
        await store.ensure_schema()
        count, failures = await ingest(store, org, import_tree(directory))
    print(f"{count} files, {len(failures)} problems")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or not Path(sys.argv[2]).is_dir():
        sys.exit("usage: worker.py ORG DIRECTORY")
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2])))
