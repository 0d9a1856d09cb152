"""What became of files while this process watches them: between two passes it need not be found out again."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

from agentstore.ingest.looking import File


class _Done(NamedTuple):
    context: str
    is_read: bool


class Remembered:
    """Files that were dealt with as they are, and failures that were told."""

    def __init__(self) -> None:
        self._done: dict[pathlib.Path, _Done] = {}
        self._told: dict[str, tuple[int, str, str]] = {}

    def clear(self) -> None:
        """All files are to be looked at anew: what failed before is tried again."""
        self._done.clear()

    def note(self, file: File, context: str, *, is_read: bool) -> None:
        """A file was read to its end or left (``is_read``), or it failed; others said ``context`` of it."""
        self._done[file.path] = _Done(context, is_read)
        if is_read:
            self._told.pop(file.name, None)

    def is_done(self, path: pathlib.Path, context: str) -> bool:
        """Whether nothing is to be done with a file that has not changed, when others say this of it now."""
        done = self._done.get(path)
        return done is not None and done.context == context

    def is_read(self, path: pathlib.Path) -> bool:
        """Whether a file was read as it is."""
        done = self._done.get(path)
        return done is not None and done.is_read

    def is_news(self, name: str, reason: str, size: int = 0, stat: str = "") -> bool:
        """Whether a failure is to be told: not where the same file failed for the same reason."""
        before = self._told.get(name)
        self._told[name] = (size, reason, stat)
        return before is None or before[:2] != (size, reason) or bool(before[2] and stat and before[2] != stat)
