"""SQLite databases that tests open: all are closed when the test has ended."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator

_opened: list[sqlite3.Connection] = []


def opened(path: pathlib.Path) -> sqlite3.Connection:
    """A connection that may stay open while the test runs, as an agent's does."""
    connection = sqlite3.connect(path)
    _opened.append(connection)
    return connection


@contextlib.contextmanager
def closed_afterwards() -> Iterator[None]:
    """Python 3.13 complains about connections that are left to the garbage collector, in whatever test runs then."""
    yield
    while _opened:
        _opened.pop().close()
