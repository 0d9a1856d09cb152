"""Searches as people type them: the latest of a field counts, the older one is cancelled."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from agentstore.errors import PoolTimeoutError
from agentstore.integrations.running import ClientGoneError
from agentstore.web.searching import Searches
from tests.unit.write_parts import until


async def stays() -> dict[str, Any]:
    """A client that waits for its answer."""
    await asyncio.Event().wait()
    return {}


class Work:
    """A search that ends when it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.was_cancelled = False

    async def run(self) -> str:
        self.begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return "found"


async def test_the_next_search_of_a_field_cancels_the_one_before() -> None:
    searches, older, newer, other = Searches(), Work(), Work(), Work()
    first = asyncio.ensure_future(searches.run(stays, "field", older.run()))
    beside = asyncio.ensure_future(searches.run(stays, "another field", other.run()))
    await older.begun.wait()
    await other.begun.wait()
    second = asyncio.ensure_future(searches.run(stays, "field", newer.run()))
    with pytest.raises(ClientGoneError):
        await first
    assert older.was_cancelled
    newer.may_end.set()
    other.may_end.set()
    assert (await second, await beside) == ("found", "found")


async def test_a_client_that_goes_takes_its_search_along() -> None:
    searches, work, gone = Searches(), Work(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    running = asyncio.ensure_future(searches.run(receive, None, work.run()))
    await work.begun.wait()
    gone.set()
    with pytest.raises(ClientGoneError):
        await running
    assert work.was_cancelled


async def test_too_many_are_told_to_come_back() -> None:
    searches, works = Searches(running=1, waiting=1), [Work() for _ in range(3)]
    running = [asyncio.ensure_future(searches.run(stays, None, work.run())) for work in works[:2]]
    await works[0].begun.wait()
    with pytest.raises(PoolTimeoutError):
        await searches.run(stays, None, works[2].run())
    assert not works[1].begun.is_set()
    for work in works:
        work.may_end.set()
    assert await asyncio.gather(*running) == ["found", "found"]


async def test_whoever_is_cancelled_leaves_nothing_running() -> None:
    searches, work = Searches(), Work()
    running = asyncio.ensure_future(searches.run(stays, "field", work.run()))
    await work.begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: work.was_cancelled)


async def test_a_search_that_is_overtaken_before_it_began_is_dropped() -> None:
    searches, older, newer = Searches(), Work(), Work()
    never = older.run()
    # Both in one turn of the loop: the first has no task yet that could have begun.
    first = asyncio.ensure_future(searches.run(stays, "field", never))
    second = asyncio.ensure_future(searches.run(stays, "field", newer.run()))
    newer.may_end.set()
    with pytest.raises(ClientGoneError):
        await first
    assert await second == "found"
    assert not older.begun.is_set()
    assert inspect.getcoroutinestate(never) == inspect.CORO_CLOSED
