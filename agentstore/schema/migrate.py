"""Applies the plan to a database."""

from __future__ import annotations

from agentstore.connection.sql import sql
from agentstore.protocols import Executor
from agentstore.schema.fitness import recorded, server_version
from agentstore.schema.plan import Migration, load_migrations, migrations_table, pending

# For statements that read a whole table, like the one that fills another with what is stored.
_STATEMENT_SECONDS = 6 * 3600.0


async def ensure_schema(executor: Executor, *, cluster: str = "") -> list[int]:
    """Bring the database to the current schema and return the versions applied.

    Each migration is applied once and recorded with its checksum. Running it again, or in two processes at once, is
    harmless; one that was interrupted is finished by the next call. A database that is newer than the library, or whose
    recorded migrations were edited, is refused with ``SchemaError`` before anything is changed.
    """
    applied = await _recorded(executor, cluster)
    # All of it is decided before anything is changed: `pending` refuses a database that is newer, or was edited.
    todo = pending(load_migrations(), applied, await server_version(executor.fetch))
    for migration in todo:
        await _apply(executor, migration, cluster)
    return [migration.version for migration in todo]


async def _recorded(executor: Executor, cluster: str) -> dict[int, str]:
    """What the database has recorded. Looked at first: on a cluster, a statement that creates what is there already
    would wait for every node all the same, and one that is down would stop every call for minutes."""
    if await executor.fetch(sql("EXISTS TABLE schema_migrations")) == [(1,)]:
        return await recorded(executor.fetch)
    await executor.execute(migrations_table(cluster))
    return await recorded(executor.fetch)


async def _apply(executor: Executor, migration: Migration, cluster: str) -> None:
    for statement in migration.statements(cluster):
        await executor.execute(statement, timeout_seconds=_STATEMENT_SECONDS)
    # Recorded last: what is cut off before this is applied again, and each of its statements is harmless twice.
    await executor.execute(
        sql(
            "INSERT INTO schema_migrations (version, name, checksum) SELECT {version}, {name}, {checksum}",
            version=migration.version,
            name=migration.name,
            checksum=migration.checksum,
        )
    )
