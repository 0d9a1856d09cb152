"""One question a second to the store, however many watch; none where nobody does.

Just after a large import the question takes long (``AsyncClickHouseStore.changes``). It may take a fifth of the time:
then it is asked less often, and what is new is told some seconds later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable

import msgspec

from agentstore.models import Changes
from agentstore.store import AsyncClickHouseStore

_logger = logging.getLogger("agentstore.web")
_SECONDS = 1.0
# So many times as long as an answer took it is not asked again, but no longer than this.
_REST, _LONGEST_REST = 4, 5.0
# A tab that sleeps does not hold more than this: told that too much has changed it asks for all anew.
_MOST_IDS = 500


class News(msgspec.Struct, frozen=True):
    """What has changed since the last time. ``many``: more than is listed. ``away``: the store does not answer."""

    session_ids: list[str] = msgspec.field(default_factory=list)
    deleted_session_ids: list[str] = msgspec.field(default_factory=list)
    many: bool = False
    away: bool = False


class _Watcher:
    """What one stream has still to be told."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self.deleted: set[str] = set()
        self.away: bool | None = None
        self.something = asyncio.Event()

    def tell(self, changes: Changes) -> None:
        self.deleted.update(changes.deleted_session_ids)
        self.changed.update(changes.session_ids)
        self.changed -= self.deleted - set(changes.session_ids)
        self.deleted -= set(changes.session_ids)
        self.something.set()

    def tell_away(self, away: bool) -> None:
        self.away = away
        self.something.set()

    def taken(self) -> News:
        many = len(self.changed) + len(self.deleted) > _MOST_IDS
        news = News([], [], many) if many else News(sorted(self.changed), sorted(self.deleted))
        news = msgspec.structs.replace(news, away=bool(self.away))
        self.changed, self.deleted = set(), set()
        self.something.clear()
        return news


class Hub:
    """The streams of all organisations of a store."""

    def __init__(
        self,
        store: AsyncClickHouseStore,
        *,
        seconds: float = _SECONDS,
        on_news: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        # Of an organisation, before anybody else is told: who is may ask at once for what is new. And when somebody
        # begins to watch it.
        self._on_news = on_news
        self._seconds = seconds
        self._watchers: dict[str, set[_Watcher]] = {}
        self._pollers: dict[str, asyncio.Task[None]] = {}
        # Organisations of which it is known where things stand, and whether their store is away.
        self._away: dict[str, bool] = {}
        self._ended = asyncio.Event()

    @property
    def watching(self) -> int:
        """How many streams there are."""
        return sum(len(one) for one in self._watchers.values())

    def end(self) -> None:
        """All streams end now, and none begins any more. To be called on the event loop."""
        self._ended.set()
        for task in self._pollers.values():
            task.cancel()

    async def news(self, org: str, *, quiet_seconds: float = 15.0) -> AsyncGenerator[News | None]:
        """What changes in an organisation from now on; None now and then where nothing does, to keep a line open.

        The first news may be empty: from it on nothing is missed.
        """
        watcher = _Watcher()
        if org in self._away:
            watcher.tell_away(self._away[org])
        self._watchers.setdefault(org, set()).add(watcher)
        if org not in self._pollers and not self._ended.is_set():
            self._pollers[org] = asyncio.create_task(self._poll(org))
        try:
            while not self._ended.is_set():
                if await self._waited(watcher, quiet_seconds):
                    yield watcher.taken()
                elif not self._ended.is_set():
                    yield None
        finally:
            self._leave(org, watcher)

    async def _waited(self, watcher: _Watcher, seconds: float) -> bool:
        """Whether there is something to tell before that time, and before all ends."""
        waits = [asyncio.ensure_future(one.wait()) for one in (watcher.something, self._ended)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return watcher.something.is_set() and not self._ended.is_set()
        finally:
            for one in waits:
                one.cancel()

    def _leave(self, org: str, watcher: _Watcher) -> None:
        watchers = self._watchers[org]
        watchers.discard(watcher)
        if not watchers:
            del self._watchers[org]
            if (task := self._pollers.pop(org, None)) is not None:
                task.cancel()
            self._away.pop(org, None)

    async def _poll(self, org: str) -> None:
        since: Changes | None = None
        while True:
            began, rest = time.monotonic(), self._seconds
            try:
                found = await self._store.changes(org, since)
                rest = rest_after(time.monotonic() - began, least=self._seconds)
                self._tell_away(org, False)
                # The first answer is where things stand: nothing of it is new, but what was asked for before it may be
                # older, and nobody will be told.
                is_news = bool(found.session_ids or found.deleted_session_ids)
                if since is None or is_news:
                    self._on_news(org)
                if since is not None and is_news:
                    for watcher in self._watchers.get(org, ()):
                        watcher.tell(found)
                since = found
            # Whatever it is: without this task nobody would be told anything any more.
            except Exception as error:
                if not self._away.get(org):
                    _logger.warning("what is new cannot be asked for: %s", error)
                self._tell_away(org, True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), rest)
                return

    def _tell_away(self, org: str, away: bool) -> None:
        if self._away.get(org) is away:
            return
        self._away[org] = away
        for watcher in self._watchers.get(org, ()):
            watcher.tell_away(away)


def rest_after(took: float, *, least: float = _SECONDS) -> float:
    """How many seconds after an answer the next question is asked. Where there was none there is nothing to spare."""
    return max(least, min(_LONGEST_REST, _REST * took))
