"""How the store's server is: running or not, where, and how large a local store is."""

from __future__ import annotations

import os
import pathlib
import time
from types import ModuleType

import msgspec

from agentstore.cli.terminal import sizes
from agentstore.cli.terminal.screen import Piece, Screen
from agentstore.errors import ConfigError
from agentstore.settings import ConnectOptions

_ESTABLISHED = "01"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a server; None where it is not known, or does not apply.

    ``where``: a local store's directory, or the hosts. ``clients``: connections to a local server. ``ping_seconds``:
    how long a server took to answer.
    """

    where: str
    local: bool
    running: bool
    address: str | None = None
    pid: int | None = None
    bytes: int | None = None
    clients: int | None = None
    version: str | None = None
    database: str | None = None
    ping_seconds: float | None = None


def local_client() -> ModuleType:
    """What finds and ends local servers. It needs what only POSIX systems have."""
    try:
        from agentstore.local.client import acquire
    except ImportError as error:
        raise ConfigError(f"a local store cannot be used on this system: {error}") from error
    return acquire


def local_state(path: str) -> State:
    """Of a local store; nothing is started."""
    root = os.path.realpath(os.path.expanduser(path))
    endpoint = local_client().running(path)
    if endpoint is None:
        return State(where=root, local=True, running=False, bytes=size_of(root))
    return State(
        where=root,
        local=True,
        running=True,
        address=f"{endpoint.host}:{endpoint.port}",
        pid=endpoint.pid,
        bytes=size_of(root),
        clients=_connections(endpoint.port),
    )


async def server_state(options: ConnectOptions) -> State:
    """Of a server: its version, and how long a statement takes. No database is made. Errors are the library's."""
    from agentstore.connection.dial import dial
    from agentstore.connection.sql import sql

    connection = await dial(options, "default")
    try:
        ((version,),) = await connection.fetch(sql("SELECT version()"), {}, options.connect_timeout_seconds)
        began = time.perf_counter()
        await connection.fetch(sql("SELECT 1"), {}, options.connect_timeout_seconds)
        took = time.perf_counter() - began
    finally:
        await connection.close()
    return State(
        where=options.where, local=False, running=True, version=version, database=options.database, ping_seconds=took
    )


def show_state(screen: Screen, state: State) -> None:
    """A line for each thing that is known."""
    lines = [
        ("store", sizes.path(state.where, os.path.expanduser("~")) if state.local else state.where),
        ("server", _running(state)),
        ("address", state.address),
        ("version", f"ClickHouse {state.version}" if state.version else None),
        ("database", state.database),
        ("ping", f"{state.ping_seconds * 1000:.1f} ms" if state.ping_seconds is not None else None),
        ("size", sizes.size(state.bytes) if state.bytes is not None else None),
        ("clients", str(state.clients) if state.clients is not None else None),
    ]
    for name, text in lines:
        if text is not None:
            screen.fold(Piece(f"{name:<9}", "dim"), text)


def size_of(path: str | pathlib.Path) -> int | None:
    """Bytes on the disk below a folder, or of a file; None where nothing is there. What goes meanwhile counts not."""
    if not os.path.exists(path):
        return None
    if os.path.isfile(path):
        return os.stat(path).st_size
    total, seen = 0, set[tuple[int, int]]()
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                there = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            # Parts share files by links.
            if there.st_nlink == 1 or (there.st_dev, there.st_ino) not in seen:
                seen.add((there.st_dev, there.st_ino))
                total += there.st_size
    return total


def _running(state: State) -> str:
    if state.running:
        return f"runs, pid {state.pid}" if state.pid is not None else "answers"
    return "does not run; it starts when it is needed" if state.bytes is not None else "there is no store yet"


def _connections(port: int) -> int | None:
    """Connections to a port of this machine, as Linux tells them."""
    found = 0
    try:
        for name in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in pathlib.Path(name).read_text().splitlines()[1:]:
                fields = line.split()
                found += fields[1].rpartition(":")[2] == f"{port:04X}" and fields[3] == _ESTABLISHED
    except (OSError, IndexError):
        return None
    return found
