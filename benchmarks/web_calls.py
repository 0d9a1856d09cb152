"""The store calls of the pages that have targets, made by the library itself: what of their time is the store's."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from agentstore import AsyncClickHouseStore, SearchQuery, SessionFilter
from agentstore.web.conversation import windows
from benchmarks import web_viewers as asked
from benchmarks.web_viewers import Aim, Log


class Calls:
    """Calls of one store, in the order and side by side as the handlers of the pages make them."""

    def __init__(self, store: AsyncClickHouseStore, org: str, aim: Aim, log: Log) -> None:
        self._store = store
        self._org = org
        self._aim = aim
        self._log = log
        self._rng = random.Random(0)
        self._older = ""

    async def one(self) -> None:
        """The calls of one kind of request."""
        rng, aim = self._rng, self._aim
        long, any = rng.choice(aim.long_ids), rng.choice(aim.ids)
        project = rng.choice(aim.projects)
        kinds: dict[str, Callable[[], Awaitable[object]]] = {
            asked.LIST: lambda: self._list(SessionFilter()),
            asked.FILTERED: lambda: self._list(SessionFilter(project_id=project)),
            asked.LATER: lambda: self._list(SessionFilter(cursor=self._older)),
            asked.FIRST: lambda: self._window(any),
            asked.LONG: lambda: self._window(long),
            asked.NEXT: lambda: self._window(long, rng.randrange(80)),
            asked.SUBSTRING: lambda: self._search(SearchQuery(query=rng.choice(aim.needles))),
        }
        kind = rng.choice(list(kinds))
        began = time.perf_counter()
        await kinds[kind]()
        self._log.seconds[kind].append(time.perf_counter() - began)

    async def _list(self, filter: SessionFilter) -> None:
        page = await self._store.list_sessions(self._org, filter)
        ids = [one.id for one in page.sessions]
        await self._store.list_children(self._org, ids)
        self._older = page.next_cursor

    async def _window(self, id: str, after: int = -1) -> None:
        store, org = self._store, self._org
        session, outline = await asyncio.gather(store.get_session(org, id), store.session_outline(org, id))
        window = windows.after(outline, after)
        if window.is_empty:
            return
        texts = store.session_window(
            org, id, first_ordinal=window.first, last_ordinal=window.last, max_characters=windows.TEXT
        )
        await asyncio.gather(texts, *([store.get_session_git_links(org, id)] if session.commit_count else []))

    async def _search(self, query: SearchQuery) -> None:
        found = await self._store.search(self._org, query)
        if ids := list({hit.session_id for hit in found.results}):
            await self._store.get_sessions(self._org, ids)
