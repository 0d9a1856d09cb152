"""How much of what was read may be in memory before it is stored."""

from __future__ import annotations

import asyncio


class Room:
    """So many bytes may be under way. Who takes more than is left is let in all the same, and nobody after that."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._waiting: list[asyncio.Future[None]] = []

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
        if self._left > 0:
            # All: one that is let in may find that there is nothing more to read, and would wake nobody.
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)
