"""Before which version everything that will ever be stored has arrived. Pure.

A row's version is the server's time when its call was accepted, and the row is seen later: after the batch before it,
after an outage, from another store. How much later, its writer bounds (``ARRIVED_AFTER_SECONDS``), by a clock that
never steps. The server's clock may step: set forward by an hour, "an hour ago" would lie after rows that are still on
their way. So of the answers that held in the last ``ARRIVED_AFTER_SECONDS`` the one counts by which the server's time
is earliest, carried on by a clock that never steps.
"""

from __future__ import annotations

from collections import deque

from agentstore.write.clock import ARRIVED_AFTER_SECONDS

_ARRIVED_AFTER = ARRIVED_AFTER_SECONDS * 1_000_000_000


class Horizon:
    """Learns from answers of the server. Every ``now`` and ``answered`` is a time of ``local_nanoseconds``."""

    def __init__(self) -> None:
        # Spans of time, oldest first: since when, and how far the server's clock was ahead of the local one at least,
        # until the next span. It is more in each: an answer by which it is no more ends the spans that said more.
        self._spans: deque[tuple[int, int]] = deque()

    def learn(self, server: int, *, answered: int) -> int:
        """The server said it was ``server``, not after ``answered``; where the horizon is then."""
        since, ahead = answered, server - answered
        while self._spans and self._spans[-1][1] >= ahead:
            since, _ = self._spans.pop()
        self._spans.append((since, ahead))
        # What was accepted in a span has arrived when its end is old enough.
        while len(self._spans) > 1 and self._spans[1][0] < answered - _ARRIVED_AFTER:
            self._spans.popleft()
        return self._at(answered)

    def reached(self, *, now: int) -> int | None:
        """Where it is, as far as the answers tell; None before the first one."""
        return self._at(now) if self._spans else None

    def _at(self, now: int) -> int:
        return max(0, now + self._spans[0][1] - _ARRIVED_AFTER)
