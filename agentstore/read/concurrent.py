"""Two reads at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from agentstore.errors import PoolTimeoutError

First = TypeVar("First")
Second = TypeVar("Second")


async def gather_both(
    first: Callable[[], Coroutine[Any, Any, First]], second: Callable[[], Coroutine[Any, Any, Second]]
) -> tuple[First, Second]:
    """Both results. If one fails its error is raised; then, or if the caller is cancelled, neither is left running.

    The second runs after the first where there is no connection left for it meanwhile.
    """
    # Tasks, and no task group: that would raise an ExceptionGroup, and callers expect the error itself.
    one = asyncio.ensure_future(first())
    two = asyncio.ensure_future(_again_after(one, second))
    try:
        await asyncio.gather(one, two)
        return one.result(), two.result()
    finally:
        one.cancel()
        two.cancel()
        # Their connections are given back before the caller goes on: it may be about to close the store.
        await asyncio.wait((one, two))


async def _again_after(first: asyncio.Future[Any], second: Callable[[], Coroutine[Any, Any, Second]]) -> Second:
    try:
        return await second()
    except PoolTimeoutError:
        # The first may hold the only connection there is, and a call must not fail because it waited for itself. To
        # start again is harmless: who waits for a connection has sent nothing yet.
        await asyncio.wait((first,))
        return await second()
