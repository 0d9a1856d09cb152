"""Ctrl-C and SIGTERM while something is written: the first asks it to end, the second ends it at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from types import TracebackType
from typing import Any, Self

# How long what was read may take to be stored. After that it is ended as by a second Ctrl-C.
SECONDS = 10.0
# How long the loop may take to come to a signal.
_PATIENCE = 1.0


class Interrupts:
    """Within it SIGINT and SIGTERM do not end the process. ``asked`` is set by the first of them; ``signal`` is its
    number, 0 while there was none. Where the loop does not come to the first within a second, because what is printed
    goes nowhere, the next raises ``KeyboardInterrupt`` wherever that is.

    ``cancels``: the first cancels the task that has entered, as the second does otherwise. Whoever catches the
    ``CancelledError`` asks ``is_own`` whether it came from here.
    """

    def __init__(self, *, cancels: bool = False, note: str = "") -> None:
        self.asked = asyncio.Event()
        self.signal = 0
        self._cancels, self._note = cancels, note
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = 0
        self._before: dict[int, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = 0  # signals that the loop has not come to
        self._since = 0.0  # when the first of them came
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is signal.SIG_IGN:  # of a command in the background it is the shell's wish
                continue
            with contextlib.suppress(ValueError):  # in another thread than the first
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)

    def is_own(self) -> bool:
        """Whether the task was cancelled from here; then it goes on as if it had not been."""
        if not self._cancelled or self._task is None:
            return False
        while self._cancelled:
            self._cancelled -= 1
            self._task.uncancel()
        return True

    def _handle(self, number: int, frame: object) -> None:
        """Called between any two steps of the program, so that nothing is done here that the loop could be at."""
        # Not sooner: it may be raised where a lock was just taken, and nobody would ever give that back.
        if self._loop is None or (self._waiting and time.monotonic() - self._since > _PATIENCE):
            raise KeyboardInterrupt
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting += 1
        self._loop.call_soon_threadsafe(self._take, number)

    def _take(self, number: int) -> None:
        self._waiting -= 1
        is_first = not self.signal
        self.signal = self.signal or number
        self.asked.set()
        if not is_first or self._cancels:
            self._cancel()
            return
        if self._note and sys.stderr is not None:
            with contextlib.suppress(OSError):
                # On a terminal ^C stands there.
                start = "\n" if sys.stderr.isatty() else ""
                sys.stderr.write(f"{start}agentstore: {self._note}\n")
                sys.stderr.flush()
        self._timer = asyncio.get_running_loop().call_later(SECONDS, self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._cancelled += 1
            self._task.cancel()
