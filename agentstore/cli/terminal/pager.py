"""A pager for long output, as git has it: ``AGENTSTORE_PAGER``, else ``PAGER``, else less, on a terminal only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import IO

from agentstore.cli.failing import CommandError, PagerLeft
from agentstore.cli.terminal.screen import Screen, wants_colours, width_of

VARIABLES = ("AGENTSTORE_PAGER", "PAGER")
_USUAL = "less"
# What a shell ends with where there is no such command, or none that can be run.
_CANNOT_BE_RUN = (126, 127)
# As git sets them where the user has not: leave at once where all fits, pass on colours, leave the screen as it is.
_DEFAULTS = {"LESS": "FRX", "LV": "-c"}


def pager_command(environment: Mapping[str, str] = os.environ) -> str:
    """The command line of the pager; "" where there is to be none: it is set to nothing, or to ``cat``."""
    for variable in VARIABLES:
        if variable in environment:
            named = environment[variable].strip()
            return "" if named == "cat" else named
    return _USUAL if shutil.which(_USUAL, path=environment.get("PATH")) else ""


@contextlib.contextmanager
def paged(*, wanted: bool = True) -> Iterator[Screen]:
    """A screen whose lines go through a pager, if stdout is a terminal. It is started by the first line.

    Who leaves the pager before the end has seen enough: what goes on inside ends with ``PagerLeft``.
    """
    is_terminal = sys.stdout.isatty()
    command = pager_command() if wanted and is_terminal else ""
    pager = _Pager(command, sys.stdout)
    has_left = False
    try:
        yield Screen(pager.write, width_of(is_terminal), colours=wants_colours(is_terminal), is_terminal=is_terminal)
    except BrokenPipeError:
        if not pager.is_running:
            raise
        has_left = True
    finally:
        code = pager.close()
    if code in _CANNOT_BE_RUN:
        raise CommandError(f"the pager {command!r} cannot be run", hint="--no-pager, or another in AGENTSTORE_PAGER")
    if has_left:
        raise PagerLeft


class _Pager:
    def __init__(self, command: str, stream: IO[str]) -> None:
        self._command = command
        self._stream = stream
        self._process: subprocess.Popen[str] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def write(self, text: str) -> None:
        if self._process is None and self._command:
            self._start()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(text)
        else:
            self._stream.write(text)

    def _start(self) -> None:
        self._stream.flush()
        with contextlib.suppress(OSError):
            # By the shell, since the variable holds a command line: "less -S". It is the user's own text.
            self._process = subprocess.Popen(
                self._command,
                shell=True,
                stdin=subprocess.PIPE,
                env={**_DEFAULTS, **os.environ},
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
            )

    def close(self) -> int:
        """Wait until the user has left the pager; its exit code, 0 where there is none. Ctrl-C is the pager's while it
        runs."""
        process = self._process
        if process is None:
            return 0
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
