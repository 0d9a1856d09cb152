"""From options to a connection: one of the servers named, or the local store's, started if it does not run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from agentstore.connection.driver import NativeConnection
from agentstore.connection.failover import Failover
from agentstore.connection.hosts import Address
from agentstore.connection.pool import Explain, Pool, as_it_is
from agentstore.connection.profile import Profiles
from agentstore.connection.turns import Turns
from agentstore.errors import ConfigError, ConnectionFailedError
from agentstore.settings import ConnectOptions, Host

if TYPE_CHECKING:
    from agentstore.local.directory.endpoint import Endpoint

# A local server may end between being found and being asked: it was idle. The next one is started at once.
_LOCAL_ATTEMPTS = 5


class Dialer:
    """How one store reaches its servers: what it knows of them is known to all its connections."""

    def __init__(self, options: ConnectOptions) -> None:
        self.options = options
        self.profiles = Profiles(options)
        self.failover = Failover(options, self._fit)

    async def connect(self, database: str) -> NativeConnection:
        """A connection to one database, of any of the hosts, that means the same whatever its user's profile says."""
        if self.options.local_path:
            return await self._connect_locally(database)
        return await self.failover.connect(database)

    async def _fit(self, connection: NativeConnection, address: Address) -> None:
        await self.profiles.fit(connection, str(address), self.options.user)

    async def _connect_locally(self, database: str) -> NativeConnection:
        acquire, options = _local_acquire(), self.options
        attempts = _LOCAL_ATTEMPTS
        while True:
            # Anew for each attempt: a server that ended took its port and its password with it.
            found = await acquire(options.local_path, fsync=options.fsync)
            try:
                return await self._connect_to(found, database)
            except ConnectionFailedError as error:
                attempts -= 1
                if not attempts or not error.retriable:
                    raise

    async def _connect_to(self, found: Endpoint, database: str) -> NativeConnection:
        options = msgspec.structs.replace(self.options, user=found.user, password=found.password)
        connection = await NativeConnection.connect(
            options, Host(found.host, found.port), database, seconds=options.connect_timeout_seconds
        )
        try:
            await self.profiles.fit(connection, f"{found.host}:{found.port}", found.user)
        except BaseException:
            # Also where this is cancelled: nobody else knows of the connection, and its socket would stay open.
            connection.abort()
            raise
        return connection


async def dial(options: ConnectOptions, database: str) -> NativeConnection:
    """One connection to one database, for whoever has no pool."""
    return await Dialer(options).connect(database)


def new_pool(
    options: ConnectOptions, dialer: Dialer | None = None, *, size: int | None = None, explain: Explain = as_it_is
) -> Pool:
    """A pool of connections to the database of the options, ``pool_size`` of them or ``size``. No I/O.

    ``explain`` says what a refusal means; whoever knows the tables that should be there gives it.
    """
    known = dialer or Dialer(options)
    turns = Turns(
        size or options.pool_size,
        wait_seconds=options.pool_timeout_seconds,
        what="connections",
        hint=f"pool_size={options.pool_size}, pool_timeout_seconds={options.pool_timeout_seconds:g}",
    )

    async def connect() -> NativeConnection:
        return await known.connect(options.database)

    return Pool(
        connect,
        turns=turns,
        idle_timeout=options.idle_timeout_seconds,
        query_timeout=options.query_timeout_seconds,
        explain=explain,
    )


def _local_acquire() -> Callable[..., Awaitable[Endpoint]]:
    """What finds or starts a local server. Imported here, not above: it needs what only POSIX systems have."""
    try:
        from agentstore.local.client.acquire import acquire
    except ImportError as error:
        raise ConfigError(
            f"a local store cannot be used on this system: {error}", hint="connect to a server with clickhouse://…"
        ) from error
    return acquire
