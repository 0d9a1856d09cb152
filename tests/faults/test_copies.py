"""The server and its writer are killed at random moments: what was acknowledged is copied, and the rest can be mended.

``AGENTSTORE_FAULT_SCHEDULES`` says how often: once for every ten.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.connection.sql import identifier
from agentstore.write.mending import Mender
from agentstore.write.narrow import NARROW
from tests.faults.server import KillableServer
from tests.live.connections import connected
from tests.live.copies import differences, uncopied
from tests.local.server_processes import start_python

ROUNDS = max(2, int(os.environ.get("AGENTSTORE_FAULT_SCHEDULES", "24")) // 10)
CHILD = """\
import asyncio, itertools, sys
from agentstore import AsyncClickHouseStore, GitLink, Message, Session, ToolCall
async def main(dsn, first):
    numbers = itertools.count(int(first))
    async def write(store):
        for n in numbers:
            id = f"s{n}"
            messages = [Message(ordinal=m, role="user", content=str(n)) for m in range(3)]
            await store.write_session("o", Session(id=id), messages, [ToolCall(message_ordinal=0, tool_use_id="t")])
            await store.write_git_links("o", [GitLink(session_id=id, commit_sha="abcdef1", link_type="commit",
                                                      confidence="high")])
            print(id, flush=True)
    async with AsyncClickHouseStore(dsn, write_timeout_seconds=5) as store:
        await asyncio.gather(*(write(store) for _ in range(8)))
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.timeout(600)
async def test_a_server_and_its_writer_are_killed_at_any_moment(tmp_path: Path) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    server, acknowledged, mended = KillableServer(tmp_path / "store"), set[str](), 0
    await server.start()
    async with AsyncClickHouseStore(server.dsn("copies")) as store:
        await store.ensure_schema()
    for number in range(ROUNDS):
        acknowledged |= await write_until_killed(server, number * 1_000_000, rng.randint(1, 200), rng.random() * 0.05)
        await server.start()
        async with AsyncClickHouseStore(server.dsn("copies")) as store:
            missing = await sessions_uncopied(store)
            assert missing & acknowledged == set()
            mended += await Mender(store._open_pool).mend()
            assert await differences(store) == []
    print(f"{len(acknowledged)} sessions were acknowledged, {mended} rows mended in {ROUNDS} rounds")
    await server.stop()


async def write_until_killed(server: KillableServer, first: int, count: int, seconds: float) -> set[str]:
    """Sessions that are acknowledged until the server is killed, a moment after so many; and its writer with it."""
    child = start_python("-c", CHILD, server.dsn("copies"), str(first))
    assert child.stdout is not None
    lines = [await asyncio.to_thread(child.stdout.readline) for _ in range(count)]
    await asyncio.sleep(seconds)  # a moment of its own, not a wait
    await server.kill()
    child.kill()
    rest, _ = await asyncio.to_thread(child.communicate)
    return {line.strip() for line in (*lines, *rest.splitlines())} - {""}


async def sessions_uncopied(store: AsyncClickHouseStore) -> set[str]:
    found = set[str]()
    async with connected(store) as connection:
        for copy in NARROW:
            query = uncopied(copy, identifier(copy.of.key[0]))
            found.update(id for (id,) in zip(*await connection.fetch(query, {}, 60), strict=True))
    return found
