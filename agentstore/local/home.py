"""The directory of a local store: where it is, what is in it, and whether it can be used.

::

    PATH/data/         the engine's own files, and agentstore.reserve: bytes kept for a full disk
    PATH/server.json   host, port, user and password of the running server, for its owner only
    PATH/server.lock   locked for as long as a server process lives
    PATH/start.lock    locked by the one client that is starting a server
    PATH/server.log    what the last server started in the background had to say
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import stat
from pathlib import Path

import msgspec

from agentstore.errors import ConfigError, ConnectionFailedError

_LOG_TAIL_BYTES = 4096
_LOG_TAIL_LINES = 8


class Home(msgspec.Struct, frozen=True):
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


def resolve(path: str | os.PathLike[str]) -> Home:
    """The home that ``path`` names: ``~`` expanded, relative paths and symlinks resolved. Creates nothing.

    Raises :exc:`ConfigError` for a path that no store can have.
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
    return Home(root)


def prepare(home: Home) -> None:
    """Create the directory for its owner only, or check the one that is there.

    Raises :exc:`ConfigError` for a file, a directory that everybody may write, or one that holds other things:
    a mistyped path must not scatter a database over somebody's home directory.
    """
    try:
        home.root.parent.mkdir(parents=True, exist_ok=True)
        home.root.mkdir(mode=0o700, exist_ok=True)
        mode = home.root.stat().st_mode
        names = set(os.listdir(home.root))
    except FileExistsError as error:
        raise ConfigError(f"{error.filename} is a file, and a local store is a directory") from error
    except OSError as error:
        text = f"{home.root} cannot hold a local store: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # it passes
            raise ConnectionFailedError(text, hint="a local store needs 1 MB to start") from error
        raise ConfigError(text) from error
    if mode & stat.S_IWOTH:
        raise ConfigError(f"{home.root} is writable by everybody", hint=f"chmod o-w {home.root}")
    if not _is_empty(names) and not names & {home.start_lock.name, home.server_lock.name}:
        raise ConfigError(
            f"{home.root} is not empty and not a local store",
            hint="name a directory that is empty or not there yet",
        )


def become_owner(home: Home) -> None:
    """For a process that root starts on the store of somebody else: go on as the owner of the directory, for good.

    Files of root's in it would lock the owner out. Imports what comes later first: the owner may not see root's Python.
    Raises :exc:`ConfigError` where the owner cannot be become, or cannot reach the directory.
    """
    try:
        owner = home.root.stat()
    except OSError:
        return  # not there: it becomes root's, or what is wrong is said later
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    import_engine()
    try:
        os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    except OSError as error:
        raise ConfigError(
            f"{home.root} belongs to uid {owner.st_uid}: {error.strerror}", hint="run as its owner"
        ) from error
    if not os.access(home.root, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(f"{home.root} belongs to uid {owner.st_uid}, who cannot reach it", hint="run as its owner")


def import_engine() -> None:
    """Load all that a server needs. Where that fails, the start says why."""
    with contextlib.suppress(ImportError, RuntimeError):
        importlib.import_module("agentstore.local.server")
        importlib.import_module("chdb")


def log_tail(home: Home) -> str:
    """The last lines of the background server's log, or "" where there are none."""
    try:
        with home.log_file.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return last_lines(text)


def last_lines(text: str) -> str:
    """The end of ``text`` in a size that fits into an error message."""
    return "\n".join(text.strip().splitlines()[-_LOG_TAIL_LINES:])


def _is_empty(names: set[str]) -> bool:
    # A fresh volume has lost+found, a fresh checkout .gitkeep, a visited folder .DS_Store.
    return all(name.startswith(".") or name == "lost+found" for name in names)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
