"""Two reads at once: both results, or one error and nothing left running."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from agentstore.connection.turns import Turns
from agentstore.errors import PoolTimeoutError
from agentstore.read.concurrent import gather_both


class Forever:
    """Waits until it is cancelled, and says so."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = False

    async def run(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def value(of: int) -> int:
    await asyncio.sleep(0)
    return of


async def failing(after: asyncio.Event) -> None:
    await after.wait()
    raise LookupError("one")


async def test_both_results_in_order() -> None:
    assert await gather_both(lambda: value(1), lambda: value(2)) == (1, 2)


@pytest.mark.parametrize("failing_first", [True, False])
async def test_one_error_ends_the_other(failing_first: bool) -> None:
    other = Forever()
    failure = partial(failing, other.started)
    with pytest.raises(LookupError, match="one"):
        await (gather_both(failure, other.run) if failing_first else gather_both(other.run, failure))
    assert other.cancelled


async def test_two_errors_are_one() -> None:
    ready = asyncio.Event()
    ready.set()
    with pytest.raises(LookupError, match="one"):
        await gather_both(partial(failing, ready), partial(failing, ready))


async def test_a_cancelled_caller_leaves_nothing_running() -> None:
    first, second = Forever(), Forever()
    caller = asyncio.ensure_future(gather_both(first.run, second.run))
    await first.started.wait()
    await second.started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert first.cancelled
    assert second.cancelled


class OnOneConnection:
    """Statements that need a connection of which there is one; each runs until it is allowed to end."""

    def __init__(self) -> None:
        self.turns = Turns(1, wait_seconds=0.01)
        self.may_end = asyncio.Event()
        self.both_tried = asyncio.Event()
        self.tried = 0

    async def statement(self, result: int) -> int:
        self.tried += 1
        if self.tried == 2:
            self.both_tried.set()
        async with self.turns.turn():
            await self.may_end.wait()
        return result


async def test_a_call_does_not_wait_for_itself_until_it_fails() -> None:
    one = OnOneConnection()
    caller = asyncio.ensure_future(gather_both(partial(one.statement, 1), partial(one.statement, 2)))
    await one.both_tried.wait()
    # Before this one gives up waiting, so does the second, for the connection that the first holds.
    with pytest.raises(PoolTimeoutError):
        await one.statement(3)
    one.may_end.set()
    assert await caller == (1, 2)
    assert one.tried == 4


async def test_a_call_waits_for_others_no_longer_than_any_other() -> None:
    one = OnOneConnection()
    async with one.turns.turn():
        with pytest.raises(PoolTimeoutError):
            await gather_both(partial(one.statement, 1), partial(one.statement, 2))
