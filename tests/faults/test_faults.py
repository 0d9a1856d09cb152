"""Random fault schedules: whatever is cut, stalled, refused, killed or cancelled, nothing is lost, doubled or hidden.

``AGENTSTORE_FAULT_SCHEDULES`` says how many schedules are run, ``AGENTSTORE_FAULT_SEED`` runs the one with that seed.
"""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agentstore import AgentStoreError, AsyncClickHouseStore, ConnectionFailedError, NotFoundError, StoreClosedError
from agentstore.connection.dial import dial
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, sql
from agentstore.schema.plan import drop_database
from agentstore.settings import resolve_target
from agentstore.write.mending import Mender
from agentstore.write.narrow import NARROW
from agentstore.write.statistics import TableStatistics
from agentstore.write.sweep import sweep
from tests.faults.clocks import Clocks, look
from tests.faults.ledger import OTHERS, Call, Ledger, Seen, outcome_of
from tests.faults.proxy import Fault, Proxy
from tests.faults.schedules import HOUR, SESSIONS, STORES, Schedule, Step, draw
from tests.faults.server import KillableServer
from tests.live.copies import differences, uncopied

# Each with its key and the column that holds the call's text.
TABLES: dict[str, tuple[str, str]] = {
    "sessions": ("org_id, id", "display_name"),
    "messages": ("org_id, session_id, ordinal", "content"),
    "tool_calls": ("org_id, session_id, message_ordinal, tool_use_id, call_index", "input_json"),
    "git_links": ("org_id, session_id, commit_sha, pr_url", "user_id"),
}
PURGE_SECONDS = 20.0


def seeds() -> list[int]:
    if seed := os.environ.get("AGENTSTORE_FAULT_SEED"):
        return [int(seed)]
    return list(range(int(os.environ.get("AGENTSTORE_FAULT_SCHEDULES", "24"))))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KillableServer]:
    found = KillableServer(tmp_path_factory.mktemp("faults"))
    await found.start()
    yield found
    await found.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def database(server: KillableServer) -> AsyncIterator[str]:
    """A database for each schedule: the clocks of all stores rise above what is stored in it, however far ahead."""
    name = f"faults_{uuid.uuid4().hex[:12]}"
    async with AsyncClickHouseStore(server.dsn(name)) as store:
        await store.ensure_schema()
    yield name
    async with _connected(server, "default") as connection:
        await connection.fetch(drop_database(name), {}, 60)


class Run:
    """One schedule, carried out on stores that see the server through proxies, one for each host they know it by.

    ``ways`` are the proxies of each store, the same ones or others.
    """

    def __init__(
        self, schedule: Schedule, server: KillableServer, database: str, ways: list[list[Proxy]], clocks: Clocks
    ) -> None:
        self.schedule = schedule
        self.server = server
        self.database = database
        self.ways = ways
        self.proxies = list(dict.fromkeys(proxy for way in ways for proxy in way))
        self.clocks = clocks
        self.stores: list[AsyncClickHouseStore] = []
        self.ledger = Ledger(f"org-{uuid.uuid4().hex[:12]}", schedule.clock.behind)
        self.seen_inserts = 0
        self._inserts = iter(schedule.inserts)
        self._connections = iter(schedule.connections)
        self._events: list[asyncio.Task[None]] = []

    async def carry_out(self) -> list[dict[str, TableStatistics]]:
        """All writers to their ends; the stores' figures after they were closed."""
        if self.schedule.clock.kind == "ahead" and not self.schedule.clock.after_inserts:
            await self._store_ahead(known=True)
        await self._open()
        for proxy in self.proxies:
            self._break(proxy)
        await asyncio.gather(*(self._write(steps) for steps in self.schedule.writers))
        for proxy in self.proxies:
            proxy.heal()
        await asyncio.gather(*self._events)
        await self._last_words()
        for store in self.stores:
            await store.aclose()
        await self._release_late()
        return [store.statistics() for store in self.stores]

    async def _open(self) -> None:
        for options, way in zip(self.schedule.options, self.ways, strict=True):
            dsn = self.server.dsn(self.database, *(proxy.port for proxy in way))
            store = AsyncClickHouseStore(dsn, **options)
            await _opened(store)
            self.stores.append(store)
        fault = self.schedule.clock
        for store, behind in zip(self.stores, (0.0, fault.seconds if fault.kind == "behind" else 0.0), strict=True):
            await self.clocks.tell(store, behind=behind)

    async def _last_words(self) -> None:
        if self.schedule.late_first:
            await self._release_late()
        for step in self.schedule.last_words:
            with suppress(StoreClosedError):
                await look(self.stores[step.store])
                await self._take(step, [], looked=True)

    async def _release_late(self) -> None:
        for proxy in self.proxies:
            await proxy.release_late()

    # --- what happens at which insert ---------------------------------------------------------------------------

    def _break(self, proxy: Proxy) -> None:
        """From now on the proxy does what the schedule says."""
        proxy.on_insert, proxy.on_connect = self._on_insert, lambda: next(self._connections, "")

    def _end_or_revive_host(self, count: int) -> None:
        ends = self.schedule.host_ends
        if ends is None or count not in (ends.after_inserts, ends.back_after_inserts):
            return
        for proxy in {way[ends.host] for way in self.ways}:
            if count == ends.after_inserts:
                # Not at once: this is called by a connection that would be cut here.
                asyncio.get_running_loop().call_soon(proxy.die if ends.kind == "die" else proxy.hang)
            else:
                proxy.heal()
                self._break(proxy)

    def _on_insert(self, table: str) -> Fault | None:
        self.seen_inserts += 1
        count, schedule = self.seen_inserts, self.schedule
        if count == schedule.kill_after_inserts:
            self._events.append(asyncio.create_task(self._kill()))
        if count == schedule.cut_all_after_inserts:
            for proxy in self.proxies:
                asyncio.get_running_loop().call_soon(proxy.cut_all)
        if count == schedule.close_after_inserts:
            self._events.append(asyncio.create_task(self.stores[schedule.closes].aclose()))
        self._end_or_revive_host(count)
        if count == schedule.clock.after_inserts:
            self.clocks.strike(schedule.clock)
            if schedule.clock.kind == "ahead":
                self._events.append(asyncio.create_task(self._store_ahead(known=False)))
        return next(self._inserts, None)

    async def _kill(self) -> None:
        await self.server.kill()
        for proxy in self.proxies:
            proxy.cut_all()
        await self.server.start()
        for proxy in self.proxies:
            proxy.target = ("127.0.0.1", self.server.port)

    async def _store_ahead(self, *, known: bool) -> None:
        """Rows of somebody whose clock is ahead, by hand."""
        call, (session, messages, _) = self.ledger.session_call(OTHERS, SESSIONS[0], [0], 0)
        ahead = int(self.schedule.clock.seconds * 1e9)
        names = {"org": self.ledger.org, "id": session.id, "text": call.text, "ahead": ahead}
        version = sql("toUnixTimestamp64Nano(now64(9)) + {ahead}", ahead=ahead)
        statements = [
            sql(
                "INSERT INTO messages (org_id, session_id, ordinal, content, _version)"
                " SELECT {org}, {id}, {ordinal}, {text}, {version}",
                ordinal=messages[0].ordinal, version=version, **names,
            ),
            sql(
                "INSERT INTO sessions (org_id, id, display_name, user_message_count, _version)"
                " SELECT {org}, {id}, {text}, 1, {version}",
                version=version, **names,
            ),
        ]  # fmt: skip
        outcome: BaseException | None = None
        try:
            async with _connected(self.server, self.database) as connection:
                for statement in statements:
                    await connection.fetch(statement, {}, 30)
        except Exception:  # the server was killed: nobody knows
            outcome = asyncio.CancelledError()
        call.ended(outcome)
        call.known = known

    # --- the writers --------------------------------------------------------------------------------------------

    async def _write(self, steps: list[Step]) -> None:
        """One task's calls, one after the other; what was submitted is waited for beside them."""
        pending: list[asyncio.Task[None]] = []
        for step in steps:
            with suppress(StoreClosedError):  # closed in the middle: nothing of this call was taken
                await self._take(step, pending)
        if pending:
            await asyncio.gather(*pending)

    async def _take(self, step: Step, pending: list[asyncio.Task[None]], *, looked: bool = False) -> None:
        if step.kind == "flush":
            await self.stores[step.store].flush()
            return
        call, make = self._call(step)
        call.looked = looked
        if step.kind == "submit":
            try:
                receipt = make()
            except StoreClosedError as error:
                call.ended(error)
                return
            call.submitted = True
            pending.append(asyncio.create_task(self._watch(call, asyncio.create_task(_awaited(receipt)))))
            return
        task = asyncio.create_task(make())
        if step.kind == "cancel":
            await asyncio.wait([task], timeout=step.after)
            task.cancel()
        await self._watch(call, task)

    def _call(self, step: Step) -> tuple[Call, Callable[[], Any]]:
        """A new call in the ledger, and what makes it."""
        ledger, store, org = self.ledger, self.stores[step.store], self.ledger.org
        if step.kind == "links":
            call, links = ledger.links_call(step.store, step.session, step.messages)
            return call, lambda: store.write_git_links(org, links)
        if step.kind == "delete":
            return ledger.removal(step.store, step.session), lambda: store.delete_sessions(org, [step.session])
        if step.kind == "purge":
            call = ledger.removal(step.store, step.session, purge=True)
            return call, lambda: store.purge_sessions(org, [step.session], timeout_seconds=PURGE_SECONDS)
        ordinals = range(step.first, step.first + step.messages)
        call, records = ledger.session_call(
            step.store, step.session, ordinals, step.calls, replace=step.replace, marked=step.marked
        )
        if step.marked:
            return call, lambda: _replace_marked(store, org, *records)
        write = store.submit_session if step.kind == "submit" else store.write_session
        return call, lambda: write(org, *records, replace=step.replace)

    async def _watch(self, call: Call, task: asyncio.Task[Any]) -> None:
        await asyncio.wait([task])
        call.ended(outcome_of(task))


async def _replace_marked(store: AsyncClickHouseStore, org: str, *records: Any) -> None:
    try:
        mark = await store.mark()
    except AgentStoreError as error:
        # A refusal of all of it, whatever the reason: the ledger knows this one.
        raise StoreClosedError("no mark was given, and nothing was written") from error
    await store.write_session(org, *records, replace=mark)


async def _awaited(receipt: Any) -> None:
    await receipt


@pytest.mark.timeout(120)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("seed", seeds())
async def test_a_schedule_loses_nothing_doubles_nothing_and_leaks_nothing(
    seed: int, server: KillableServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"seed {seed}: AGENTSTORE_FAULT_SEED={seed} reproduces it")
    schedule, before = draw(seed), _held()
    if not schedule.purges:  # which would wait for them
        async with _connected(server, database) as connection:
            for table in (*TABLES, *(copy.name for copy in NARROW)):  # so that a row stored twice stays two rows
                await connection.fetch(sql("SYSTEM STOP MERGES {table}", table=Sql(table)), {}, 30)
    async with AsyncExitStack() as stack:
        ways = [await _way(stack, server, schedule) for _ in range(1 if schedule.one_proxy else STORES)]
        run = Run(schedule, server, database, (ways * STORES)[:STORES], Clocks(monkeypatch))
        statistics = await run.carry_out()
    late = sum(one.delivered_late for one in run.proxies)
    print(f"{schedule.clock}, {schedule.host_ends}, {run.seen_inserts} inserts, {late} delivered late")
    for call in run.ledger.calls:
        print(call)
    for figures in (one for each in statistics for one in each.values()):
        settled = figures.rows_written + figures.rejected_rows + figures.failed_rows
        assert (figures.waiting_rows, figures.waiting_bytes) == (0, 0)
        assert figures.accepted_rows == settled, figures
    await _check_rows(run)
    assert _held() == before


async def _way(stack: AsyncExitStack, server: KillableServer, schedule: Schedule) -> list[Proxy]:
    """A proxy for each host that a store knows the server by."""
    first = await stack.enter_async_context(Proxy(("127.0.0.1", server.port)))
    if not schedule.two_hosts:
        return [first]
    return [first, await stack.enter_async_context(Proxy(first.target, twin=first))]


async def _opened(store: AsyncClickHouseStore) -> None:
    """Open the store: nothing is broken yet, but a busy machine may miss the short time to connect of the schedule."""
    async with asyncio.timeout(60):
        while True:
            with suppress(ConnectionFailedError):
                await store.open()
                return


async def _check_rows(run: Run) -> None:
    async with _connected(run.server, run.database) as connection:
        for table, (key, text) in TABLES.items():
            query = sql(
                "SELECT {key}, {text}, count() FROM {table}"
                " WHERE org_id = {org} AND _deleted = 0 GROUP BY {key}, {text}",
                key=Sql(key), text=Sql(text), table=Sql(table), org=run.ledger.org,
            )  # fmt: skip
            rows = zip(*await connection.fetch(query, {}, 30), strict=True)
            run.ledger.check_stored(table, ((row[:-2], row[-2], row[-1]) for row in rows))
        await _check_copied(run, connection)
    async with AsyncClickHouseStore(run.server.dsn(run.database)) as reader:
        seen = await _seen(reader, run.ledger.org)
        run.ledger.check_seen(seen)
        if run.schedule.sweeps:
            pool = reader._open_pool
            while await sweep(pool, older_than_seconds=-3 * HOUR):  # also what is ahead
                pass
            assert await _seen(reader, run.ledger.org) == seen


async def _check_copied(run: Run, connection: NativeConnection) -> None:
    """What was acknowledged is copied; what nobody was told is stored may be not, and then it is mended."""
    for copy in NARROW:
        key, text = TABLES[copy.of.name]
        query = uncopied(copy, Sql(f"{key}, {text}"))
        rows = list(zip(*await connection.fetch(query, {}, 30), strict=True))
        run.ledger.check_uncopied(copy.of.name, ((row[:-1], row[-1]) for row in rows))
        print(f"{len(rows)} rows of {copy.of.name} are not in {copy.name}")
    async with AsyncClickHouseStore(run.server.dsn(run.database)) as store:
        await Mender(store._open_pool).mend()
        assert await differences(store) == []


async def _seen(reader: AsyncClickHouseStore, org: str) -> Seen:
    """What a store says that was opened after all was over."""
    seen: Seen = {table: {} for table in TABLES}
    for id in SESSIONS:
        with suppress(NotFoundError):
            seen["sessions"][org, id] = (await reader.get_session(org, id)).display_name
        for message in await reader.get_session_messages(org, id):
            seen["messages"][org, id, message.ordinal] = message.content
        for call in await reader.get_session_tool_calls(org, id):
            key = (org, id, call.message_ordinal, call.tool_use_id, call.call_index)
            seen["tool_calls"][key] = call.input_json
        for link in await reader.get_session_git_links(org, id):
            seen["git_links"][org, id, link.commit_sha, link.pr_url] = link.user_id
    listed = (await reader.list_sessions(org)).sessions
    assert {(org, one.id): one.display_name for one in listed} == seen["sessions"]
    return seen


@asynccontextmanager
async def _connected(server: KillableServer, database: str) -> AsyncIterator[NativeConnection]:
    connection = await dial(resolve_target(server.dsn(database), {}), database)
    try:
        yield connection
    finally:
        await connection.close()


def _held() -> tuple[int, int, int]:
    """Tasks, sockets and threads of this process; those of the loop's own executor come and go."""
    threads = [one for one in threading.enumerate() if not one.name.startswith("asyncio_")]
    return len(asyncio.all_tasks()), sum(1 for _ in _sockets()), len(threads)


def _sockets() -> Iterator[str]:
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the directory's own, closed by now
            if (target := os.readlink(descriptor)).startswith("socket:"):
                yield target
