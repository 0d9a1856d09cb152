"""One pass over the bytes for all rules at once: the automaton of RE2, and ``re`` to tell which rule it was.

RE2 looks at each byte once, whatever the number of rules and whatever the case of letters; a search for literal
prefixes alone was slower. Without google-re2 nothing is left unmasked in silence: it is an error.
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


def probe_of(shape: bytes) -> bytes:
    """The beginning of a shape, up to its first long repetition and eight bytes of that.

    It is what is searched for in all bytes: each byte that an automaton counts makes it larger, and one that does not
    fit into its memory is a hundred times slower.
    """
    for found in _repetition.finditer(shape):
        if int(found.group(1)) > _COUNTED:
            begun = shape[: found.start()]
            whole = len(_opened.findall(begun)) == len(_closed.findall(begun))
            return begun + b"{%d}" % _COUNTED if whole else shape
    return shape


_COUNTED = 8
_repetition = re.compile(rb"\{(\d+)(?:,\d*)?\}")
_opened = re.compile(rb"(?<!\\)\(")
_closed = re.compile(rb"(?<!\\)\)")


class Finder:
    """Finds the next place where one of the patterns matches.

    ``patterns`` has for each name what is searched for in all bytes, and what has to match where that stands.
    """

    def __init__(self, patterns: Mapping[str, tuple[bytes, bytes]]) -> None:
        self._fast = compile_fast(b"|".join(b"(?:" + probe + b")" for probe, _ in patterns.values()))
        groups = (b"(?P<" + name.encode() + b">" + exact + b")" for name, (_, exact) in patterns.items())
        self._which = re.compile(b"|".join(groups))

    def next(self, data: bytes, position: int) -> tuple[str, int, int] | None:
        """Name, start and end of the first match from ``position`` on."""
        while hit := self._fast.search(data, position):
            start = hit.start()
            found = self._which.match(data, start)
            if found:
                return found.lastgroup or "", start, found.end()
            position = start + 1
        return None
