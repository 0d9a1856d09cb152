"""What has changed since it was last asked: some paths, or everything; and whether the machine has slept."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import pathlib
import time
from collections.abc import Callable, Iterable

_MOST = 10_000  # paths that are remembered one by one
_JUMP = 2.0  # seconds


class Changes:
    """Paths that are to be looked at; more than ``most`` of them become everything. For one event loop."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._paths: set[pathlib.Path] = set()
        self._is_everything = False
        self._later: list[tuple[float, pathlib.Path]] = []
        self._told = asyncio.Event()

    def __bool__(self) -> bool:
        return self._is_everything or bool(self._paths)

    @property
    def is_partial(self) -> bool:
        """Whether it is some paths, or nothing."""
        return not self._is_everything

    def add(self, paths: Iterable[pathlib.Path]) -> None:
        if not self._is_everything:
            self._paths.update(paths)
            if len(self._paths) + len(self._later) > self._most:
                self.add_everything()
        if self:
            self._told.set()

    def add_later(self, paths: Iterable[pathlib.Path], seconds: float) -> None:
        """Paths that are to be looked at again after so long."""
        if not self._is_everything:
            for path in paths:
                heapq.heappush(self._later, (time.monotonic() + seconds, path))

    def add_everything(self) -> None:
        self._is_everything = True
        self._paths, self._later = set(), []
        self._told.set()

    def take(self) -> set[pathlib.Path] | None:
        """What is to be looked at; None: everything. From now on it is not in here any more."""
        paths = None if self._is_everything else self._paths
        self._paths, self._is_everything = set(), False
        self._told.clear()
        return paths

    def wake(self) -> None:
        """Let who waits go on."""
        self._told.set()

    async def wait(self, seconds: float) -> None:
        """Returns when something has changed, or after so long."""
        until = time.monotonic() + seconds
        if self._later:
            until = min(until, self._later[0][0])
        if not self:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await self._told.wait()
        now = time.monotonic()
        due = []
        while self._later and self._later[0][0] <= now:
            due.append(heapq.heappop(self._later)[1])
        self.add(due)


def _with_sleep() -> float:
    """A clock that goes on while the machine sleeps; where there is none, the one on the wall."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


class Sleep:
    """Sees that the machine has slept, or that the program was stopped with it: nobody told of changes meanwhile."""

    def __init__(self, awake: Callable[[], float] = time.monotonic, always: Callable[[], float] = _with_sleep) -> None:
        self._awake, self._always = awake, always
        self._apart = always() - awake()

    def was(self) -> bool:
        """Whether it slept since this was asked last."""
        before, self._apart = self._apart, self._always() - self._awake()
        return abs(self._apart - before) > _JUMP
