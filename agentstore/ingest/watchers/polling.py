"""Seeing changes by looking, where the system does not tell them (no more watches are to be had, a network's files).

What has changed lately is looked at every second, everything so seldom that all of it costs under 1 % of a core.
watchfiles polls, too, but sees times in whole seconds: a second line within one second stays unseen.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence

_ROUND = 1.0
_LATELY = 500  # files and folders, those that changed last
_SHARE = 250  # of the time that a look at everything takes, until the next one
_Times = tuple[int, int, int]


class Poller:
    """Files and folders below some roots with their times."""

    def __init__(self, roots: Sequence[str], *, deep: bool) -> None:
        self._roots, self._is_deep = roots, deep
        self._seen: dict[str, _Times] = {}
        self._lately: list[str] = []
        self._due = 0.0
        self._look_at_all()

    def wait(self, stop: threading.Event) -> set[str]:
        """Paths that have changed; none when it is to stop."""
        while not stop.wait(_ROUND):
            if changed := self._look_at_all() if time.monotonic() >= self._due else self._look_at_some():
                return changed
        return set()

    def _look_at_all(self) -> set[str]:
        began = time.thread_time()
        seen = dict(self._all())
        changed = {path for path, times in seen.items() if self._seen.get(path) != times}
        changed |= self._seen.keys() - seen.keys()
        self._seen = seen
        self._lately = sorted(seen, key=lambda path: seen[path][0], reverse=True)[:_LATELY]
        self._due = time.monotonic() + max(_ROUND, (time.thread_time() - began) * _SHARE)
        return changed

    def _look_at_some(self) -> set[str]:
        changed = set()
        for path in self._lately:
            times = _times(path)
            if times != self._seen.get(path):
                changed.add(path)
                if times is None:
                    del self._seen[path]
                else:
                    self._seen[path] = times
        return changed

    def _all(self) -> Iterator[tuple[str, _Times]]:
        folders = [*self._roots]
        while folders:
            folder = folders.pop()
            try:
                entries = [*os.scandir(folder)]
            except OSError:
                continue
            if (times := _times(folder)) is not None:
                yield folder, times
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if self._is_deep:
                        folders.append(entry.path)
                elif (times := _times(entry.path)) is not None:
                    yield entry.path, times


def _times(path: str) -> _Times | None:
    try:
        there = os.stat(path)
    except OSError:
        return None
    return max(there.st_mtime_ns, there.st_ctime_ns), there.st_size, there.st_ino
