"""What people have put on sessions and messages: few in number, and needed by every page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from agentstore.models import MessagePin
from agentstore.store import AsyncClickHouseStore
from agentstore.web.keeping import Kept

# Until a mark that was set elsewhere, on the command line or by another server, is seen here.
_SECONDS = 2.0


class Marks(NamedTuple):
    """Stars by user and session, sessions that are hidden, and pins by their session."""

    stars: frozenset[tuple[str, str]]
    hidden: frozenset[str]
    pins: dict[str, list[MessagePin]]


class KnownMarks(Kept[str, Marks]):
    """The marks of each organisation, at most two seconds old. Whoever sets one here forgets them, and what depends on
    them."""

    def __init__(self, store: AsyncClickHouseStore, on_forgotten: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(self._ask_store, _SECONDS)
        self._store = store
        self._on_forgotten = on_forgotten

    def forget(self, key: str) -> None:
        """Of this organisation."""
        super().forget(key)
        self._on_forgotten(key)

    async def _ask_store(self, org: str) -> Marks:
        stars, deletes, pins = await asyncio.gather(
            self._store.list_session_stars(org),
            self._store.list_session_deletes(org),
            self._store.list_message_pins(org),
        )
        by_session: dict[str, list[MessagePin]] = {}
        for pin in pins:
            by_session.setdefault(pin.session_id, []).append(pin)
        return Marks(
            frozenset((one.user_id, one.session_id) for one in stars),
            frozenset(one.session_id for one in deletes),
            by_session,
        )
