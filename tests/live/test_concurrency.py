"""A hundred tasks on a small pool, and tasks that are cancelled anywhere: nothing lost, nothing left behind."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, ConnectOptions, NotFoundError, SearchQuery
from tests.builders import call, commit, message, session
from tests.live.relay import Relay, address_of, relaying, until
from tests.servers import Server

TASKS = 100


@pytest.fixture
async def options(server: Server, database: str) -> ConnectOptions:
    return await address_of(server, database=database, pool_size=4)


async def one_users_work(store: AsyncClickHouseStore, org: str, number: int) -> None:
    """Writes a session in steps, and reads it back after each: a task sees what it wrote itself."""
    id = f"s{number}"
    for step in range(2):
        await store.write_session(org, session(id, display_name=f"{step}"), [message(step, f"find {id}")], [call(step)])
        assert (await store.get_session(org, id)).display_name == f"{step}"
        assert [m.ordinal for m in await store.get_session_messages(org, id)] == list(range(step + 1))
    await store.write_git_links(org, [commit(id, f"{number:08x}")])
    assert [link.session_id for link in await store.lookup_git_links(org, sha=f"{number:08x}")] == [id]


async def test_a_hundred_tasks_on_four_connections(options: ConnectOptions, org: str) -> None:
    async with relaying(options) as (relay, through):
        async with AsyncClickHouseStore(through) as store:
            await asyncio.gather(*(one_users_work(store, org, number) for number in range(TASKS)))
            assert (await store.list_sessions(org)).total == TASKS
            assert (await store.search(org, SearchQuery(query="FIND"))).total == 2 * TASKS
        # The reads' four, and the writer's own.
        assert relay.most_at_once <= 4 + 12
        await until(lambda: relay.open == 0)


async def test_a_session_in_a_list_is_complete(options: ConnectOptions, org: str) -> None:
    """Readers that list while writers write never see a session before its messages and calls."""
    done = asyncio.Event()

    async def write(store: AsyncClickHouseStore, number: int) -> None:
        messages, calls = [message(n) for n in range(20)], [call(n) for n in range(5)]
        await store.write_session(org, session(f"s{number}"), messages, calls)

    async def watch(store: AsyncClickHouseStore) -> int:
        seen = 0
        while not done.is_set():
            for found in (await store.list_sessions(org)).sessions[:3]:
                assert len(await store.get_session_messages(org, found.id)) == 20
                assert len(await store.get_session_tool_calls(org, found.id)) == 5
                seen += 1
        return seen

    async with AsyncClickHouseStore(options) as writers, AsyncClickHouseStore(options) as readers:
        watchers = [asyncio.create_task(watch(readers)) for _ in range(2)]
        for batch in range(5):
            await asyncio.gather(*(write(writers, 10 * batch + number) for number in range(10)))
        done.set()
        assert all(await asyncio.gather(*watchers))


async def test_two_stores_writing_one_key_agree_on_the_last(options: ConnectOptions, org: str) -> None:
    async with AsyncClickHouseStore(options) as first, AsyncClickHouseStore(options) as second:
        for turn in range(10):
            for name, store in (("first", first), ("second", second)):
                await store.write_session(org, session("s", display_name=f"{name} {turn}"))
                for reader in (first, second):
                    assert (await reader.get_session(org, "s")).display_name == f"{name} {turn}"


async def drive(store: AsyncClickHouseStore, org: str, number: int) -> None:
    """Something of everything; what was cancelled before may be missing."""
    id = f"s{number % 5}"
    await store.write_batch(org, [session(id)], [message(n, "x" * 500, session_id=id) for n in range(20)])
    await store.list_sessions(org)
    await store.search(org, SearchQuery(query="x"))
    await store.write_session(org, session(id), [message(n, "y") for n in range(3)], replace=True)
    try:
        await store.get_session(org, id)
    except NotFoundError:
        pytest.fail("a session that was written is not there")


async def cancelled_anywhere(store: AsyncClickHouseStore, org: str, seed: int) -> int:
    rng, cancelled = random.Random(seed), 0
    for _ in range(4):
        tasks = [asyncio.create_task(drive(store, org, number)) for number in range(15)]
        for task in tasks:
            for _ in range(rng.randrange(30)):
                await asyncio.sleep(0)
            await asyncio.sleep(rng.random() * 0.01)  # so that some have got further than others
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if not isinstance(result, asyncio.CancelledError) and result is not None:
                raise AssertionError from result
        cancelled += sum(isinstance(result, asyncio.CancelledError) for result in results)
    return cancelled


async def test_cancelled_anywhere_the_store_stays_whole(options: ConnectOptions, org: str) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # shown where the test fails
    before = asyncio.all_tasks()
    async with relaying(options) as (relay, through):
        store = await AsyncClickHouseStore.connect(through)
        assert await cancelled_anywhere(store, org, seed) > 10
        await store.flush()
        await one_users_work(store, org, 1000)
        await until(lambda: relay.open <= 4 + 12)  # the reads', and the writer's own
        await store.aclose()
        await until(lambda: relay.open == 0)
        await nothing_but(before, relay)


async def nothing_but(before: set[asyncio.Task[object]], relay: Relay) -> None:
    """Only the tasks from before are there."""
    assert relay.open == 0
    await until(lambda: asyncio.all_tasks() <= before)


async def test_cancelled_while_it_waits_for_a_connection(options: ConnectOptions, org: str) -> None:
    async with AsyncClickHouseStore(msgspec.structs.replace(options, pool_size=1)) as store:
        for _ in range(10):
            tasks = [asyncio.create_task(store.list_sessions(org)) for _ in range(10)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 5
