"""A small file system of its own, where the user may mount one, and a program that fills it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_PIECE = b"x" * (1 << 20)


class SmallVolume:
    """A directory that is a file system of a few hundred megabytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int) -> None:
        """Be the other program that takes the space, but for some bytes."""
        with self._filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while self.free > leave:
                file.write(_PIECE[: self.free - leave])

    def give_back(self) -> None:
        """Free what was taken."""
        self._filler.unlink(missing_ok=True)


@contextlib.contextmanager
def small_volume(path: Path, size: str) -> Iterator[SmallVolume]:
    """Mount a tmpfs of this size; skips with the reason where that is not allowed. It is gone at the end."""
    path.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path)], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command to make a small file system with")
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallVolume(path)
    finally:
        # Lazily: a server that has just been told to end may hold it for another moment.
        subprocess.run(["umount", "--lazy", str(path)], check=True)
