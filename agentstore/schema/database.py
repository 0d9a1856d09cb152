"""The store's database: created where it does not exist, or dropped and created again."""

from __future__ import annotations

import asyncio
import os

from agentstore.connection.dial import Dialer
from agentstore.connection.sql import Sql, sql
from agentstore.errors import QueryError, SchemaError
from agentstore.protocols import Columns
from agentstore.schema.cluster import check_cluster
from agentstore.schema.fitness import HINT, Fetch
from agentstore.schema.plan import create_database, drop_database
from agentstore.settings import ConnectOptions

_MAY_NOT_CREATE = frozenset({164, 497})  # READONLY, ACCESS_DENIED


async def create_database_if_missing(dialer: Dialer) -> None:
    """Create the options' database, if the node does not have it; refuse a cluster that cannot be used.

    Connects to ``default``: hosted servers check the database at the handshake. A database that is there is not created
    again: with a cluster that would ask every node, and wait minutes for one that is down.
    """
    options = dialer.options
    connection = await dialer.connect("default")

    async def fetch(query: Sql) -> Columns:
        return await connection.fetch(query, {}, timeout=options.query_timeout_seconds)

    try:
        await check_cluster(fetch, options.cluster)
        if not await _exists(fetch, options.database):
            await _create(fetch, options)
    finally:
        # Of no pool: nobody else would close it.
        await connection.close()


async def check_local_store(options: ConnectOptions) -> None:
    """Refuse a local store that is not there: connecting to it would make an empty one."""
    path = options.local_path
    if path and not await asyncio.to_thread(_holds_something, path):
        raise SchemaError(f"there is no local store at {path}", hint=HINT)


def _holds_something(path: str) -> bool:
    try:
        return bool(os.listdir(os.path.expanduser(path)))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # it is there, or no path at all: whoever connects says what is wrong with it
        return True


async def drop_and_create_database(dialer: Dialer) -> None:
    """Drop the options' database with everything in it and create it again, empty."""
    options = dialer.options
    connection = await dialer.connect("default")
    try:
        for statement in (
            drop_database(options.database, options.cluster),
            create_database(options.database, options.cluster),
        ):
            await connection.fetch(statement, {}, timeout=options.query_timeout_seconds)
    finally:
        await connection.close()


async def _create(fetch: Fetch, options: ConnectOptions) -> None:
    try:
        await fetch(create_database(options.database, options.cluster))
    except QueryError as error:
        if error.code not in _MAY_NOT_CREATE:
            raise
        raise SchemaError(
            f"the database {options.database!r} does not exist, and {options.user!r} may not create it"
        ) from error


async def _exists(fetch: Fetch, database: str) -> bool:
    columns = await fetch(sql("SELECT count() FROM system.databases WHERE name = {name}", name=database))
    return bool(columns[0][0])
