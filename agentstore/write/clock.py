"""The hybrid clock of one store: what time it is on the server, as versions that no other store draws. Pure.

A version is nanoseconds since 1970 whose low ``ID_BITS`` bits are the number of the store
(``write/store_numbers.py``), so two stores never draw the same one. The clock is the server's: learned from its
answers, carried on between them by a local clock that also runs while the machine sleeps. It never goes backwards, and
it starts above everything that was stored when it last looked: a server whose clock stepped back, or rows from a server
that is ahead, shadow nothing.
"""

from __future__ import annotations

import time

ID_BITS = 12
_TICK = 1 << ID_BITS
# Larger versions are no times (the year 2116): somebody wrote them by hand, and a clock set above them would be stuck.
# Far from 2 ** 63 - 1 and 2 ** 64 - 1, which one writes by hand: a clock just above them would draw what others ignore.
HIGHEST_TIME = 1 << 62
# Rows of this age are not sent any more: late enough for any outage that callers wait for; early enough for floors to
# be few.
OLDEST_ATTEMPT_SECONDS = 1800
# An attempt that has begun by then is given up this much later, whatever time the caller's options would leave it.
LAST_ATTEMPT_SECONDS = 300
# Rows of this age have arrived, or never will: what was sent last had as long again to reach the server and be stored.
ARRIVED_AFTER_SECONDS = OLDEST_ATTEMPT_SECONDS + 2 * LAST_ATTEMPT_SECONDS
# A wall clock that runs this much apart from the local one was set, or the machine was stopped from outside.
_JUMP_NANOSECONDS = 200_000_000


def local_nanoseconds() -> int:
    """A clock of this machine that never steps and goes on during suspend."""
    return time.clock_gettime_ns(_LOCAL_CLOCK) if _LOCAL_CLOCK is not None else time.monotonic_ns()


# Linux stops CLOCK_MONOTONIC during suspend; macOS and Windows do not stop theirs.
_LOCAL_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


class HybridClock:
    """Draws versions. Every ``now`` is a time of ``local_nanoseconds``, every ``wall`` one of ``time.time_ns``."""

    def __init__(self) -> None:
        self._id = 0
        self._offset: int | None = None
        self._last = 0
        # Where the clock stood when a look found rows that are ahead of the server's time, and when that was.
        self._ahead = self._ahead_since = 0
        self._wall_offset = 0

    def reached(self, *, now: int) -> int:
        """What the next version will be above, whatever is stored."""
        # Less a tick: a version is cut to whole ticks before the number is put in, and may fall that far below the
        # time.
        return max(self._time(now) - _TICK, self._last, 0)

    def use_id(self, id: int) -> None:
        """The store's number, below 2 ** ID_BITS."""
        self._id = id

    def learn(self, server: int, *, asked: int, answered: int, wall: int) -> None:
        """The server said it was ``server``, between ``asked`` and ``answered``.

        It is no later there than if it had said so at once: the clock is set to that, so it is ahead of the server's by
        no more than the answer took. That is safe, and being behind is not. A call lasts longer than a quick question,
        so when it ends the server's time has passed its version, and whatever any store draws from then on is above it,
        however slow the answers are that its clock was set by. Of several answers the quickest counts.
        """
        least, most = server - answered, server - asked
        # An old offset between the two is still possible, and came from a quicker answer: it stays.
        if self._offset is None or self._offset > most or self._offset < least:
            self._offset = most
        self._wall_offset = wall - answered

    def rise_above(self, stored: int, *, now: int) -> None:
        """Rows up to this version are stored: what is drawn from now on is above it."""
        if stored >= HIGHEST_TIME:
            return
        self._last = max(self._last, stored)
        if self._last > self._server(now):
            # Not `_last` alone: at half the pace the clock may stand above it already, and must not step back.
            self._ahead, self._ahead_since = max(self._last, self._time(now)), now

    def is_ahead(self, *, now: int) -> bool:
        """Whether the next version will be above the server's time, because rows are stored that are."""
        return self._ahead + (now - self._ahead_since) // 2 > self._server(now)

    def has_jumped(self, *, now: int, wall: int) -> bool:
        """Whether the wall clock was set, or the machine was stopped from outside, since the last answer."""
        return abs(wall - now - self._wall_offset) > _JUMP_NANOSECONDS

    def draw(self, *, now: int) -> int:
        """The next version: the server's time, above all that were drawn or seen."""
        # The next tick, not the next number: where `_last` was read from a row, its low bits are another store's.
        ticks = max(self._time(now) // _TICK, self._last // _TICK + 1)
        self._last = ticks * _TICK + self._id
        return self._last

    def _time(self, now: int) -> int:
        # While the clock is ahead it goes on at half the pace: stores that all are ahead keep the order of their calls,
        # and the server's time still catches up with them.
        return max(self._server(now), self._ahead + (now - self._ahead_since) // 2)

    def _server(self, now: int) -> int:
        return now + (self._offset or 0)
