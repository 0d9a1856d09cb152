"""A command on a terminal of its own: what it shows there, and keys that are pressed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

SECONDS = 60.0
CTRL_C = b"\x03"


class Terminal:
    """The other side of a pseudo-terminal. ``shown`` is everything that was written to it."""

    def __init__(self, process: subprocess.Popen[bytes], number: int) -> None:
        self.process, self._number = process, number
        self.shown = b""

    def press(self, keys: bytes) -> None:
        os.write(self._number, keys)

    def wait_until(self, condition: Callable[[bytes], object], what: str) -> None:
        """Read until what was shown meets the condition."""
        deadline = time.monotonic() + SECONDS
        while not condition(self.shown):
            assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {what}; shown: {self.shown[-2000:]!r}"
            assert self._read(deadline), f"it has ended before: {what}; shown: {self.shown[-2000:]!r}"

    def finish(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            assert time.monotonic() < deadline, f"it does not end; shown: {self.shown[-2000:]!r}"
        return self.process.wait(SECONDS)

    def _read(self, deadline: float) -> bool:
        if not select.select([self._number], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return True
        with contextlib.suppress(OSError):  # EIO: nobody has the terminal open any more
            data = os.read(self._number, 65536)
            self.shown += data
            return bool(data)
        return False


@contextlib.contextmanager
def on_terminal(
    command: list[str], environment: Mapping[str, str], cwd: Path, *, columns: int = 80, stdout_to: int | None = None
) -> Iterator[Terminal]:
    """A command whose stdin, stdout and stderr are a terminal, which is its controlling one."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in environment.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        ["setsid", "--ctty", *command],
        stdin=theirs,
        stdout=theirs if stdout_to is None else stdout_to,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color"},
        cwd=cwd,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
