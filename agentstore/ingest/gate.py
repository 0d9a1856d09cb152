"""What is written together: many pieces that were read one after the other go to the store at the same moment.

Each piece is written in several steps, of which each waits for a commit. Pieces that go through them side by side share
these commits, and the server takes a few large inserts instead of many small ones.
"""

from __future__ import annotations

import asyncio


class Gate:
    """Opens when so many bytes wait before it, or when nobody reads any more: nothing would come in addition."""

    def __init__(self, size: int) -> None:
        self._size, self._waiting_size, self._readers = size, 0, 0
        self._waiting: list[asyncio.Future[None]] = []

    def begin(self) -> None:
        """Somebody reads: what waits may wait for that."""
        self._readers += 1

    def end(self) -> None:
        """What somebody read was read, and is before the gate, or there was nothing."""
        self._readers -= 1
        # In the next turn: who has just read comes to the gate first.
        asyncio.get_running_loop().call_soon(self._open_if_due)

    async def passed(self, size: int) -> None:
        """Returns when the gate is opened for what was read."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._waiting_size += size
        self._open_if_due()
        await waiter

    def _open_if_due(self) -> None:
        if self._readers and self._waiting_size < self._size:
            return
        waiting, self._waiting, self._waiting_size = self._waiting, [], 0
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
