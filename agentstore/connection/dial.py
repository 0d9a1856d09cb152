"""From options to a connection: one of the servers named, or the local store's, started if it does not run."""

from __future__ import annotations

from agentstore.connection.driver import NativeConnection
from agentstore.connection.failover import Failover
from agentstore.connection.pool import Pool
from agentstore.connection.sql import sql
from agentstore.connection.turns import Turns
from agentstore.errors import AgentStoreError, ConnectionFailedError, QueryError, SchemaError
from agentstore.local.handle import acquire
from agentstore.schema.fitness import Fetch, explained
from agentstore.schema.plan import create_database, drop_database
from agentstore.settings import ConnectOptions

# A local server may end between being found and being asked: it was idle. The next one is started at once.
_LOCAL_ATTEMPTS = 5
_MAY_NOT_CREATE = frozenset({164, 497})  # READONLY, ACCESS_DENIED


def new_pool(options: ConnectOptions, failover: Failover | None = None, *, size: int | None = None) -> Pool:
    """A pool of connections to the database of the options, ``pool_size`` of them or ``size``. No I/O.

    ``failover`` is what is known of the hosts: one for all that one store connects.
    """
    known = failover or Failover(options)
    turns = Turns(
        size or options.pool_size,
        wait_seconds=options.pool_timeout_seconds,
        what="connections",
        hint=f"pool_size={options.pool_size}, pool_timeout_seconds={options.pool_timeout_seconds:g}",
    )

    async def connect() -> NativeConnection:
        return await dial(options, options.database, known)

    async def explain(fetch: Fetch, error: AgentStoreError) -> AgentStoreError:
        return await explained(fetch, error, options.database)

    return Pool(
        connect,
        turns=turns,
        idle_timeout=options.idle_timeout_seconds,
        query_timeout=options.query_timeout_seconds,
        explain=explain,
    )


async def dial(options: ConnectOptions, database: str, failover: Failover | None = None) -> NativeConnection:
    """One connection to one database, of any of the hosts; ``failover`` is what is known of them."""
    if not options.local_path:
        return await (failover or Failover(options)).connect(database)
    attempts = _LOCAL_ATTEMPTS
    while True:
        found = await acquire(options.local_path, fsync=options.fsync)
        try:
            return await NativeConnection.connect(
                host=found.host,
                port=found.port,
                user=found.user,
                password=found.password,
                database=database,
                secure=options.secure,
                verify=options.verify,
                ca_certs=options.ca_certs,
                compression=options.compression,
                connect_timeout=options.connect_timeout_seconds,
            )
        except ConnectionFailedError as error:
            attempts -= 1
            if not attempts or not error.retriable:
                raise


async def create_database_if_missing(options: ConnectOptions, failover: Failover | None = None) -> None:
    """Create the options' database. Connects to ``default``: hosted servers check the database at the handshake.

    Where the user may not create databases, the one that exists is used.
    """
    connection = await dial(options, "default", failover)
    try:
        await connection.fetch(
            create_database(options.database, options.cluster), {}, timeout=options.query_timeout_seconds
        )
    except QueryError as error:
        if error.code not in _MAY_NOT_CREATE:
            raise
        if not await _exists(connection, options):
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


async def _exists(connection: NativeConnection, options: ConnectOptions) -> bool:
    columns = await connection.fetch(
        sql("SELECT count() FROM system.databases WHERE name = {name}", name=options.database),
        {},
        timeout=options.query_timeout_seconds,
    )
    return bool(columns[0][0])
