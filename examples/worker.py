"""An ingestion worker: the history of coding agents into a store, once or for as long as it runs.

    AGENTSTORE_DSN=clickhouse://user:password@host/database python examples/worker.py ORG [--watch] [PLACE …]

It needs ``pip install 'agentstore[ingest]'``. Without a place it takes those where the agents of this user keep their
history. Run it as often as you like, also twice at once: only what is new is read. With --watch it goes on, and stores
what is written within seconds; SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import signal
import sys

from agentstore import AgentStoreError, AsyncClickHouseStore
from agentstore.ingest import IngestSummary, ingest, watch


async def work(org: str, places: list[str] | None, *, follow: bool) -> int:
    """Store all that is there, and with ``follow`` what comes; how many files failed."""
    failures = 0
    async with AsyncClickHouseStore() as store:
        await store.ensure_schema()
        events = (watch if follow else ingest)(store, org, places=places, user=getpass.getuser())
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, IngestSummary):
                    tell(event)
                elif event.kind == "failed":
                    failures += 1
                    print(f"{event.path}: {event.reason}", file=sys.stderr)
    return failures


def tell(summary: IngestSummary) -> None:
    files = ", ".join(f"{count} {outcome}" for outcome, count in sorted(summary.files.items())) or "none"
    print(f"files: {files}; {summary.sessions} sessions, {summary.messages} messages, {summary.tool_calls} tool calls")
    for problem in summary.problems:
        print(problem, file=sys.stderr)


async def main(org: str, places: list[str] | None, *, follow: bool) -> int:
    task = asyncio.ensure_future(work(org, places, follow=follow))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return 1 if await task else 0
    except AgentStoreError as error:
        print(error, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return 0  # what was read by then is stored; the next run goes on behind it


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("org")
    parser.add_argument("places", nargs="*", metavar="PLACE")
    parser.add_argument("--watch", action="store_true")
    asked = parser.parse_intermixed_args()  # also where --watch stands before the places
    sys.exit(asyncio.run(main(asked.org, asked.places or None, follow=asked.watch)))
