"""Searches as people type them: few at once on the store, and of one viewer's field only the latest."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any, TypeVar

from agentstore.integrations.running import ClientGoneError, Turns, while_connected

T = TypeVar("T")


class Searches:
    """Runs searches. One that is overtaken by the next of the same field is cancelled, on the server too.

    Two at once keep the store as busy as more would, and pages need it as well. Those that rank may take many times as
    long as the others, which do not wait for them.
    """

    def __init__(self, running: int = 2, waiting: int = 32) -> None:
        self._turns = Turns(running=running, waiting=waiting)
        self._ranking = Turns(running=1, waiting=waiting)
        self._latest: dict[Any, asyncio.Task[Any]] = {}

    async def run(self, receive: Any, field: Any, work: Awaitable[T], *, ranks: bool = False) -> T:
        """The result of ``work``. ``ClientGoneError`` where the client went away, or asked for another one meanwhile.

        ``field`` is whose search it is; None for one that no other overtakes.
        """
        task = asyncio.ensure_future(self._in_turn(receive, work, self._ranking if ranks else self._turns))
        task.add_done_callback(lambda _: _drop(work))
        if field is not None:
            if (older := self._latest.get(field)) is not None:
                older.cancel()
            self._latest[field] = task
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            if self._latest.get(field) is task:
                del self._latest[field]
        if task.cancelled():
            raise ClientGoneError
        return task.result()

    async def _in_turn(self, receive: Any, work: Awaitable[T], turns: Turns) -> T:
        async with turns:
            return await while_connected(receive, work)


def _drop(work: Awaitable[Any]) -> None:
    """What never had its turn, because it was overtaken or refused before, is not to be waited for any more."""
    if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
        work.close()
