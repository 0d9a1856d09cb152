"""Of which version a store's tables are, looked at without changing anything."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import msgspec

from agentstore.cli.terminal.screen import Piece, Screen
from agentstore.connection.dial import dial
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql
from agentstore.errors import QueryError
from agentstore.protocols import Columns
from agentstore.schema.fitness import is_missing, recorded, server_version
from agentstore.schema.plan import Migration, load_migrations, pending
from agentstore.settings import ConnectOptions

Fetch = Callable[[Sql], Awaitable[Columns]]
_UNKNOWN_TABLE = 60


class PendingMigration(msgspec.Struct, frozen=True):
    """A migration that is still to be applied."""

    version: int
    name: str


class SchemaState(msgspec.Struct, frozen=True, kw_only=True):
    """``version``: the newest migration that was applied, 0 where there are no tables. ``newest``: the newest one that
    this library knows. ``pending``: those that ``agentstore schema upgrade`` applies. ``waiting``: those that wait for
    a newer server. ``newer``: the tables are of a later library."""

    database: str
    version: int = 0
    newest: int = 0
    pending: list[PendingMigration] = []
    waiting: list[PendingMigration] = []
    newer: bool = False


async def schema_of(options: ConnectOptions) -> SchemaState | None:
    """The state of the store's tables; None where a local store does not exist."""
    if options.local_path and not is_there(options.local_path):
        return None
    try:
        async with connected(options, options.database) as fetch:
            return await state_of(fetch, options.database)
    except QueryError as error:
        if not is_missing(error):
            raise
    migrations = load_migrations()
    return SchemaState(database=options.database, newest=len(migrations), pending=_named(migrations))


def is_there(path: str) -> bool:
    """Whether there is something where a local store is to be."""
    return os.path.exists(os.path.expanduser(path))


async def state_of(fetch: Fetch, database: str) -> SchemaState:
    """The same over a connection to the database. ``SchemaError`` where a migration was edited."""
    migrations = load_migrations()
    try:
        applied = await recorded(fetch)
    except QueryError as error:
        if error.code != _UNKNOWN_TABLE:
            raise
        applied = {}
    newest, version = len(migrations), max(applied, default=0)
    if version > newest:
        return SchemaState(database=database, version=version, newest=newest, newer=True)
    todo = pending(migrations, applied, await server_version(fetch))
    numbers = {one.version for one in todo}
    waiting = [one for one in pending(migrations, applied) if one.version not in numbers]
    return SchemaState(database=database, version=version, newest=newest, pending=_named(todo), waiting=_named(waiting))


def show_schema(screen: Screen, state: SchemaState) -> None:
    """For people."""
    screen.fold(Piece("database ", "dim"), state.database)
    screen.fold(Piece("version  ", "dim"), f"{state.version} of {state.newest}")
    for one in state.pending:
        screen.fold(Piece("pending  ", "yellow"), f"{one.version:04d} {one.name}")
    for one in state.waiting:
        screen.fold(Piece("waiting  ", "dim"), f"{one.version:04d} {one.name}, for a newer server")
    if state.pending:
        screen.fold("agentstore schema upgrade applies them", style="dim")


@contextlib.asynccontextmanager
async def connected(options: ConnectOptions, database: str) -> AsyncIterator[Fetch]:
    """What asks a server, over one connection. What the library would warn of is told by who asks."""
    logger = logging.getLogger("agentstore")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    connection: NativeConnection = await dial(options, database)

    async def fetch(query: Sql) -> Columns:
        return await connection.fetch(query, {}, options.query_timeout_seconds)

    try:
        yield fetch
    finally:
        await connection.close()


def _named(migrations: Iterable[Migration]) -> list[PendingMigration]:
    return [PendingMigration(one.version, one.name) for one in migrations]
