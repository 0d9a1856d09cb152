"""A server that root starts on the store of somebody else goes on as the owner of the store."""

from __future__ import annotations

import contextlib
import importlib
import os

from agentstore.errors import ConfigError
from agentstore.local.directory.layout import StoreDirectory


def become_owner(directory: StoreDirectory) -> None:
    """For a process that root starts on the store of somebody else: go on as the owner of the directory, for good.

    Files of root's in it would lock the owner out. What is needed later is imported first: the owner may not be able to
    read root's Python.
    Raises ``ConfigError`` where the owner cannot be become, or cannot reach the directory.
    """
    try:
        owner = directory.root.stat()
    except OSError:
        return  # not there: it becomes root's, or what is wrong is said later
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    import_engine()
    try:
        # Groups before the user: without root's rights neither can be changed any more.
        os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    except OSError as error:
        raise ConfigError(
            f"{directory.root} belongs to uid {owner.st_uid}: {error.strerror}", hint="run as its owner"
        ) from error
    if not os.access(directory.root, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(
            f"{directory.root} belongs to uid {owner.st_uid}, who cannot reach it", hint="run as its owner"
        )


def import_engine() -> None:
    """Load all that a server needs. Where that fails, the start says why."""
    with contextlib.suppress(ImportError, RuntimeError):
        importlib.import_module("agentstore.local.server.server")
        importlib.import_module("chdb")
