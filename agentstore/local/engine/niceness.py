"""The engine's own threads yield to the server's, so that what is done quickly does not wait behind what takes long.

A dozen endless queries are two dozen busy threads. A small query passes through the event loop and its connection's
thread several times, and each time it would stand in line with all of them.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

# A third of an ordinary thread's share of a busy processor: a store beside a long compilation stays usable.
NICENESS = 5

_TASKS = Path("/proc/self/task")
_LOOK_SECONDS = 0.2


class Niceness:
    """Looks for new threads of the engine, when it is told that there may be some, but not all the time."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._looked_at = float("-inf")
        self._is_possible = _TASKS.is_dir()  # elsewhere than on Linux a process has one niceness for all

    def look(self) -> None:
        """A query begins: the threads of those before it are there by now. Costs nothing where it was just done."""
        now = time.monotonic()
        if not self._is_possible or now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        if any(thread.native_id is None for thread in threading.enumerate()):
            return  # one of ours is about to begin, and cannot be told from the engine's yet
        present = {int(name) for name in os.listdir(_TASKS)}
        ours = {thread.native_id for thread in threading.enumerate()}
        for thread in present - self._known - ours:
            with contextlib.suppress(OSError):  # it has ended
                os.setpriority(os.PRIO_PROCESS, thread, NICENESS)
        # Numbers come again: only of what is there is it known that it is nice.
        self._known = present - ours
