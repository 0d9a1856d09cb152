"""Side-by-side timing: the sides take turns, so that a machine whose speed drifts is fair to all of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from statistics import median

Run = Callable[[], Awaitable[object]]


async def seconds(run: Run) -> float:
    """How long one run takes."""
    began = time.perf_counter()
    await run()
    return time.perf_counter() - began


async def medians(*sides: Run, rounds: int) -> list[float]:
    """Median seconds of each side: one warm-up, then ``rounds`` of all in turn."""
    for side in sides:
        await side()
    times = [[await seconds(side) for side in sides] for _ in range(rounds)]
    return [median(side) for side in zip(*times, strict=True)]
