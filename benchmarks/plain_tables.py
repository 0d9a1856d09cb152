"""The plain tables to compare with: the same rows and sort keys, with the settings a first, straightforward store has.

Strings as they are, granules of 8,192 rows, no index but the sort key. They stand in a database of their own on the
same server, filled from agentstore's tables with every version and tombstone.
"""

from __future__ import annotations

import asyncio

import msgspec

from agentstore import ConnectOptions
from agentstore.connection.dial import Dialer, new_pool
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.schema.database import create_database_if_missing

SORT_KEYS = {
    "sessions": "org_id, id",
    "messages": "org_id, session_id, ordinal",
    "tool_calls": "org_id, session_id, message_ordinal, tool_use_id, call_index",
    "git_links": "org_id, session_id, commit_sha, pr_url",
    "session_deletes": "org_id, session_id",
}


def options_of(options: ConnectOptions) -> ConnectOptions:
    """How the database of plain tables beside this one is reached."""
    return msgspec.structs.replace(options, database=f"{options.database}_plain")


async def fill(options: ConnectOptions, *, merge: bool) -> None:
    """Make the plain tables if they are missing, and copy the rows they lack yet."""
    plain = options_of(options)
    await create_database_if_missing(Dialer(plain))
    pool = new_pool(plain)
    try:
        for table, sort_key in SORT_KEYS.items():
            await pool.execute(await _create(pool, options.database, table, sort_key))
            await pool.execute(
                sql(
                    "INSERT INTO {table} SELECT * FROM {database}.{table}"
                    " WHERE _version > (SELECT max(_version) FROM {table})",
                    table=Sql(table),
                    database=identifier(options.database),
                )
            )
            if merge:
                await merge_parts(pool, table)
    finally:
        await pool.aclose()


async def merge_parts(pool: Pool, table: str) -> None:
    """Merge a table into one part. OPTIMIZE returns without a word where a merge that runs already is in its way."""
    while await _parts(pool, table) > 1:
        # Else a statement that waited for a merge under way would merge its one part once more.
        skip = {"optimize_skip_merged_partitions": 1}
        await pool.execute(sql("OPTIMIZE TABLE {table} FINAL", table=identifier(table)), skip)
        await asyncio.sleep(0.5)


async def _parts(pool: Pool, table: str) -> int:
    query = "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = {table}"
    ((count,),) = await pool.fetch(sql(query, table=table))
    return int(count)


async def drop(options: ConnectOptions) -> None:
    """Remove the plain tables: the corpus they were copied from is about to go."""
    pool = new_pool(msgspec.structs.replace(options, database="default"))
    try:
        await pool.execute(sql("DROP DATABASE IF EXISTS {name} SYNC", name=identifier(options_of(options).database)))
    finally:
        await pool.aclose()


async def _create(pool: Pool, database: str, table: str, sort_key: str) -> Sql:
    columns = await pool.fetch(
        sql(
            "SELECT name, replaceRegexpOne(type, '^LowCardinality\\\\((.*)\\\\)$', '\\\\1') FROM system.columns"
            " WHERE database = {database} AND table = {table} AND default_kind != 'MATERIALIZED' ORDER BY position",
            database=database,
            table=table,
        )
    )
    definitions = [
        sql("{name} {type}", name=identifier(name), type=Sql(kind)) for name, kind in zip(*columns, strict=True)
    ]
    return sql(
        "CREATE TABLE IF NOT EXISTS {table} ({columns})"
        " ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY ({sort_key})",
        table=Sql(table),
        columns=join(", ", definitions),
        sort_key=Sql(sort_key),
    )
