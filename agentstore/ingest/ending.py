"""Tasks that go on beside others, and end with them."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(task: asyncio.Task[Any] | None) -> None:
    """Returns when a task has ended, by force; what it raised, nobody waits for any more."""
    if task is None:
        return
    task.cancel()
    try:
        await asyncio.wait([task])
    finally:
        seen(task)


def seen(task: asyncio.Task[Any] | None) -> None:
    """What it raised is told elsewhere, or does not matter: else asyncio would complain that nobody asked."""
    if task is not None and task.done() and not task.cancelled():
        task.exception()
