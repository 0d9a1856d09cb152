"""Where a store lives: the event loop, thread and process it was opened in. Nowhere else do its sockets work."""

from __future__ import annotations

import asyncio
import os
import threading

from agentstore.errors import WrongLoopError


class Home:
    """The running loop at the moment it is made. ``check()`` raises ``WrongLoopError`` anywhere else.

    Used from another loop, a future would wait for a wake-up that never comes, and a forked child would write into its
    parent's connections: so it is asked before anything is touched.
    """

    __slots__ = ("_loop", "_pid", "_thread")

    def __init__(self) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongLoopError("no asyncio event loop is running here", hint="call it from a coroutine") from None
        self._pid = os.getpid()
        self._thread = threading.current_thread()

    def check(self) -> None:
        """Return in the loop it was made in: one comparison."""
        try:
            # In a forked child it is another one, or none: Python forgets the running loop at a fork.
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not self._loop:
            raise self._stranger(running)

    def _stranger(self, running: asyncio.AbstractEventLoop | None) -> WrongLoopError:
        if os.getpid() != self._pid:
            where = f"in process {self._pid}, and this is process {os.getpid()}"
            hint = "open a store of its own in each process, after the fork"
        elif threading.current_thread() is not self._thread:
            where = f"in thread {self._thread.name!r}, and this is thread {threading.current_thread().name!r}"
            hint = "open one store per loop, or hand the call over with asyncio.run_coroutine_threadsafe()"
        elif self._loop.is_closed():
            where = "in an event loop that has ended"
            hint = "open one store per loop, and close it before the loop ends"
        elif running is not None:
            where, hint = "in another event loop", "open one store per loop"
        else:
            where, hint = "in an event loop that is not running now", "call it from a coroutine of that loop"
        return WrongLoopError(f"this store was opened {where}", hint=hint)
