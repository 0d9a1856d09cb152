"""Two servers that do not replicate each other, one of which is killed under load: what the library can promise there.

Such servers should not be listed together (``ConnectOptions``): a session's rows may be on either. But each row that
was acknowledged is on one of them, and reads and writes go on. Two hosts with the same rows are in
``tests/live/test_hosts.py`` and in the schedules of ``test_faults.py``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from agentstore import AsyncClickHouseStore, ConnectionFailedError, Message, NotFoundError, Session
from agentstore.connection.sql import sql
from agentstore.write.mending import Mender
from tests.faults.server import KillableServer
from tests.live.copies import differences

DATABASE = "agentstore"
# Far beyond the tests' own limits: nothing may wait for a host that is gone.
FOREVER = 3600.0


@pytest_asyncio.fixture(loop_scope="function")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[KillableServer]]:
    async with AsyncExitStack() as stack:
        found = [KillableServer(tmp_path_factory.mktemp("server")) for _ in range(2)]
        for one in found:
            await one.start()
            stack.push_async_callback(one.stop)
            async with AsyncClickHouseStore(one.dsn(DATABASE)) as store:
                await store.ensure_schema()
        yield found


class Load:
    """Readers and writers of one store, and what they were told."""

    def __init__(self, store: AsyncClickHouseStore) -> None:
        self._store = store
        self.acknowledged: dict[str, str] = {}
        self.reads = 0
        self.slowest = 0.0

    async def write(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            id, text = f"s{number}", f"text {number}"
            row = Session(id=id, user_message_count=1)
            await self._store.write_session("org", row, [Message(ordinal=0, role="user", content=text)])
            self.acknowledged[id] = text

    async def read(self, over: asyncio.Event) -> None:
        while not over.is_set():
            began = time.monotonic()
            await self._store.list_sessions("org")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.reads += 1

    async def goes_on(self) -> None:
        """Returns when some more reads and writes have been answered."""
        reads, writes = self.reads + 20, len(self.acknowledged) + 20
        while self.reads < reads or len(self.acknowledged) < writes:  # noqa: ASYNC110  # they tell nobody
            await asyncio.sleep(0.005)


async def rows_on(server: KillableServer) -> set[tuple[str, str]]:
    """The session rows and the messages on one server: a session's id with "", or with its text."""
    async with AsyncClickHouseStore(server.dsn(DATABASE)) as store:
        columns = await store._open_pool.fetch(
            sql("SELECT id, '' FROM sessions UNION ALL SELECT session_id, content FROM messages")
        )
    return set(zip(*columns, strict=True)) if columns else set()


async def check_copies(*servers: KillableServer) -> None:
    """What is not copied is what nobody was told of: the store that sent it went on with the other server."""
    for server in servers:
        async with AsyncClickHouseStore(server.dsn(DATABASE)) as store:
            await Mender(store._open_pool).mend()
            assert await differences(store) == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("order", ["in_order", "random"])
async def test_one_of_two_servers_is_killed_under_load(servers: list[KillableServer], order: str) -> None:
    first, second = servers
    dsn = first.dsn(DATABASE, first.port, second.port)
    options: dict[str, Any] = {"host_order": order, "query_timeout_seconds": FOREVER}
    options["connect_timeout_seconds"] = FOREVER
    async with asyncio.timeout(120), AsyncClickHouseStore(dsn, write_timeout_seconds=FOREVER, **options) as store:
        load, over = Load(store), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(load.read(over))
            writers = [tasks.create_task(load.write(start, 30)) for start in (0, 100, 200)]
            await load.goes_on()
            await first.kill()
            await load.goes_on()  # none of them failed: that would have ended the group
            await asyncio.wait(writers)
            over.set()
    await first.start()
    here, there = await rows_on(first), await rows_on(second)
    await check_copies(first, second)
    print(f"{order}: the slowest read took {load.slowest:.2f} s; {len(here)} and {len(there)} rows")
    assert len(load.acknowledged) == 90
    assert there
    assert here or order == "random"
    for id, text in load.acknowledged.items():
        assert {(id, ""), (id, text)} <= here | there, f"{id} was acknowledged, and is not there"


async def test_both_servers_are_killed_and_come_back(servers: list[KillableServer]) -> None:
    """Whatever rests: the first call after they are back is answered."""
    first, second = servers
    first_port, second_port = first.port, second.port
    async with asyncio.timeout(60):
        store = AsyncClickHouseStore(first.dsn(DATABASE, first_port, second_port), write_timeout_seconds=0.3)
        async with store:
            for one in servers:
                await one.kill()
            for _ in range(3):
                with pytest.raises(ConnectionFailedError, match=r"no host could be reached|the connection was lost"):
                    await store.list_sessions("org")
            await second.start(second_port)
            with pytest.raises(NotFoundError):
                await store.get_session("org", "nobody")
