"""The log of a server in the background: its end for error messages, and a bound on its size."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from agentstore.local.directory.layout import StoreDirectory

_MAX_BYTES = 1024 * 1024
_TAIL_BYTES = 4096
_TAIL_LINES = 8


def log_tail(directory: StoreDirectory) -> str:
    """The last lines of the background server's log, or "" where there are none."""
    try:
        with directory.log_file.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return last_lines(text)


def last_lines(text: str) -> str:
    """The end of ``text`` in a size that fits into an error message."""
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])


def bound_log(path: Path) -> None:
    """Start the log over once it is large: it is for start errors, and the server may run for months."""
    with contextlib.suppress(FileNotFoundError):  # a server in the foreground has none
        if path.stat().st_size > _MAX_BYTES:
            # Cut, not replaced: the server goes on writing to the file that it has open, at its end (O_APPEND).
            os.truncate(path, 0)
