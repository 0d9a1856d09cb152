"""The file that tells a client where the running server is, and its password.

It is readable by its owner only from its first moment, replaced in one step, and never believed when somebody else
could have written or read it, or when the server that wrote it is dead: its port may be somebody else's by then.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Annotated

import msgspec

from agentstore.errors import ConfigError, ConnectionFailedError
from agentstore.local.directory.lock import is_locked

_MAX_BYTES = 64 * 1024


class Endpoint(msgspec.Struct, frozen=True):
    """Where a local server listens and how to log in. Its text forms never show the password."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    user: str
    password: str
    # At least 1: a signal sent to 0 or -1 would reach a whole process group.
    pid: Annotated[int, msgspec.Meta(ge=1)]

    def __repr__(self) -> str:
        return f"Endpoint(host={self.host!r}, port={self.port}, user={self.user!r}, pid={self.pid})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("host", self.host), ("port", self.port), ("user", self.user), ("pid", self.pid)]


class Publication:
    """The file that says ``endpoint``, for as long as the server may be believed: until it withdraws it, or dies.

    The server keeps the file itself locked. So a client can tell this very text from one that a dead server left, even
    while the next server is starting. Only the holder of the server lock may publish.
    """

    def __init__(self, path: Path, endpoint: Endpoint) -> None:
        self._path = path
        self._content = msgspec.json.encode(endpoint)
        self._locked: int | None = None

    def publish(self) -> None:
        """Put the file, complete and locked, in place of what is there, or raise ``ConnectionFailedError``."""
        try:
            self._replace(self._path.with_name(self._path.name + ".new"))
        except OSError as error:
            raise ConnectionFailedError(f"cannot write {self._path}: {error.strerror}") from error

    def _replace(self, fresh: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # left by a server that was killed right here
            fresh.unlink()
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._locked = fd
        os.fchmod(fd, 0o600)  # a umask such as 0777 would keep it from ourselves
        # Before anybody can read it: a file cut off by a full disk would be refused as not ours, by every client.
        if os.write(fd, self._content) < len(self._content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # Locked before it has its name: found unlocked, it would be taken for a dead server's.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # One step, with all the content: a reader finds the old file or the new one. Not synced, since no text outlives
        # its server.
        fresh.replace(self._path)

    def withdraw(self) -> None:
        """Remove the file if it is there; that of another server stays.

        The other case: somebody removed the whole directory under a running server, and a second server made it anew.
        """
        if self._locked is None:
            return
        with contextlib.suppress(FileNotFoundError):
            # By the file, not by its name: what is there now may be another server's.
            if os.path.samestat(os.fstat(self._locked), os.lstat(self._path)):
                self._path.unlink()
        os.close(self._locked)
        self._locked = None


def read_endpoint(path: Path) -> Endpoint | None:
    """What ``path`` says; None where there is no file, or the server that wrote it is dead.

    Raises ``ConfigError`` for a symlink, a file of another user, one that others may read, or one that is not ours.
    """
    try:
        # Not blocking, or a named pipe put there would hold us forever.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
        raise ConfigError(f"{path} {reason}") from error
    try:
        # First of all questions: what a dead server left need not be private, or make sense.
        if not is_locked(fd):
            return None
        _check_private(path, os.fstat(fd))
        content = os.read(fd, _MAX_BYTES)
    finally:
        os.close(fd)
    try:
        return msgspec.json.decode(content, type=Endpoint)
    except msgspec.DecodeError:
        # Without the cause: its text may quote the content, and that holds a password.
        raise ConfigError(f"{path} was not written by an agentstore server") from None


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path} is not a regular file")
    if status.st_uid != os.geteuid() and not (os.geteuid() == 0 and status.st_uid == path.parent.stat().st_uid):
        raise ConfigError(f"{path} belongs to another user (uid {status.st_uid})")
    if status.st_mode & 0o077:
        raise ConfigError(f"{path} may be read or written by other users", hint=f"chmod 600 {path}")
