"""One pass over the bytes for all rules at once: the automaton of RE2, and ``re`` to tell which rule it was.

RE2 looks at each byte once, whatever the number of rules, so that there is no need of a separate search for literal
prefixes: one was slower (docs/decisions, masking). Without google-re2 nothing is masked silently: it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from agentstore.errors import ConfigError

HINT = "pip install 'agentstore[ingest]'"
_MEMORY = 64 * 1024 * 1024


class Hit(Protocol):
    """What is used of a match."""

    def start(self) -> int: ...

    def end(self) -> int: ...


class Search(Protocol):
    """What is used of a compiled pattern."""

    def search(self, text: bytes, pos: int) -> Hit | None: ...


def compile_fast(pattern: bytes) -> Search:
    """One pattern for RE2, of bytes, without groups."""
    try:
        import re2
    except ImportError as error:
        raise ConfigError(f"masking needs google-re2: {error}", hint=HINT) from None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.max_mem = _MEMORY
    options.log_errors = False
    compiled: Search = re2.compile(pattern, options)
    return compiled


class Finder:
    """Finds the next hit of any of the patterns; which one, ``re`` says at that place only."""

    def __init__(self, patterns: Mapping[str, bytes]) -> None:
        self._fast = compile_fast(b"|".join(b"(?:" + pattern + b")" for pattern in patterns.values()))
        groups = (b"(?P<" + name.encode() + b">" + pattern + b")" for name, pattern in patterns.items())
        self._which = re.compile(b"|".join(groups))

    def next(self, data: bytes, position: int) -> tuple[str, int, int] | None:
        """Name, start and end of the first hit from ``position`` on."""
        hit = self._fast.search(data, position)
        if hit is None:
            return None
        return self.at(data, hit.start()) or ("", hit.start(), hit.end())

    def at(self, data: bytes, position: int) -> tuple[str, int, int] | None:
        """The hit that begins at ``position``."""
        found = self._which.match(data, position)
        return (found.lastgroup or "", found.start(), found.end()) if found else None
