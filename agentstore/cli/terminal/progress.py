"""A progress bar on stderr, where that is a terminal: what goes on, bytes and the time left."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar(Protocol):
    """What shows how far something is."""

    def say(self, what: str) -> None:
        """What goes on now, in a few words of ours: no foreign text."""

    def expect(self, size: int) -> None:
        """So many bytes more are to be done."""

    def advance(self, size: int) -> None:
        """So many of them are done."""


class _NoBar:
    def say(self, what: str) -> None: ...
    def expect(self, size: int) -> None: ...
    def advance(self, size: int) -> None: ...


@contextlib.contextmanager
def progress(what: str, *, wanted: bool = True) -> Iterator[Bar]:
    """A bar, gone again at the end; nothing where stderr is no terminal."""
    if not wanted or not sys.stderr.isatty():
        yield _NoBar()
        return
    # Here, since it takes a while to load.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(None), DownloadColumn(), TimeRemainingColumn())
    shown = Progress(
        *columns,
        console=Console(file=sys.stderr),
        transient=True,
        expand=True,
        # What is printed meanwhile goes through ``Screen`` and is ours to order.
        redirect_stdout=False,
        redirect_stderr=True,
    )
    with shown:
        yield _Shown(shown, what)


class _Shown:
    def __init__(self, shown: Progress, what: str) -> None:
        self._shown, self._size, self._done = shown, 0, 0
        self._task = shown.add_task(what, total=None)

    def say(self, what: str) -> None:
        self._shown.update(self._task, description=what)

    def expect(self, size: int) -> None:
        self._size += size
        self._shown.update(self._task, total=self._size)

    def advance(self, size: int) -> None:
        # A compressed file has more bytes than are on the disk.
        self._done = min(self._size, self._done + size)
        self._shown.update(self._task, completed=self._done)
