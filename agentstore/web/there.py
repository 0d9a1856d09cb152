"""Whether there is such a session at all, asked only where that is not known already."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from agentstore.store import AsyncClickHouseStore

T = TypeVar("T")


async def of_session(store: AsyncClickHouseStore, org: str, id: str, read: Awaitable[list[T]]) -> list[T]:
    """What is read of a session; ``NotFoundError`` where there is none: an unknown one has nothing of anything."""
    found = await read
    if not found:
        await store.get_session(org, id)
    return found
