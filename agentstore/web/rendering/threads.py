"""Rendering beside the event loop. A text at its bound takes 50 ms, which would hold everyone else's requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

Result = TypeVar("Result")
SMALL = 2_000  # characters that are rendered at once: a change of threads costs as much
_AT_ONCE = 2  # more of them would share one interpreter
_limiter: RunVar[anyio.CapacityLimiter] = RunVar("agentstore.web.rendering")


async def in_thread(size: int, render: Callable[[], Result]) -> Result:
    """What ``render()`` gives; in a thread where there are more than ``SMALL`` characters to it."""
    if size <= SMALL:
        return render()
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(render, limiter=limiter)
