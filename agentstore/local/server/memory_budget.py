"""How much memory all connections together may hold for one purpose."""

from __future__ import annotations

import asyncio
from collections import OrderedDict


class Budget:
    """Bytes that are shared. Who waits is served in order; cancellation gives the place away, and no byte is lost.

    What is taken has to be given back, once. Nobody who holds a share may wait for another one of the same budget.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        # How much each one waits for, in order; any of them can be taken out without a search.
        self._waiting: OrderedDict[asyncio.Future[None], int] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Budget {self.used} of {self.limit}, {len(self._waiting)} wait>"

    @property
    def is_short(self) -> bool:
        """Whether others wait, or would have to."""
        return bool(self._waiting) or self.used >= self.limit

    async def acquire(self, size: int) -> None:
        """Take ``size`` bytes as soon as they are there; more than there are in all, when nobody else holds any.

        A size of 0 waits until there is room for anything at all, and takes nothing.
        """
        # Not past those who wait: small ones would keep a large one from ever getting its share.
        if not self._waiting and self._fits(size):
            self.used += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = size
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled in the moment in which it was served: the share is its own already, and would be lost.
            if turn.done() and not turn.cancelled():
                self.release(size)
            else:
                # Passed over by `_serve` since it was cancelled, it is not there any more.
                self._waiting.pop(turn, None)
                self._serve()  # it may have stood in the way of smaller ones
            raise

    def take(self, size: int) -> None:
        """Take what is in memory already, whether there is room for it or not."""
        self.used += size

    def release(self, size: int) -> None:
        self.used -= size
        self._serve()

    def _fits(self, size: int) -> bool:
        # A share larger than all there is goes to whoever is alone: there will never be more room.
        return not self.used or self.used + max(size, 1) <= self.limit

    def _serve(self) -> None:
        while self._waiting and self._fits(next(iter(self._waiting.values()))):
            turn, size = self._waiting.popitem(last=False)
            if not turn.done():
                # Taken for it now, not when its task wakes: until then others would be given the same bytes.
                self.used += size
                turn.set_result(None)
