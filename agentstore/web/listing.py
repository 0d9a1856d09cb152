"""Pages of the list that are asked for again and again: by everybody who watches it, whenever something is new."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agentstore.models import Session, SessionPage
from agentstore.store import AsyncClickHouseStore
from agentstore.web.filters import Asked
from agentstore.web.keeping import Kept

PAGE = 50
_SECONDS = 1.0


class ListKey(NamedTuple):
    """What is asked for, and by whom where that matters."""

    org: str
    asked: Asked
    zone: ZoneInfo
    starred_by: str
    cursor: str


class Listed(NamedTuple):
    """A page, and what came out of its sessions."""

    page: SessionPage
    children: list[Session]


class KnownLists(Kept[ListKey, Listed]):
    """Pages that are at most a second old, and not older than what is told as new or was done here."""

    def __init__(self, store: AsyncClickHouseStore, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(self._ask_store, _SECONDS, clock)
        self._store = store

    def forget_of(self, org: str) -> None:
        """All of this organisation."""
        self.forget_all(lambda key: key.org == org)

    async def _ask_store(self, key: ListKey) -> Listed:
        filter = key.asked.session_filter(key.zone, key.starred_by, cursor=key.cursor, limit=PAGE)
        found = await self._store.list_sessions(key.org, filter)
        ids = [] if key.asked.parent else [one.id for one in found.sessions]
        return Listed(found, await self._store.list_children(key.org, ids) if ids else [])
