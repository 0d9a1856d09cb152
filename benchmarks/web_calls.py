"""The store calls that the pages make, made by the library itself: what of a page's time is the store's."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo

from agentstore import AsyncClickHouseStore, SearchQuery, SessionFilter
from agentstore.web.choices import KnownChoices
from agentstore.web.conversation import windows
from agentstore.web.filters import Asked
from agentstore.web.overview.panels import PANELS, Question
from agentstore.web.overview.scope import scope_of
from benchmarks import web_viewers as asked
from benchmarks.web_viewers import Aim, Log

_ALL_COSTS = 50


class Calls:
    """Calls of one store, in the order and side by side as the handlers of the pages make them."""

    def __init__(self, store: AsyncClickHouseStore, org: str, aim: Aim, log: Log) -> None:
        self._store = store
        self._org = org
        self._aim = aim
        self._log = log
        self._rng = random.Random(0)
        self._older = ""
        self._choices = KnownChoices(store)

    async def one(self) -> None:
        """The calls of one kind of request."""
        rng, aim = self._rng, self._aim
        long, any = rng.choice(aim.long_ids), rng.choice(aim.ids)
        project = rng.choice(aim.projects)
        kinds: dict[str, Callable[[], Awaitable[object]]] = {
            asked.LIST: lambda: self._list(SessionFilter()),
            asked.FILTERED: lambda: self._list(SessionFilter(project_id=project)),
            asked.LATER: lambda: self._list(SessionFilter(cursor=self._older)),
            asked.COSTS: lambda: self._store.session_costs(
                self._org, rng.sample(aim.ids, min(_ALL_COSTS, len(aim.ids)))
            ),
            asked.FIRST: lambda: self._window(any),
            asked.LONG: lambda: self._window(long),
            asked.NEXT: lambda: self._window(long, rng.randrange(80)),
            asked.PANEL: lambda: self._panel(any),
            asked.SUBSTRING: lambda: self._search(SearchQuery(query=rng.choice(aim.needles))),
            asked.BY_WORDS: lambda: self._search(SearchQuery(query=rng.choice(aim.words), mode="words")),
            asked.OVERVIEW: lambda: self._overview(rng.choice(list(PANELS))),
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

    async def _panel(self, id: str) -> None:
        store, org = self._store, self._org
        panels: list[Callable[[], Awaitable[object]]] = [
            lambda: store.session_costs(org, [id]),
            lambda: store.session_prompts(org, id, max_characters=300),
            lambda: store.session_files(org, id),
            lambda: store.list_children(org, [id]),
            lambda: store.get_session_git_links(org, id),
        ]
        await self._rng.choice(panels)()

    async def _overview(self, name: str) -> None:
        known = await self._choices.of(self._org)
        scope = scope_of(Asked(since="all"), ZoneInfo("UTC"), known)
        show = next(iter([key for key, _ in PANELS[name].shows]), "")
        await PANELS[name].ask(Question(self._store, self._org, scope, known, show))

    async def _search(self, query: SearchQuery) -> None:
        found = await self._store.search(self._org, query)
        if ids := list({hit.session_id for hit in found.results}):
            await self._store.get_sessions(self._org, ids)
