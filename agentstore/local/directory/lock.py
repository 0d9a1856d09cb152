"""A lock that the kernel gives back when its holder dies, even by kill -9: flock on a file that is never removed.

Whether it is held can be asked without disturbing the holder. The asker holds a shared lock for some microseconds;
``FileLock.take`` tells such an asker from a real holder, so a question never makes a start fail.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from agentstore.errors import ConfigError

_BETWEEN_ATTEMPTS_SECONDS = 0.001


class FileLock:
    """An exclusive lock, held from ``take`` until ``release``, the end of ``with``, or the process's end."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    @classmethod
    def take(cls, path: Path) -> FileLock | None:
        """Take the lock now, or return None because another process or another part of this one holds it."""
        fd = _open(path)
        while not _try(fd, fcntl.LOCK_EX):
            if not _try(fd, fcntl.LOCK_SH):
                # Not even a shared lock: somebody holds it for good.
                os.close(fd)
                return None
            # Only askers were in the way. Let go of the shared lock, or it would be in the way of the next taker.
            fcntl.flock(fd, fcntl.LOCK_UN)
            time.sleep(_BETWEEN_ATTEMPTS_SECONDS)
        return cls(fd)

    def release(self) -> None:
        """Give the lock back; once more does nothing."""
        if self._fd is not None:
            # Unlock by name: a copy of the descriptor in a forked child would keep the lock past a mere close.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock exclusively; False where the file does not exist."""
    try:
        # A question must not make the file: a directory with it counts as a store (`layout.prepare`).
        fd = _open(path, create=False)
    except FileNotFoundError:
        return False
    try:
        return is_locked(fd)
    finally:
        os.close(fd)


def is_locked(fd: int) -> bool:
    """The same of the open file ``fd``."""
    if not _try(fd, fcntl.LOCK_SH):
        return True
    # At once: until then whoever takes the lock finds an asker in the way.
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path, *, create: bool = True) -> int:
    # Read and write: over NFS the kernel emulates flock with record locks, and those need the matching mode.
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_CREAT if create else 0)
    try:
        fd = os.open(path, flags, 0o600)
        if create and os.geteuid() == 0:
            # A client run by root must not lock out whose store it is.
            owner = os.stat(path.parent)
            os.fchown(fd, owner.st_uid, owner.st_gid)
        return fd
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR) and not create:
            raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise ConfigError(f"cannot use {path}: {reason}") from error
