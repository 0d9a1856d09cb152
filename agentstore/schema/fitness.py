"""Whether a refusal comes from the schema: tables that are not there, or a database older or newer than the library.

Asked only after a refusal that may mean it, so that what works pays nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agentstore.connection.sql import Sql, sql
from agentstore.errors import AgentStoreError, QueryError, SchemaError
from agentstore.protocols import Columns
from agentstore.schema.plan import load_migrations, pending

Fetch = Callable[[Sql], Awaitable[Columns]]

HINT = "await store.ensure_schema()"

# NO_SUCH_COLUMN_IN_TABLE, UNKNOWN_IDENTIFIER, UNKNOWN_TABLE, UNKNOWN_DATABASE
_UNKNOWN_TABLE, _UNKNOWN_DATABASE = 60, 81
_CODES = frozenset({16, 47, _UNKNOWN_TABLE, _UNKNOWN_DATABASE})


async def recorded(fetch: Fetch) -> dict[int, str]:
    """The migrations that the database has recorded, with their checksums."""
    columns = await fetch(sql("SELECT version, checksum FROM schema_migrations FINAL ORDER BY version"))
    return dict(zip(*columns, strict=True)) if columns else {}


async def server_version(fetch: Fetch) -> tuple[int, int]:
    """Major and minor number of the server."""
    ((version,),) = await fetch(sql("SELECT version()"))
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


async def explained(fetch: Fetch, error: AgentStoreError, database: str) -> AgentStoreError:
    """``SchemaError`` with the way out, where the refusal comes from the schema; else the error as it is.

    A database that has everything recorded and lacks a table all the same was altered by hand: then the server's own
    words say more.
    """
    if isinstance(error, QueryError) and error.code not in _CODES:
        return error
    if is_missing(error):
        return _missing(database)
    try:
        applied = await recorded(fetch)
        needed = pending(load_migrations(), applied, await server_version(fetch))
    except QueryError as refusal:
        if is_missing(refusal):
            return _missing(database)
        return _empty(database) if refusal.code == _UNKNOWN_TABLE else error
    # From `pending`: the database is newer than the library, or its migrations were edited.
    except SchemaError as other:
        return other
    except AgentStoreError:
        return error
    if not applied:
        return _empty(database)
    return _older(database, max(applied), needed[-1].version) if needed else error


def is_missing(error: BaseException | None) -> bool:
    """Whether the error says that the database does not exist."""
    return isinstance(error, QueryError) and error.code == _UNKNOWN_DATABASE


def _missing(database: str) -> SchemaError:
    return SchemaError(f"the database {database!r} does not exist any more", hint=HINT)


def _empty(database: str) -> SchemaError:
    return SchemaError(f"the database {database!r} has no tables of agentstore", hint=HINT)


def _older(database: str, version: int, needed: int) -> SchemaError:
    return SchemaError(
        f"the database {database!r} is older than this library: it is at schema version {version}, not {needed}",
        hint=HINT,
    )
