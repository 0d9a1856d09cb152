"""What runs for a client: not longer than it waits, and not more at once than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from agentstore.errors import PoolTimeoutError

T = TypeVar("T")
# ASGI's own: what comes from the client.
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class ClientGoneError(Exception):
    """The client went away before there was an answer, and nobody will read one."""


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """The result of ``work``, which is cancelled when the client goes away: then ``ClientGoneError``.

    A read of a store that is cancelled stops on the server, too. ``receive`` is that of the request, whose body was
    read before, or which has none.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        gone.result()
        raise ClientGoneError
    finally:
        for one in (task, gone):
            one.cancel()
        # Its connection is given back before anything else happens.
        await asyncio.wait((task, gone))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Turns:
    """``async with turns:`` so many at once, and so many more that wait for their turn; who comes then is refused with
    ``PoolTimeoutError``, which means 503. Of one event loop."""

    def __init__(self, running: int = 4, waiting: int = 16) -> None:
        self._free = asyncio.Semaphore(running)
        self._room = running + waiting
        self._here = 0

    async def __aenter__(self) -> None:
        if self._here >= self._room:
            raise PoolTimeoutError(f"{self._here} are running or waiting already")
        self._here += 1
        try:
            await self._free.acquire()
        except BaseException:
            self._here -= 1
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._here -= 1
        self._free.release()
