"""How much of what was read may be in memory before it is stored."""

from __future__ import annotations

import asyncio
import collections


class Room:
    """So many bytes may be under way. Who takes more than is left is let in all the same, and nobody after that."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()

    async def enter(self) -> None:
        """Returns when there is room for something more, of whatever size."""
        while self._left <= 0:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    def take(self, size: int) -> None:
        """So much is under way now."""
        self._left -= size

    def leave(self, size: int) -> None:
        """So much is stored, or given up."""
        self._left += size
        while self._left > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break
