"""A connection of a store's own kind, for questions that the store has no method for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from agentstore import AsyncClickHouseStore
from agentstore.connection.dial import dial
from agentstore.connection.driver import NativeConnection


@contextlib.asynccontextmanager
async def connected(store: AsyncClickHouseStore) -> AsyncIterator[NativeConnection]:
    """Connected to the store's database, closed at the end."""
    connection = await dial(store.options, store.options.database)
    try:
        yield connection
    finally:
        await connection.close()
