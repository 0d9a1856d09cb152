"""The space a store has, and who may use it: writes end early, where there is still room for what is under way.

Three marks, from above to below. Under the reserve no new write begins, and the error names the path and the missing
bytes. Under half of it the merges that run are stopped. At the very end there is the reserve file, bytes that other
programs cannot take: it is emptied for a write under way, or for the start of a server on a full disk.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass

MIB = 1 << 20
LEAST_RESERVE, LARGEST_RESERVE = 16 * MIB, 256 * MIB
# A server that starts writes its log, its address and the engine's own small files.
START_BYTES = MIB // 2
START_INODES = 16
# A part of a wide table has some hundred files.
INODES = 1000
RESERVE_FILE = "agentstore.reserve"


class NoSpaceError(Exception):
    """There is too little space; the text names the path and the missing bytes."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system as statvfs(2) sees it: what this user may still use of it."""

    total: int
    free: int
    # None where the file system has no fixed number of them.
    inodes: int | None

    @classmethod
    def of(cls, path: str) -> Volume:
        found = os.statvfs(path)
        inodes = found.f_favail if found.f_files else None
        return cls(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, inodes)


def reserve_of(total: int) -> int:
    """How much of a volume is kept free: a twentieth within bounds, and never more than a quarter."""
    return min(max(total // 20, LEAST_RESERVE), LARGEST_RESERVE, total // 4)


def reserve_file_size(reserve: int) -> int:
    """How much of the reserve is in the file: enough to start several times, and little beside a store."""
    return min(reserve // 4, 16 * MIB)


def shortage(path: str, volume: Volume, needed: int, reserve: int, *, inodes: int = INODES) -> str:
    """What is missing to write ``needed`` bytes and leave the reserve; "" if nothing is."""
    missing = needed + reserve - volume.free
    if missing > 0:
        written = f"{needed} bytes are to be written and " if needed else ""
        return (
            f"Not enough space at {path}: {missing} bytes are missing ({volume.free} are free, {written}"
            f"{reserve} stay in reserve)"
        )
    if volume.inodes is not None and volume.inodes < inodes:
        return f"Not enough space at {path}: {inodes - volume.inodes} inodes are missing ({volume.inodes} are free)"
    return ""


def _remove_unfinished(path: str) -> None:
    """Remove the parts that were never committed, as the engine does when it starts: it needs space to come so far."""
    for part in glob.iglob(os.path.join(glob.escape(path), "store", "*", "*", "tmp_*")):
        shutil.rmtree(part, ignore_errors=True)


def forget_tokens(path: str) -> None:
    """Remove the engine's notes of what was inserted, so that a repetition is not taken for stored when it is damaged.

    What is stored and sent again has the same keys: it is there twice until the next merge, and read once.
    """
    for file in glob.iglob(os.path.join(glob.escape(path), "store", "*", "*", "deduplication_logs", "*")):
        with contextlib.suppress(OSError):
            os.unlink(file)


class Space:
    """The space at one path. Methods block for a system call, and may be called from any thread."""

    def __init__(self, path: str, reserve: int | None = None) -> None:
        """Does no I/O. A reserve of None is one that fits the volume."""
        self.path = path
        self._reserve = reserve
        self._claimed = 0
        self._lock = threading.Lock()
        self._file = -1

    def __repr__(self) -> str:
        return f"<Space {self.path!r} claimed={self._claimed}>"

    @property
    def reserve(self) -> int:
        """How many bytes are to stay free, of a volume as large as this one was at first."""
        if self._reserve is None:
            self._reserve = reserve_of(Volume.of(self.path).total)
        return self._reserve

    @property
    def is_low(self) -> bool:
        """Whether what runs without a client has to stop."""
        return Volume.of(self.path).free < self.reserve // 2

    @property
    def is_enough(self) -> bool:
        """Whether it may go on again."""
        return not shortage(self.path, Volume.of(self.path), 0, self.reserve)

    @contextlib.contextmanager
    def claim(self, size: int = 0) -> Iterator[None]:
        """Hold ``size`` bytes for a write under way, beside those of others. Raises NoSpaceError."""
        with self._lock:
            # Looked at and claimed under one lock: two writes at the same moment would both count the same free bytes.
            # What the others have written of theirs by now counts twice, so a claim is refused too early rather than
            # too late.
            missing = shortage(self.path, Volume.of(self.path), size + self._claimed, self.reserve)
            if missing:
                raise NoSpaceError(missing)
            self._claimed += size
        try:
            yield
        finally:
            with self._lock:
                self._claimed -= size

    # The reserve file.

    def open(self) -> int:
        """Open the reserve file, and return its descriptor. Only while nothing else uses the path.

        If a start needs the space, the reserve file is emptied, and what a killed process left unfinished is removed.
        Raises NoSpaceError if there is too little to start with even so, OSError if the file cannot be used.
        """
        if self._file < 0:
            name = os.path.join(self.path, RESERVE_FILE)
            self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if Volume.of(self.path).free < START_BYTES:
            # Only where the start needs it: a merge or an insert that runs full later finds the bytes still there.
            os.ftruncate(self._file, 0)
            _remove_unfinished(self.path)
        # Without the reserve: also on a full disk a server is of use, for what is stored can be read.
        missing = shortage(self.path, Volume.of(self.path), START_BYTES, 0, inodes=START_INODES)
        if missing:
            raise NoSpaceError(missing)
        return self._file

    def refill(self) -> None:
        """Give the reserve file its size again, where there is space beside the reserve."""
        size = reserve_file_size(self.reserve)
        with contextlib.suppress(OSError):  # somebody else took the space just now, or a quota is full: next time
            # Beside the reserve: filled from it, the file would stop the very writes that it is there for.
            if os.fstat(self._file).st_size < size and Volume.of(self.path).free >= self.reserve + size:
                os.posix_fallocate(self._file, 0, size)

    def close(self) -> None:
        """Close the reserve file; it stays where it is. Only when no guard uses its descriptor any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
