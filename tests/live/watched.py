"""Running a watcher beside a test, which waits for its events and never for time to pass."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from agentstore import AsyncClickHouseStore, NotFoundError
from agentstore.ingest import IngestEvent, IngestSummary, Pace, watch

# Whole passes would find what a watcher misses: there is none after the first.
PACE = Pace(
    look_for_places=0.1, everything=3600, new_folder=0.3, longest_rest=0.1, first_retry=0.05, last_retry=0.2, end=10
)
GUARD = 40.0


class Watched:
    """What a watcher has told so far."""

    def __init__(self, store: AsyncClickHouseStore, org: str) -> None:
        self.store, self.org = store, org
        self.events: list[IngestEvent] = []
        self.summaries: list[IngestSummary] = []
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def follow(self, places: Any, **options: Any) -> None:
        known: dict[str, Any] = {"user": "ada", "machine": "laptop", "pace": PACE}
        async with contextlib.aclosing(watch(self.store, self.org, places=places, **(known | options))) as events:
            async for event in events:
                if isinstance(event, IngestSummary):
                    self.summaries.append(event)
                else:
                    self.events.append(event)
                self._told.set()

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Returns when this is so; asked after each event."""
        try:
            async with asyncio.timeout(GUARD):
                while True:
                    self._told.clear()
                    if await is_so():
                        return
                    await self._next()
        except TimeoutError:
            raise AssertionError(f"told so far: {self.events[-20:]} {self.summaries[-3:]}") from None

    async def until_told(self, is_so: Callable[[], bool]) -> None:
        async def asked() -> bool:
            return is_so()

        await self.until(asked)

    async def until_said(self, session: str, *texts: str) -> None:
        """Returns when these are the messages of a session."""

        async def is_so() -> bool:
            with contextlib.suppress(NotFoundError):
                return [one.content for one in await self.store.get_session_messages(self.org, session)] == [*texts]
            return False

        await self.until(is_so)

    def failed(self, name: str = "") -> list[str]:
        """Why a file, or the store, failed."""
        return [one.reason for one in self.events if one.kind == "failed" and pathlib.PurePath(one.path).name == name]

    async def _next(self) -> None:
        told = asyncio.create_task(self._told.wait())
        if self._task is None:
            await told
            return
        await asyncio.wait([told, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not told.done():
            told.cancel()
            self._task.result()
            raise AssertionError("the watcher has ended")


@contextlib.asynccontextmanager
async def watching(
    store: AsyncClickHouseStore, org: str, places: Any, *, others: bool = False, **options: Any
) -> AsyncIterator[Watched]:
    """A watcher after its first pass; it ends with the block. ``others``: there are more of them."""
    watched = Watched(store, org)
    watched._task = task = asyncio.create_task(watched.follow(places, **options))
    try:
        await watched.until_told(lambda: bool(watched.summaries))
        yield watched
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled(), task.exception()
    if not others:
        # Told to end, it is a thread for some moments more on a busy machine.
        left = [thread for thread in threading.enumerate() if thread.name == "agentstore-watch"]
        for thread in left:
            await asyncio.to_thread(thread.join, GUARD)
        assert not any(thread.is_alive() for thread in left)
