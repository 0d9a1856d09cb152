"""Trying again: pauses that grow and are jittered, attempts that leave time for the next one, and a deadline."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import anyio

from agentstore.errors import AgentStoreError, OperationTimeoutError
from agentstore.write.looptime import loop_time

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0
SHORTEST_ATTEMPT_SECONDS = 1.0

R = TypeVar("R")


def pauses(rng: random.Random) -> Iterator[float]:
    """Seconds to wait after the first, second … failed attempt, without end.

    Jittered, so that many clients that lost the same server do not all come back at once.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause * rng.uniform(0.5, 1.5)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def attempt_seconds(remaining: float) -> float:
    """How long one attempt may take: half of what is left.

    A slow server gets the most time at the first attempt, and a connection that went silent leaves some for others.
    """
    return min(remaining, max(remaining / 2, SHORTEST_ATTEMPT_SECONDS))


def pause_seconds(pause: float, remaining: float) -> float | None:
    """How long to wait before the next attempt, None where there is no time for one."""
    shortened = min(pause, remaining / 2)
    return shortened if remaining >= FIRST_PAUSE_SECONDS else None


async def retried(
    attempt: Callable[[], Awaitable[R]],
    *,
    deadline: float,
    rng: random.Random,
    on_retry: Callable[[AgentStoreError, float], None] = lambda error, pause: None,
) -> R:
    """The result of the first attempt that succeeds.

    Raises what is not retriable at once, and at the ``deadline`` (loop time) the error of the last attempt. Each
    attempt is cut off in time for another one, as ``OperationTimeoutError``. ``on_retry`` is told the error of each one
    that is to be followed by another, and the seconds until then.
    """
    growing = pauses(rng)
    while True:
        try:
            return await _in_time(attempt, deadline - loop_time())
        except AgentStoreError as error:
            wait = pause_seconds(next(growing), deadline - loop_time())
            if not error.retriable or wait is None:
                raise
            on_retry(error, wait)
            # Python unbinds `error` at the end of the clause, and it may be needed after the pause.
            failed = error
        await anyio.sleep(wait)
        # On a busy machine a pause may end after the deadline; what the attempt said must not be lost for that.
        if loop_time() >= deadline:
            raise failed
        del failed  # its traceback would hold this frame, and with it the blocks


async def _in_time(attempt: Callable[[], Awaitable[R]], remaining: float) -> R:
    if remaining <= 0:
        # Without `outcome_unknown`: nothing was sent.
        raise OperationTimeoutError("the time was up before it was sent")
    allowed = attempt_seconds(remaining)
    try:
        with anyio.fail_after(allowed):
            return await attempt()
    except AgentStoreError:  # an OperationTimeoutError of the attempt's own is one of ours and a TimeoutError
        raise
    except TimeoutError as error:
        late = OperationTimeoutError(f"no answer within {allowed:.1f} s")
        # It may have been cut off after the server had all of it.
        late.outcome_unknown = True
        raise late from error
