"""The directory of a local store: where it is, what is in it, and whether it can be used.

::

    PATH/data/         the engine's own files, and agentstore.reserve: bytes kept for a full disk
    PATH/server.json   host, port, user and password of the running server, for its owner only
    PATH/server.lock   locked for as long as a server process lives
    PATH/start.lock    locked by the one client that is starting a server
    PATH/server.log    what the last server started in the background had to say
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import msgspec

from agentstore.errors import ConfigError, ConnectionFailedError


class StoreDirectory(msgspec.Struct, frozen=True):
    """The places of one local store. ``root`` is absolute and free of symlinks, so equal roots are one store."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def endpoint_file(self) -> Path:
        return self.root / "server.json"

    @property
    def server_lock(self) -> Path:
        return self.root / "server.lock"

    @property
    def start_lock(self) -> Path:
        return self.root / "start.lock"

    @property
    def log_file(self) -> Path:
        return self.root / "server.log"


def resolve(path: str | os.PathLike[str]) -> StoreDirectory:
    """The directory that ``path`` names: ``~`` expanded, relative paths and symlinks resolved. Creates nothing.

    Raises ``ConfigError`` for a path that no store can have.
    """
    text = os.fspath(path)
    if not text or "\0" in text:
        raise ConfigError("the path of a local store must not be empty or hold a NUL character")
    try:
        root = Path(os.path.realpath(Path(text).expanduser()))
    except RuntimeError as error:
        raise ConfigError(f"cannot tell whose home directory {text!r} means") from error
    # The engine takes its path as a URL-like text and would cut it at "?", and silently open another directory.
    if "?" in str(root) or not _is_utf8(str(root)):
        raise ConfigError(f"the path of a local store must be valid UTF-8 without '?': {str(root)!r}")
    return StoreDirectory(root)


def prepare(directory: StoreDirectory) -> None:
    """Create the directory for its owner only, or check the one that is there.

    Raises ``ConfigError`` for a file, a directory that everybody may write, or one that holds other things:
    a mistyped path must not scatter a database over somebody's home directory.
    """
    try:
        directory.root.parent.mkdir(parents=True, exist_ok=True)
        directory.root.mkdir(mode=0o700, exist_ok=True)
        mode = directory.root.stat().st_mode
        names = set(os.listdir(directory.root))
    except FileExistsError as error:
        raise ConfigError(f"{error.filename} is a file, and a local store is a directory") from error
    except OSError as error:
        text = f"{directory.root} cannot hold a local store: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # it passes
            raise ConnectionFailedError(text, hint="a local store needs 1 MB to start") from error
        raise ConfigError(text) from error
    if mode & stat.S_IWOTH:
        raise ConfigError(f"{directory.root} is writable by everybody", hint=f"chmod o-w {directory.root}")
    if not _is_empty(names) and not names & {directory.start_lock.name, directory.server_lock.name}:
        raise ConfigError(
            f"{directory.root} is not empty and not a local store",
            hint="name a directory that is empty or not there yet",
        )


def _is_empty(names: set[str]) -> bool:
    # A fresh volume has lost+found, a fresh checkout .gitkeep, a visited folder .DS_Store.
    return all(name.startswith(".") or name == "lost+found" for name in names)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
