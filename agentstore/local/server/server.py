"""The local server: a ClickHouse for native-protocol clients, in this process, over a directory."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import resource
from concurrent.futures import ThreadPoolExecutor

from agentstore.local.engine.engine import Engine
from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol import packets
from agentstore.local.sandbox.detach import detach_outside
from agentstore.local.sandbox.sandbox import Sandbox
from agentstore.local.server.channel import Channel
from agentstore.local.server.connection import Connection
from agentstore.local.server.context import ServerContext
from agentstore.local.server.memory_budget import Budget

logger = logging.getLogger("agentstore.local")

MAX_PACKET_BYTES = 1 << 30
HANDSHAKE_TIMEOUT_SECONDS = 10.0
# How much all clients together may make this process hold for them: see ``compressed_frames`` and ``outgoing``.
FRAMES_BYTES = 256 << 20
RESULTS_BYTES = 256 << 20
MAX_CONNECTIONS = 4096
# How often the disk is looked at: a system call, and a write of a full second fits into the reserve of most disks.
TEND_SECONDS = 1.0


class LocalServer:
    """Serves the ClickHouse engine at ``path`` to native-protocol clients.

    Every statement that was answered is on disk, also after this process is killed. An INSERT takes effect only once
    its last block has arrived. One server per process: the engine can open one path. ``start`` and ``aclose`` are
    called once, on the same event loop. A client can end its own connection by what it sends, never the server.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        user: str = "default",
        password: str = "",
        max_packet_bytes: int = MAX_PACKET_BYTES,
        handshake_timeout_seconds: float = HANDSHAKE_TIMEOUT_SECONDS,
        fsync: bool = False,
        allow_external: bool = False,
        max_connections: int | None = None,
    ) -> None:
        """With ``allow_external`` statements may reach files, other hosts and programs, as this process may.

        Does no I/O. Raises ValueError for a host other machines can reach without a password."""
        if not 0 <= port <= 65535:
            raise ValueError(f"port {port} is not between 0 and 65535")
        if not password and not _is_loopback(host):
            raise ValueError(f"listening on {host!r}, which other machines can reach, needs a password")
        self._path = os.fspath(path)
        if "?" in self._path:
            raise ValueError(f"the engine cannot open a path with a question mark: {self._path!r}")
        self._address = (host, port)
        self._user = user
        self._password = password
        self._max_packet_bytes = max_packet_bytes
        self._handshake_timeout = handshake_timeout_seconds
        self._allow_external = allow_external
        self._max_connections = max_connections or _connections_allowed()
        self._engine = Engine(self._path, fsync=fsync)
        self._control = ThreadPoolExecutor(1, thread_name_prefix="agentstore-control")
        self._helpers = ThreadPoolExecutor(2, thread_name_prefix="agentstore-helper")
        self._host: ServerContext | None = None
        self._server: asyncio.Server | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._count = 0
        self._authenticated = 0
        self._idle_since: float | None = None
        self._tending: asyncio.Task[None] | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<LocalServer {self._path!r} connections={self._authenticated}>"

    @property
    def port(self) -> int:
        """The port bound by ``start``."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the server is not listening")
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    @property
    def connection_count(self) -> int:
        """How many authenticated connections are open."""
        return self._authenticated

    @property
    def idle_since(self) -> float | None:
        """The loop's time since which no authenticated connection was open; None while one is, or before ``start``."""
        return self._idle_since

    async def start(self) -> None:
        """Open the engine and listen. Raises EngineError or OSError; nothing is left open then."""
        loop = asyncio.get_running_loop()
        try:
            info = await loop.run_in_executor(self._control, self._engine.open)
            sandbox = None if self._allow_external else await loop.run_in_executor(self._control, self._make_sandbox)
            self._host = ServerContext(
                engine=self._engine,
                info=info,
                display_name="agentstore",
                user=self._user,
                password=self._password,
                max_packet_bytes=self._max_packet_bytes,
                handshake_timeout_seconds=self._handshake_timeout,
                control=self._control,
                helpers=self._helpers,
                frames=Budget(FRAMES_BYTES),
                measuring=asyncio.Lock(),
                results=Budget(RESULTS_BYTES),
                sandbox=sandbox,
            )
            # Last: whoever connects is served, so the engine is open and the sandbox made.
            self._server = await loop.create_server(lambda: Channel(self._accept), *self._address)
        except BaseException:
            # There is nothing left to close: `aclose` after this does nothing.
            self._is_closed = True
            await self._close_engine()
            raise
        self._idle_since = loop.time()
        self._tending = loop.create_task(self._tend())

    def _make_sandbox(self) -> Sandbox:
        connection = self._engine.connect_for_parsing()
        try:
            sandbox = Sandbox(connection)
            for name in detach_outside(sandbox, connection):
                logger.warning("%s reaches outside of the store: it is not there while this server runs", name)
        finally:
            connection.close()
        return sandbox

    async def _tend(self) -> None:
        """Look after the disk for as long as the server runs."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TEND_SECONDS)
            try:
                await loop.run_in_executor(self._control, self._engine.tend)
            except (EngineError, OSError):  # the disk may be gone for now; what is asked of it says so itself
                logger.exception("cannot look after %s", self._path)

    async def aclose(self, *, grace_seconds: float = 5.0) -> None:
        """Stop listening, let running queries end within ``grace_seconds``, cancel the rest, close the engine.

        Nothing is left behind: no thread, socket or task. Closing again does nothing.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if self._server is not None:
            # First, so that nobody new comes in while the others are told to end.
            self._server.close()
        if self._tending is not None:
            self._tending.cancel()
        # A copy: each one that ends takes itself out of the dictionary.
        for connection in tuple(self._connections):
            connection.stop()
        if self._connections:
            _, late = await asyncio.wait(self._connections.values(), timeout=grace_seconds)
            for connection in tuple(self._connections):
                connection.abort()
            if late:
                await asyncio.wait(late)
        # Only when no connection is left: a session of the engine must not outlive it.
        await self._close_engine()

    async def _close_engine(self) -> None:
        # In the control thread, behind every request to end a statement that was made before.
        await asyncio.get_running_loop().run_in_executor(self._control, self._engine.close)
        self._control.shutdown(wait=True)
        self._helpers.shutdown(wait=True)

    def _accept(self, channel: Channel) -> None:
        assert self._host is not None  # listening begins after the engine is open
        if self._is_closed:  # it was let in before the listening ended, but nobody would tell it to end any more
            channel.abort()
            return
        excess = len(self._connections) - self._max_connections
        if excess >= self._max_connections // 4 + 1:  # not even told: too many wait for that already
            channel.abort()
            return
        # Never used twice: a late request to end a statement goes by this number, and must not find another client's.
        self._count += 1
        refusal = packets.exception(202, self._too_many) if excess >= 0 else b""
        connection = Connection(channel, self._host, self._count, self._on_authenticated, refusal)
        task = asyncio.get_running_loop().create_task(connection.run())
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._forget(connection))

    @property
    def _too_many(self) -> str:
        return (
            f"DB::Exception: Too many connections: {self._max_connections} are open. Half of the files this process "
            "may open (ulimit -n) are for connections. (TOO_MANY_SIMULTANEOUS_QUERIES)"
        )

    def _on_authenticated(self) -> None:
        self._authenticated += 1
        self._idle_since = None

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection]
        if connection.authenticated:
            self._authenticated -= 1
            # Only those that have logged in count: a port scan must not keep an idle server alive.
            if self._authenticated == 0:
                self._idle_since = asyncio.get_running_loop().time()


def _connections_allowed() -> int:
    """Half of the files the process may open: the other half is for the engine, which fails without."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if limit == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, max(limit // 2, 1))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
