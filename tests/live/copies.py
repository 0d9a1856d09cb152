"""Whether the narrow copies have what their tables have: all of it, of the newest versions, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from agentstore import AsyncClickHouseStore
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.write.narrow import NARROW, Narrow
from tests.live.connections import connected

_SHOWN = 5


async def differences(store: AsyncClickHouseStore) -> list[str]:
    """Rows of the store's database that only a table has, or only its copy, in words; none where all is well.

    For a database at rest: it waits for inserts that are under way, and not for those that nobody has sent yet.
    """
    found = []
    async with connected(store) as connection:
        await _rest(connection)
        for copy in NARROW:
            for where, query in _only_in_one(copy):
                rows = list(zip(*await connection.fetch(query, {"max_threads": 1}, 60), strict=True))
                found += [f"only in {where}: {row}" for row in rows]
    return found


def _only_in_one(copy: Narrow) -> list[tuple[str, Sql]]:
    columns = join(", ", map(identifier, copy.columns))
    table = sql("SELECT {row} FROM {table} FINAL", row=copy.row, table=identifier(copy.of.name))
    own = sql("SELECT {columns} FROM {copy} FINAL", columns=columns, copy=identifier(copy.name))
    query = "SELECT * FROM ({one} EXCEPT {other}) LIMIT {shown}"
    return [
        (f"{copy.of.name}, not in {copy.name}", sql(query, one=table, other=own, shown=_SHOWN)),
        (f"{copy.name}, not in {copy.of.name}", sql(query, one=own, other=table, shown=_SHOWN)),
    ]


def uncopied(copy: Narrow, columns: Sql) -> Sql:
    """The query for these columns of the rows of a table, of all versions, that its copy has not, nor newer ones."""
    return sql(
        "SELECT {columns} FROM (SELECT *, {key} FROM {table}) AS rows LEFT ANY JOIN"
        " (SELECT {names}, max(_version) AS copied FROM {copy} GROUP BY {names}) AS copies USING ({names})"
        " WHERE _version > copied",
        columns=columns,
        key=join(", ", (copy.columns[name] for name in copy.key)),
        table=identifier(copy.of.name),
        names=join(", ", map(identifier, ("org_id", *copy.key))),
        copy=identifier(copy.name),
    )


async def _rest(connection: NativeConnection) -> None:
    """Returns when no insert into this database is under way: its row is stored before its copy is."""
    running: Any = 1
    async with asyncio.timeout(60):
        while running:
            query = sql(
                "SELECT count() FROM system.processes"
                " WHERE query_kind = 'Insert' AND current_database = currentDatabase()"
            )
            ((running,),) = await connection.fetch(query, {}, 60)
