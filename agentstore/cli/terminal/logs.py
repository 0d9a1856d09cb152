"""What the library logs, as lines on stderr: its warnings name files and servers, whose text may command a terminal."""

from __future__ import annotations

import logging
import sys

from agentstore.faces import safe


class SafeHandler(logging.Handler):
    """Each record as a line that is safe; where an error came from only with ``debug``."""

    def __init__(self, *, debug: bool) -> None:
        super().__init__(logging.WARNING)
        self._debug = debug

    def emit(self, record: logging.LogRecord) -> None:
        try:
            lines = [f"agentstore: {record.levelname.lower()}: {safe.line(record.getMessage())}"]
            if record.exc_info and self._debug:
                lines += safe.lines(logging.Formatter().formatException(record.exc_info))
            sys.stderr.write("".join(f"{line}\n" for line in lines))
            sys.stderr.flush()
        except OSError:  # nobody is told
            pass


def show_warnings(*, debug: bool) -> None:
    """Show what the library warns of, once for the process."""
    logger = logging.getLogger("agentstore")
    if not any(isinstance(one, SafeHandler) for one in logger.handlers):
        logger.addHandler(SafeHandler(debug=debug))
        logger.propagate = False
