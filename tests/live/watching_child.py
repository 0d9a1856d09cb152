"""A program that watches until it is asked to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

from agentstore import AsyncClickHouseStore
from agentstore.ingest import watch
from tests.live.watched import PACE


async def main(dsn: str, database: str, org: str, place: str) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncClickHouseStore(dsn, database=database) as store:
        events = watch(store, org, places=place, user="ada", machine="laptop", pace=PACE)
        with contextlib.suppress(asyncio.CancelledError):
            async with contextlib.aclosing(events):
                async for event in events:
                    if event.kind in ("summary", "stored"):
                        print(event.kind, flush=True)


asyncio.run(main(*sys.argv[1:]))
