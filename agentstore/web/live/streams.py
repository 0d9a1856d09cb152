"""How many event streams a login may hold: each holds one of the server's connections for as long as it likes."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

# A browser opens six connections to a host, and shares one stream between its tabs where it can.
MOST = 16


class TooManyStreamsError(Exception):
    """A login has as many as it may."""


class Streams:
    """Those that are open now."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def is_full(self, login: str) -> bool:
        """Whether it has as many as it may."""
        return self._open[login] >= MOST

    @contextlib.contextmanager
    def one_of(self, login: str) -> Iterator[None]:
        """One more until the end of the block. ``TooManyStreamsError`` where that would be too many."""
        if self.is_full(login):
            raise TooManyStreamsError
        self._open[login] += 1
        try:
            yield
        finally:
            self._open[login] -= 1
            if not self._open[login]:
                del self._open[login]
