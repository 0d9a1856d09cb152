"""Stores in a state that commands have to say something about."""

from __future__ import annotations

import asyncio

from agentstore import AsyncClickHouseStore
from agentstore.connection.dial import dial
from agentstore.connection.sql import Sql
from agentstore.settings import resolve_target


def make_newer(dsn: str) -> None:
    """As a later version of the library would leave it."""

    async def change() -> None:
        async with AsyncClickHouseStore(dsn) as store:
            await store.ensure_schema()

    asyncio.run(change())
    execute(dsn, "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'of_tomorrow', 'x')")


def execute(dsn: str, *statements: str) -> None:
    """Carry out statements in the store's database."""

    async def all_of_them() -> None:
        options = resolve_target(dsn, {})
        connection = await dial(options, options.database)
        try:
            for one in statements:
                await connection.fetch(Sql(one), {}, timeout=60)
        finally:
            await connection.close()

    asyncio.run(all_of_them())
