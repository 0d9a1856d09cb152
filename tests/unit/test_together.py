"""Two reads at once: both results, or one error and nothing left running."""

from __future__ import annotations

import asyncio

import pytest

from agentstore.read.together import together


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
    assert await together(value(1), value(2)) == (1, 2)


@pytest.mark.parametrize("failing_first", [True, False])
async def test_one_error_ends_the_other(failing_first: bool) -> None:
    other = Forever()
    failure = failing(other.started)
    with pytest.raises(LookupError, match="one"):
        await (together(failure, other.run()) if failing_first else together(other.run(), failure))
    assert other.cancelled


async def test_two_errors_are_one() -> None:
    ready = asyncio.Event()
    ready.set()
    with pytest.raises(LookupError, match="one"):
        await together(failing(ready), failing(ready))


async def test_a_cancelled_caller_leaves_nothing_running() -> None:
    first, second = Forever(), Forever()
    caller = asyncio.ensure_future(together(first.run(), second.run()))
    await first.started.wait()
    await second.started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert first.cancelled
    assert second.cancelled
