"""What the engine writes to the standard error stream, where it gives some reasons that its errors leave out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_KEPT_BYTES = 1 << 16


class CapturedText:
    """The end of what was written; complete once the context has ended."""

    def __init__(self) -> None:
        self._kept = b""

    def add(self, piece: bytes) -> None:
        self._kept = (self._kept + piece)[-_KEPT_BYTES:]

    def lines(self) -> list[str]:
        return [line for line in self._kept.decode("utf-8", "replace").splitlines() if line.strip()]


@contextmanager
def captured_stderr() -> Iterator[CapturedText]:
    """Everything still goes where it would have gone. Not for two at once: the stream belongs to the process."""
    captured = CapturedText()
    try:
        usual = os.dup(_STDERR)
    except OSError:  # there is none
        yield captured
        return
    reading, writing = os.pipe()

    def pass_on() -> None:
        while piece := os.read(reading, 4096):
            captured.add(piece)
            # Passed on at once: a process that dies in its start has left its reasons where they are looked for.
            os.write(usual, piece)

    thread = threading.Thread(target=pass_on, name="agentstore-stderr")
    thread.start()
    try:
        os.dup2(writing, _STDERR)
        os.close(writing)
        yield captured
    finally:
        # This also closes the pipe's last writing end, which is what ends the thread.
        os.dup2(usual, _STDERR)
        thread.join()
        os.close(reading)
        os.close(usual)
