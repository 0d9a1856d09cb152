"""Ctrl-C of a command that only reads: it ends at once, also in the middle of writing to a pipe that nobody reads.

asyncio's own way, which lets what writes to a store tidy up, would wait there. So ``KeyboardInterrupt`` is raised
wherever the process is, and nothing is tidied up: a step that the loop was about to take is lost then, and to wait for
its task, as ``asyncio.run`` does at its end, could be for ever. The process ends, and with it what is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import warnings
from collections.abc import Coroutine, Iterator
from typing import Any

# Loops that were left in the middle of a step. Freed, they and their tasks would complain on the terminal.
_LEFT: list[asyncio.Runner] = []


def run_at_once(main: Coroutine[Any, Any, int]) -> int:
    """``asyncio.run``, but for Ctrl-C."""
    runner = asyncio.Runner()
    with _raised_anywhere():
        try:
            code = runner.run(main)
        except KeyboardInterrupt:
            _LEFT.append(runner)
            raise
        except BaseException:
            runner.close()
            raise
        runner.close()
    return code


@contextlib.contextmanager
def _raised_anywhere() -> Iterator[None]:
    def interrupt(number: int, frame: object) -> None:
        # What was just being made is freed half made, and sockets are freed open: nobody is to be told of that.
        warnings.simplefilter("ignore", ResourceWarning)
        sys.unraisablehook = lambda _: None
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
