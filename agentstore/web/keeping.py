"""Answers of the store that all pages need, kept for some seconds. Many who ask at once ask once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_MOST_ORGANISATIONS = 256


class Kept(Generic[T]):
    """What ``ask`` answers for an organisation, at most ``seconds`` old. A failure is not kept."""

    def __init__(
        self, ask: Callable[[str], Coroutine[Any, Any, T]], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._known: dict[str, tuple[float, asyncio.Task[T]]] = {}

    async def of(self, org: str) -> T:
        """What this organisation has."""
        asked_at, task = self._known.get(org, (0.0, None))
        if task is None or self._clock() - asked_at > self._seconds or (task.done() and not _went_well(task)):
            if len(self._known) >= _MOST_ORGANISATIONS:
                self._known.clear()
            task = asyncio.create_task(self._ask(org))
            self._known[org] = (self._clock(), task)
        # Not the task itself: who leaves must not end it for the others.
        return await asyncio.shield(task)

    def forget(self, org: str) -> None:
        """What is asked for next is asked of the store: something of it was changed here."""
        self._known.pop(org, None)


def _went_well(task: asyncio.Task[Any]) -> bool:
    return not task.cancelled() and task.exception() is None
