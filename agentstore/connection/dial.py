"""From options to a connection: a server by its address, or the local store's, started if it does not run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agentstore.connection.driver import NativeConnection
from agentstore.connection.pool import Pool
from agentstore.connection.profile import Profiles
from agentstore.connection.sql import Sql, sql
from agentstore.errors import AgentStoreError, ConfigError, ConnectionFailedError, QueryError, SchemaError
from agentstore.protocols import Columns
from agentstore.schema.cluster import check_cluster
from agentstore.schema.fitness import Fetch, explained
from agentstore.schema.plan import create_database, drop_database
from agentstore.settings import ConnectOptions

if TYPE_CHECKING:
    from agentstore.local.endpoint import Endpoint

# A local server may end between being found and being asked: it was idle. The next one is started at once.
_LOCAL_ATTEMPTS = 5
_MAY_NOT_CREATE = frozenset({164, 497})  # READONLY, ACCESS_DENIED


def new_pool(options: ConnectOptions, profiles: Profiles | None = None) -> Pool:
    """A pool of connections to the database of the options. No I/O."""
    known = profiles or Profiles(options)

    async def connect() -> NativeConnection:
        return await dial(options, options.database, known)

    async def explain(fetch: Fetch, error: AgentStoreError) -> AgentStoreError:
        return await explained(fetch, error, options.database)

    return Pool(
        connect,
        size=options.pool_size,
        idle_timeout=options.idle_timeout_seconds,
        query_timeout=options.query_timeout_seconds,
        explain=explain,
    )


async def dial(options: ConnectOptions, database: str, profiles: Profiles | None = None) -> NativeConnection:
    """One connection to one database of the server, whatever its user's profile says."""
    profiles = profiles or Profiles(options)
    if not options.local_path:
        host, port, user, password = options.host, options.native_port, options.user, options.password
        return await _connect(options, host, port, user, password, database, profiles)
    acquire = _local_acquire()
    attempts = _LOCAL_ATTEMPTS
    while True:
        found = await acquire(options.local_path, fsync=options.fsync)
        try:
            return await _connect(options, found.host, found.port, found.user, found.password, database, profiles)
        except ConnectionFailedError as error:
            attempts -= 1
            if not attempts or not error.retriable:
                raise


def _local_acquire() -> Callable[..., Awaitable[Endpoint]]:
    """What finds or starts a local server. Imported here, not above: it needs what only POSIX systems have."""
    try:
        from agentstore.local.handle import acquire
    except ImportError as error:
        raise ConfigError(
            f"a local store cannot be used on this system: {error}", hint="connect to a server with clickhouse://…"
        ) from error
    return acquire


async def create_database_if_missing(options: ConnectOptions, profiles: Profiles | None = None) -> None:
    """Create the options' database, if the node does not have it; refuse a cluster that cannot be used.

    Connects to ``default``: hosted servers check the database at the handshake. A database that is there is not created
    again: with a cluster that would ask every node, and wait minutes for one that is down.
    """
    connection = await dial(options, "default", profiles)

    async def fetch(query: Sql) -> Columns:
        return await connection.fetch(query, {}, timeout=options.query_timeout_seconds)

    try:
        await check_cluster(fetch, options.cluster)
        if await _exists(fetch, options):
            return
        await fetch(create_database(options.database, options.cluster))
    except QueryError as error:
        if error.code not in _MAY_NOT_CREATE:
            raise
        raise SchemaError(
            f"the database {options.database!r} does not exist, and {options.user!r} may not create it"
        ) from error
    finally:
        await connection.close()


async def drop_and_create_database(options: ConnectOptions) -> None:
    """Drop the options' database with everything in it and create it again, empty."""
    connection = await dial(options, "default")
    try:
        for statement in (
            drop_database(options.database, options.cluster),
            create_database(options.database, options.cluster),
        ):
            await connection.fetch(statement, {}, timeout=options.query_timeout_seconds)
    finally:
        await connection.close()


async def _exists(fetch: Fetch, options: ConnectOptions) -> bool:
    columns = await fetch(sql("SELECT count() FROM system.databases WHERE name = {name}", name=options.database))
    return bool(columns[0][0])


async def _connect(
    options: ConnectOptions, host: str, port: int, user: str, password: str, database: str, profiles: Profiles
) -> NativeConnection:
    connection = await NativeConnection.connect(
        host=host,
        port=port,
        user=user,
        password=password,
        database=database,
        secure=options.secure,
        verify=options.verify,
        ca_certs=options.ca_certs,
        compression=options.compression,
        connect_timeout=options.connect_timeout_seconds,
    )
    try:
        await profiles.fit(connection, f"{host}:{port}", user)
    except BaseException:
        connection.abort()
        raise
    return connection
