"""Turns: submitted writes are accepted one after the other, in the order of their calls."""

from __future__ import annotations

import asyncio
from collections import deque

# Submitted writes that are prepared while those before them are not accepted yet. The others wait as records only.
_PREPARED_AHEAD = 64


class Turns:
    """Hands out turns. Each comes when all before it have ended."""

    def __init__(self) -> None:
        self._last: Turn | None = None
        self._newest: deque[Turn] = deque(maxlen=_PREPARED_AHEAD)

    def take(self) -> Turn:
        """The next turn; whoever takes it has to end it or to give it up."""
        far_before = self._newest[0] if len(self._newest) == _PREPARED_AHEAD else None
        turn = Turn(self._last, far_before)
        self._last = turn
        self._newest.append(turn)
        return turn

    async def ended(self) -> None:
        """Returns when the turns that were taken so far have ended."""
        # Read before anything is awaited: what is taken meanwhile is not waited for.
        await _ended(self._last)

    async def ended_within(self, seconds: float) -> None:
        """The same, after ``seconds`` at the latest."""
        if self._last is not None and not self._last.has_ended:
            await asyncio.wait([self._last.end_of], timeout=seconds)


class Turn:
    """The place of one submitted write in the order."""

    def __init__(self, previous: Turn | None, far_before: Turn | None) -> None:
        self.end_of: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._previous = previous
        self._far_before = far_before

    @property
    def has_ended(self) -> bool:
        """Whether it has."""
        return self.end_of.done()

    async def is_near(self) -> None:
        """Returns when there are not many turns before it."""
        await _ended(self._far_before)
        self._far_before = None

    async def comes(self) -> None:
        """Returns when the turns before it have ended."""
        await _ended(self._previous)
        self._previous = None

    def end(self) -> None:
        """The write is accepted: the next turn comes."""
        if not self.has_ended:
            self.end_of.set_result(None)

    def give_up(self) -> None:
        """The write is over, accepted or not. Where its turn has not come yet, it ends with the one before it."""
        previous, self._previous, self._far_before = self._previous, None, None
        if previous is None or previous.has_ended:
            self.end()
        else:
            previous.end_of.add_done_callback(lambda _: self.end())


async def _ended(turn: Turn | None) -> None:
    if turn is not None and not turn.has_ended:
        await asyncio.wait([turn.end_of])  # not the future itself: a cancelled waiter would cancel it for all
