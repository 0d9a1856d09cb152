"""A command on a terminal of its own, as a person would run it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

from tests.cli.running import Cli

_SECONDS = 60.0
# What a login does before it becomes the shell: Ctrl-C then goes to whom it is meant for.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """What a process has written to its terminal, and the keys that are pressed on it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.shown = b""
        self._master = master
        self._deadline = time.monotonic() + _SECONDS

    def until(self, text: bytes) -> None:
        """Look until this is on the terminal."""
        while text not in self.shown:
            assert self._read(), f"ended without {text!r}: {self.shown!r}"

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def leave(self, keys: bytes) -> int:
        """Press keys until the process has ended; its exit code. An interrupt throws away what was typed just after."""
        while self.process.poll() is None:
            assert time.monotonic() < self._deadline, f"does not end: {self.shown!r}"
            self.press(keys)
            if select.select([self._master], [], [], 0.05)[0] and not self._read():
                break
        return self.end()

    def end(self) -> int:
        """All that is still to come, and the exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=_SECONDS)

    @property
    def text(self) -> str:
        return self.shown.decode("utf-8", errors="replace").replace("\r\n", "\n")

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, self._deadline - time.monotonic()))
        assert ready, f"nothing more after {_SECONDS:g} s: {self.shown!r}"
        try:
            more = os.read(self._master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # how Linux says that nobody has the terminal open any more
                raise
            return False
        self.shown += more
        return bool(more)


@contextlib.contextmanager
def on_terminal(cli: Cli, *arguments: str, columns: int = 80, **variables: str) -> Iterator[Terminal]:
    """Run a command with a terminal for its input, output and errors."""
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {**cli.environment, "TERM": "xterm", **variables}
        del environment["COLUMNS"]
        process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *cli.command(*arguments)],
            start_new_session=True,
            env=environment,
            cwd=cli.home,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        slave = -1
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            process.wait(timeout=_SECONDS)
    finally:
        os.close(master)
        if slave >= 0:
            os.close(slave)
