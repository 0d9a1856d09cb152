"""Random fault schedules: whatever is cut, stalled, refused, killed or cancelled, nothing is lost, doubled or hidden.

``AGENTSTORE_FAULT_SCHEDULES`` says how many schedules are run, ``AGENTSTORE_FAULT_SEED`` runs the one with that seed.
"""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agentstore import AsyncClickHouseStore, ConnectionFailedError, StoreClosedError
from agentstore.connection.dial import dial
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, sql
from agentstore.settings import resolve_target
from agentstore.write.statistics import TableStatistics
from tests.faults.ledger import Call, Ledger, outcome_of
from tests.faults.proxy import Fault, Proxy
from tests.faults.schedules import Schedule, Step, draw
from tests.faults.server import KillableServer

DATABASE = "faults"
TABLES: dict[str, tuple[str, str]] = {
    "sessions": ("org_id, id", "display_name"),
    "messages": ("org_id, session_id, ordinal", "content"),
    "tool_calls": ("org_id, session_id, message_ordinal, tool_use_id, call_index", "input_json"),
    "git_links": ("org_id, session_id, commit_sha, pr_url", "user_id"),
}


def seeds() -> list[int]:
    if seed := os.environ.get("AGENTSTORE_FAULT_SEED"):
        return [int(seed)]
    return list(range(int(os.environ.get("AGENTSTORE_FAULT_SCHEDULES", "50"))))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KillableServer]:
    found = KillableServer(tmp_path_factory.mktemp("faults"))
    await found.start()
    async with AsyncClickHouseStore(found.dsn(DATABASE)) as store:
        await store.ensure_schema()
    yield found
    await found.stop()


class Run:
    """One schedule, carried out on a store that sees the server through a proxy."""

    def __init__(self, schedule: Schedule, server: KillableServer, proxy: Proxy, store: AsyncClickHouseStore) -> None:
        self.schedule = schedule
        self.server = server
        self.proxy = proxy
        self.store = store
        self.ledger = Ledger(f"org-{uuid.uuid4().hex[:12]}")
        self._inserts = iter(schedule.inserts)
        self._connections = iter(schedule.connections)
        self._events: list[asyncio.Task[None]] = []

    async def carry_out(self) -> dict[str, TableStatistics]:
        """All writers to their ends; the writer's figures after the store was closed."""
        assert self.store._writer is not None
        writer = self.store._writer
        self.proxy.on_insert, self.proxy.on_connect = self._on_insert, lambda: next(self._connections, "")
        await asyncio.gather(*(self._write(n, steps) for n, steps in enumerate(self.schedule.writers)))
        await asyncio.gather(*self._events)
        await self.store.aclose()
        return writer.statistics()

    def _on_insert(self, table: str) -> Fault | None:
        count, schedule = len(self.proxy.inserts), self.schedule
        if count == schedule.kill_after_inserts:
            self._events.append(asyncio.create_task(self._kill()))
        if count == schedule.cut_all_after_inserts:
            asyncio.get_running_loop().call_soon(self.proxy.cut_all)
        if count == schedule.close_after_inserts:
            self._events.append(asyncio.create_task(self.store.aclose()))
        return next(self._inserts, None)

    async def _kill(self) -> None:
        await self.server.kill()
        self.proxy.cut_all()
        await self.server.start()
        self.proxy.target = ("127.0.0.1", self.server.port)

    async def _write(self, writer: int, steps: list[Step]) -> None:
        """One task's calls, one after the other; what was submitted is asked for at the end."""
        pending: list[tuple[Call, Any]] = []
        for step in steps:
            with suppress(StoreClosedError):  # closed in the middle: nothing of this call was taken
                await self._take(writer, step, pending)
        for call, receipt in pending:
            await self._watch(call, asyncio.create_task(_awaited(receipt)))

    async def _take(self, writer: int, step: Step, pending: list[tuple[Call, Any]]) -> None:
        if step.kind == "flush":
            await self.store.flush()
            return
        if step.kind == "links":
            call, links = self.ledger.links_call(writer, step.messages)
            await self._watch(call, asyncio.create_task(self.store.write_git_links(self.ledger.org, links)))
            return
        ordinals = range(step.first, step.first + step.messages)
        call, arguments = self.ledger.session_call(writer, step.session, ordinals, step.calls)
        if step.kind == "submit":
            try:
                pending.append((call, self.store.submit_session(self.ledger.org, *arguments)))
            except StoreClosedError as error:
                call.ended(error)
            return
        task = asyncio.create_task(self.store.write_session(self.ledger.org, *arguments))
        if step.kind == "cancel":
            await asyncio.wait([task], timeout=step.after)
            task.cancel()
        await self._watch(call, task)

    async def _watch(self, call: Call, task: asyncio.Task[Any]) -> None:
        await asyncio.wait([task])
        call.ended(outcome_of(task))


async def _awaited(receipt: Any) -> None:
    await receipt


@pytest.mark.timeout(120)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("seed", seeds())
async def test_a_schedule_loses_nothing_doubles_nothing_and_leaks_nothing(seed: int, server: KillableServer) -> None:
    print(f"seed {seed}: AGENTSTORE_FAULT_SEED={seed} reproduces it")
    schedule, before = draw(seed), _held()
    checker = await dial(resolve_target(server.dsn(DATABASE), {}), DATABASE)
    for table in TABLES:  # so that a row stored twice stays two rows
        await checker.fetch(sql("SYSTEM STOP MERGES {table}", table=Sql(table)), {}, 30)
    await checker.close()
    async with Proxy(("127.0.0.1", server.port)) as proxy:
        store = AsyncClickHouseStore(server.dsn(DATABASE, proxy.port), **schedule.options)
        await _opened(store)
        run = Run(schedule, server, proxy, store)
        statistics = await run.carry_out()
    print(f"{len(proxy.inserts)} inserts, {len(proxy.faults)} faults, {len(run.ledger.calls)} calls")
    for figures in statistics.values():
        settled = figures.rows_written + figures.rejected_rows + figures.failed_rows
        assert (figures.waiting_rows, figures.waiting_bytes) == (0, 0)
        assert figures.accepted_rows == settled, figures
    await _check_rows(run.ledger, server)
    assert _held() == before


async def _opened(store: AsyncClickHouseStore) -> None:
    """Open the store: nothing is broken yet, but a busy machine may miss the short time to connect of the schedule."""
    async with asyncio.timeout(60):
        while True:
            with suppress(ConnectionFailedError):
                await store.open()
                return


async def _check_rows(ledger: Ledger, server: KillableServer) -> None:
    connection = await dial(resolve_target(server.dsn(DATABASE), {}), DATABASE)
    try:
        seen = {table: await _check_table(connection, ledger, table) for table in TABLES}
    finally:
        await connection.close()
    ledger.check_publication(seen["sessions"], seen["messages"], seen["tool_calls"])


async def _check_table(connection: NativeConnection, ledger: Ledger, table: str) -> dict[tuple[Any, ...], str]:
    key, text = map(Sql, TABLES[table])
    names = {"key": key, "text": text, "table": Sql(table), "org": ledger.org}
    versions = sql("SELECT {key}, {text}, count() FROM {table} WHERE org_id = {org} GROUP BY {key}, {text}", **names)
    newest = sql("SELECT {key}, {text} FROM {table} FINAL WHERE org_id = {org}", **names)
    rows = zip(*await connection.fetch(versions, {}, 30), strict=True)
    seen = {row[:-1]: row[-1] for row in zip(*await connection.fetch(newest, {}, 30), strict=True)}
    ledger.check(table, ((row[:-2], row[-2], row[-1]) for row in rows), seen)
    return seen


def _held() -> tuple[int, int, int]:
    """Tasks, sockets and threads of this process; those of the loop's own executor come and go."""
    threads = [one for one in threading.enumerate() if not one.name.startswith("asyncio_")]
    return len(asyncio.all_tasks()), sum(1 for _ in _sockets()), len(threads)


def _sockets() -> Iterator[str]:
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the directory's own, closed by now
            if (target := os.readlink(descriptor)).startswith("socket:"):
                yield target
