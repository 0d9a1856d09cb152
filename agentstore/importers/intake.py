"""The way of a file's bytes into an importer: secrets are masked before anything parses them, originals are kept.

What is known by digests (states, traces of copies) sees the bytes as they are in the file; whoever parses sees what
comes from here.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import msgspec

from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.importer import Options
from agentstore.importers.results import ImportResult, Original

Mask = Callable[[bytes], bytes]
_MOST_LIST = 64 << 20


def masked_text(mask: Mask | None, text: str) -> str:
    """A text without its secrets; the very same object where there is none."""
    if mask is None or not text:
        return text
    data = text.encode("utf-8", errors="surrogatepass")
    clean = mask(data)
    return text if clean == data else clean.decode("utf-8", errors="replace")


class Intake:
    """Takes the bytes of one file, ``name``, and of the small ones beside it; gives them back masked.

    ``is_kept``: also where originals are wanted they are not, since the file is only looked over.
    """

    def __init__(self, name: str, options: Options, *, is_kept: bool = True) -> None:
        self.name = name
        self.mask = options.mask
        self._keeps = is_kept and options.keep_original
        self._begin = self._end = 0  # of the part at hand
        self._held: list[bytes] = []
        self._ready: list[Original] = []
        self._beside: set[str] = set()  # what was kept already

    def text(self, text: str) -> str:
        return masked_text(self.mask, text)

    def whole(self, data: bytes, path: pathlib.Path | None = None) -> bytes:
        """A document: the file's own, or that of a ``path`` beside it."""
        clean = self.mask(data) if self.mask else data
        name = name_of(path) if path else self.name
        if self._keeps and name not in self._beside:
            self._beside.add(name)
            self._ready.append(Original(name, 0, len(data), clean))
        return clean

    def line_with(self, path: pathlib.Path, word: str, *, is_last: bool = False) -> bool:
        """Of a list beside the file, which is of all sessions, only a line is kept: the first (or last) with this word.

        Whether there is one; nothing is looked up where nothing is kept.
        """
        if not self._keeps or not word:
            return False
        try:
            data = b"" if path.is_symlink() else read_start(path, _MOST_LIST)
        except (OSError, ValueError):
            return False
        wanted = word.encode("utf-8", errors="surrogateescape")
        found = data.rfind(wanted) if is_last else data.find(wanted)
        if found < 0:
            return False
        begin, end = data.rfind(b"\n", 0, found) + 1, data.find(b"\n", found) + 1 or len(data)
        line = data[begin:end]
        self._ready.append(Original(name_of(path), begin, end, self.mask(line) if self.mask else line))
        return True

    def begin_at(self, offset: int) -> None:
        """Lines of the file follow, from this byte on."""
        self._begin = self._end = offset

    def lines(self, data: bytes) -> bytes:
        """Whole lines, which follow those before."""
        clean = self.mask(data) if self.mask else data
        if self._keeps:
            self._held.append(clean)
            self._end += len(data)
        return clean

    def leave_out(self, end: int) -> None:
        """A line up to this byte is too long, and is no part of the original."""
        self._end = end

    def tail(self, data: bytes) -> bytes:
        """The last line, whose end is missing: a part of its own, which the next import writes again."""
        self._close()
        clean = self.lines(data)
        self._close()
        return clean

    def leave_out_tail(self, end: int) -> None:
        """The last line is too long so far."""
        self._close()
        self._end = end
        self._close()

    def _close(self) -> None:
        if self._keeps and self._end > self._begin:
            self._ready.append(Original(self.name, self._begin, self._end, b"".join(self._held)))
        self._begin = self._end
        self._held = []

    def filled(self, result: ImportResult) -> ImportResult:
        """The result with the originals of all bytes that were taken since the last one."""
        if not self._keeps:
            return result
        self._close()
        ready, self._ready = self._ready, []
        return msgspec.structs.replace(result, originals=[*result.originals, *ready]) if ready else result
