"""A store beside sixty clients that do what they can: it stays fast, loses nothing, and the server stays small.

``AGENTSTORE_SOAK_SECONDS`` says for how long (600 in ``make test-faults``), ``AGENTSTORE_SOAK_SEED`` which clients.
Times are asserted only in runs of a minute or more: a few seconds beside other tests say nothing of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from pathlib import Path

import pytest
from asynch.proto.connection import Connection as Client

from agentstore import AsyncClickHouseStore
from tests.builders import message, session
from tests.faults.server import PASSWORD, KillableServer
from tests.local.server_processes import start_python

SECONDS = float(os.environ.get("AGENTSTORE_SOAK_SECONDS", "5"))
SEED = int(os.environ.get("AGENTSTORE_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
MOST_BYTES = 2_000_000_000
P99_SECONDS = 0.5


@pytest.mark.timeout(SECONDS * 2 + 180)
async def test_a_store_beside_sixty_clients_of_all_kinds(tmp_path: Path) -> None:
    print(f"AGENTSTORE_SOAK_SEED={SEED}")
    server = KillableServer(tmp_path / "store")
    await server.start()
    try:
        async with AsyncClickHouseStore(server.dsn("agentstore")) as store:
            await store.ensure_schema()
            crowd = start_python("-m", "tests.faults.crowd", str(server.port), str(SECONDS), str(SEED))
            ended = asyncio.ensure_future(asyncio.to_thread(crowd.communicate))
            assert server._process is not None
            times, most = await use(store, ended, server._process.pid)
            output, errors = await ended
            assert crowd.returncode == 0, errors
            report = json.loads(output)
            stored = await count(server.port)
    finally:
        await server.stop()
    p50, p99 = (times_sorted := sorted(times))[len(times) // 2], times_sorted[int(len(times) * 0.99)]
    print(
        f"{len(times)} calls: p50 {p50:.3f} s, p99 {p99:.3f} s, most {max(times):.3f} s; {most / 1e6:.0f} MB; {report}"
    )
    assert report["failures"] == []
    assert stored == len(times)
    assert most < MOST_BYTES
    assert SECONDS < 60 or p99 < P99_SECONDS


async def use(store: AsyncClickHouseStore, ended: asyncio.Future[tuple[str, str]], pid: int) -> tuple[list[float], int]:
    """Write a message and read it, again and again; the times, and the most memory the server has taken."""
    times: list[float] = []
    most = 0
    while not ended.done():
        start = time.monotonic()
        name = f"s{len(times)}"
        await store.write_session("org", session(name), [message(0, name)])
        assert [seen.content for seen in await store.get_session_messages("org", name)] == [name]
        times.append(time.monotonic() - start)
        most = max(most, await asyncio.to_thread(resident_bytes, pid))
        await asyncio.sleep(0.02)
    return times, most


async def count(port: int) -> int:
    client = Client(host="127.0.0.1", port=port, password=PASSWORD)
    await client.connect()
    try:
        [(rows,)] = await client.execute("SELECT count() FROM agentstore.messages FINAL")
        return int(rows)
    finally:
        await client.disconnect()


def resident_bytes(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0
