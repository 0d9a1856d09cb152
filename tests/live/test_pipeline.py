"""Pipelines: bounded, nothing is lost, and failures reach whoever is to know of them."""

from __future__ import annotations

import asyncio

import pytest

from agentstore import (
    AsyncClickHouseStore,
    InvalidArgumentError,
    SessionFilter,
    SessionPurgedError,
    StoreClosedError,
)
from agentstore.write.pipeline import FailedWrite, StoredWrite
from tests.builders import call, commit, message, session, touch
from tests.live.test_writer import behind_a_proxy
from tests.servers import Server


async def stored(store: AsyncClickHouseStore, org: str) -> set[str]:
    return {one.id async for one in store.iter_sessions(org, SessionFilter())}


async def test_all_is_stored_when_the_block_is_left(store: AsyncClickHouseStore, org: str) -> None:
    most = 0
    async with store.pipeline(max_in_flight=5) as pipeline:
        for n in range(200):
            own = session(f"s{n}")
            await pipeline.write_session(org, own, [message(0, "text")], [call(0)])
            most = max(most, pipeline.in_flight)
        await pipeline.write_batch(org, [session("more")], [message(1, "x", session_id="s0")])
        await pipeline.write_git_links(org, [commit("s0", "ab" * 20)])
        await pipeline.write_file_touches(org, [touch("s0", "a.py")])
    assert 1 < most <= 5
    assert pipeline.in_flight == 0
    assert await stored(store, org) == {*(f"s{n}" for n in range(200)), "more"}
    assert len(await store.get_session_messages(org, "s0")) == 2
    assert (await store.get_session(org, "s0")).commit_count == 1
    assert [one.path for one in (await store.file_history(org, "a.py")).touches] == ["a.py"]


async def test_calls_are_versions_in_their_order(store: AsyncClickHouseStore, org: str) -> None:
    async with store.pipeline(max_in_flight=50) as pipeline:
        for n in range(50):
            await pipeline.write_session(org, session("s", display_name=f"title {n}"))
    assert (await store.get_session(org, "s")).display_name == "title 49"


async def test_the_first_failure_is_raised_and_the_rest_is_stored(store: AsyncClickHouseStore, org: str) -> None:
    async def by_the_next() -> None:
        async with store.pipeline(max_in_flight=2) as pipeline:
            await pipeline.write_session(org, session("good"))
            await pipeline.write_session(org, session("bad"), [message(-1)])
            await pipeline.drain()
            await pipeline.write_session(org, session("never"))

    async def at_the_end() -> None:
        async with store.pipeline() as pipeline:
            await pipeline.write_session(org, session("bad"), [message(-1)])
            await pipeline.write_session(org, session("later"))

    with pytest.raises(InvalidArgumentError, match="ordinal"):
        await by_the_next()
    assert await stored(store, org) == {"good"}
    with pytest.raises(InvalidArgumentError, match="ordinal"):
        await at_the_end()
    assert await stored(store, org) == {"good", "later"}


async def test_what_became_of_each_is_told(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("purged"))
    await store.purge_sessions(org, ["purged"])
    told: dict[object, StoredWrite | FailedWrite] = {}

    def note(outcome: StoredWrite | FailedWrite) -> None:
        told[outcome.label] = outcome

    async with store.pipeline(max_in_flight=3, on_settled=note) as pipeline:
        for id in ("a", "purged", "b"):
            await pipeline.write_session(org, session(id), label=id)
        await pipeline.write_session(org, session("bad"), [message(-1)], label=4)
    assert told["a"] == StoredWrite("a")
    assert told["b"] == StoredWrite("b")
    assert {label for label, one in told.items() if isinstance(one, FailedWrite)} == {"purged", 4}
    failed = told["purged"]
    assert isinstance(failed, FailedWrite)
    assert isinstance(failed.error, SessionPurgedError)
    assert await stored(store, org) == {"a", "b"}


async def test_what_the_one_who_is_told_raises_is_a_failure(store: AsyncClickHouseStore, org: str) -> None:
    async def acknowledge(outcome: StoredWrite | FailedWrite) -> None:
        await asyncio.sleep(0)
        raise OSError("the queue is gone")

    with pytest.raises(OSError, match="queue is gone"):
        async with store.pipeline(on_settled=acknowledge) as pipeline:
            await pipeline.write_session(org, session("a"))
    assert await stored(store, org) == {"a"}


async def test_an_error_in_the_block_goes_on_when_all_is_settled(store: AsyncClickHouseStore, org: str) -> None:
    async def fail() -> None:
        async with store.pipeline() as pipeline:
            await pipeline.write_session(org, session("a"))
            raise KeyError("x")

    with pytest.raises(KeyError):
        await fail()
    assert await stored(store, org) == {"a"}


async def test_nothing_is_taken_in_while_the_server_stands_still(server: Server, database: str, org: str) -> None:
    taken = 0

    async def read_on(store: AsyncClickHouseStore) -> None:
        nonlocal taken
        async with store.pipeline(max_in_flight=3) as pipeline:
            for n in range(9):
                await pipeline.write_session(org, session(f"s{n}"))
                taken += 1

    async with behind_a_proxy(server, database) as (store, proxy):
        await store.write_session(org, session("first"))
        proxy.hang()
        reading = asyncio.create_task(read_on(store))
        # As long as a whole turn of the loop brings something, it is not over.
        before = -1
        while before != taken:
            before = taken
            for _ in range(100):
                await asyncio.sleep(0)
        assert taken == 3
        assert not reading.done()
        proxy.heal()
        await reading
        assert await stored(store, org) == {"first", *(f"s{n}" for n in range(9))}


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "4"])
async def test_a_bound_is_a_number(store: AsyncClickHouseStore, bad: int) -> None:
    with pytest.raises(InvalidArgumentError, match="max_in_flight"):
        store.pipeline(max_in_flight=bad)


async def test_a_closed_store_has_none(server: Server, database: str, org: str) -> None:
    own = AsyncClickHouseStore(server.dsn, database=database)
    with pytest.raises(StoreClosedError):
        own.pipeline()
    async with own:
        pipeline = own.pipeline()
    with pytest.raises(StoreClosedError):
        await pipeline.write_session(org, session("a"))
