"""Answers of the store that many pages need, kept for a moment. Many who ask at once ask once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
_MOST = 256


class Kept(Generic[K, T]):
    """What ``ask`` answers for a key, at most ``seconds`` old. A failure is not kept."""

    def __init__(
        self, ask: Callable[[K], Coroutine[Any, Any, T]], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._known: dict[K, tuple[float, asyncio.Task[T]]] = {}

    async def of(self, key: K) -> T:
        """What there is for this key."""
        asked_at, task = self._known.get(key, (0.0, None))
        if task is None or self._clock() - asked_at > self._seconds or (task.done() and not _went_well(task)):
            self._make_room()
            task = asyncio.create_task(self._ask(key))
            self._known[key] = (self._clock(), task)
        # Not the task itself: who leaves must not end it for the others.
        return await asyncio.shield(task)

    def forget(self, key: K) -> None:
        """What is asked for next is asked of the store: something of it was changed here."""
        self._known.pop(key, None)

    def forget_all(self, which: Callable[[K], bool]) -> None:
        """The same of all these keys."""
        for key in [key for key in self._known if which(key)]:
            self.forget(key)

    def _make_room(self) -> None:
        """Nothing is held that is too old to be given to anybody; all of it goes where there is too much."""
        oldest = self._clock() - self._seconds
        self._known = {key: one for key, one in self._known.items() if one[0] >= oldest or not one[1].done()}
        if len(self._known) >= _MOST:
            self._known.clear()


def _went_well(task: asyncio.Task[Any]) -> bool:
    return not task.cancelled() and task.exception() is None
