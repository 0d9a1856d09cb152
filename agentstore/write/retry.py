"""Pauses between attempts: growing, capped, and jittered so that many clients do not come back at once. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_SECONDS = 0.05
LONGEST_SECONDS = 5.0


def pauses(rng: random.Random) -> Iterator[float]:
    """Seconds to wait after the first, second … failed attempt, without end."""
    pause = FIRST_SECONDS
    while True:
        yield pause * rng.uniform(0.5, 1.5)
        pause = min(pause * 2, LONGEST_SECONDS)
