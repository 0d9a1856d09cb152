"""Side-by-side timing: the two sides take turns, so that a machine whose speed drifts is fair to both."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

Run = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Comparison:
    """Median seconds of both sides."""

    name: str
    baseline: float
    ours: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.baseline / self.ours

    def row(self, target: str = "") -> str:
        """A line of a Markdown table."""
        return (
            f"| {self.name} | {self.baseline * 1e3:,.1f} ms | {self.ours * 1e3:,.1f} ms |"
            f" {self.ratio:,.1f} × | {target} |"
        )


async def seconds(run: Run) -> float:
    """How long one run takes."""
    began = time.perf_counter()
    await run()
    return time.perf_counter() - began


async def compare(name: str, baseline: Run, ours: Run, *, rounds: int) -> Comparison:
    """One warm-up of each side, then ``rounds`` of both in turn."""
    await baseline()
    await ours()
    times = [(await seconds(baseline), await seconds(ours)) for _ in range(rounds)]
    return Comparison(name, median(time[0] for time in times), median(time[1] for time in times))
