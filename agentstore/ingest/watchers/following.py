"""Passes over places that change: a whole one first, then one over what has changed, again and again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pathlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from agentstore.errors import AgentStoreError
from agentstore.ingest.arguments import single
from agentstore.ingest.events import IngestEvent, IngestSummary
from agentstore.ingest.run import Ingest
from agentstore.ingest.tally import Tally
from agentstore.ingest.watchers.changes import Changes, Sleep
from agentstore.ingest.watchers.notices import Notice, Notices
from agentstore.protocols import ReadWriteStore

_SELDOM = 3600.0  # at the latest there is a whole pass
_logger = logging.getLogger("agentstore")

Emit = Callable[[IngestEvent | IngestSummary], Awaitable[None]]
_Identities = dict[pathlib.Path, tuple[int, int]]


class WatchedStore(ReadWriteStore, Protocol):
    """A store that can be asked whether it answers."""

    async def ping(self, *, timeout_seconds: float = 5.0) -> float: ...


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often a watcher does what, in seconds.

    ``look_for_places``: whether places have come or gone, and whether the machine has slept. ``everything``: a whole
    pass, for what nobody told; more seldom where it takes long. ``new_folder``: after which a new folder is looked at
    once more, for what came into it before the system watched it. ``longest_rest``: between two passes under steady
    writing. ``first_retry``, ``last_retry``: while the store cannot be reached. ``end``: how long what was read may
    take to be stored when the watch ends.
    """

    look_for_places: float = 2.0
    everything: float = 300.0
    new_folder: float = 1.0
    longest_rest: float = 0.7
    first_retry: float = 1.0
    last_retry: float = 30.0
    end: float = 5.0


class Follower:
    """Keeps one organisation at what is below some places.

    ``places`` gives those that exist now, ``new_ingest`` what reads them, ``secrets`` what was masked since it was
    asked last.
    """

    def __init__(
        self,
        store: WatchedStore,
        places: Callable[[], Sequence[pathlib.Path]],
        new_ingest: Callable[[], Ingest],
        secrets: Callable[[], dict[str, int]],
        emit: Emit,
        pace: Pace,
    ) -> None:
        self._store, self._places, self._new_ingest, self._secrets = store, places, new_ingest, secrets
        self._emit, self._pace = emit, pace
        self._ingest = new_ingest()
        self._changes, self._sleep = Changes(), Sleep()
        self._notices: Notices | None = None
        self._watched: _Identities = {}
        self._stopping = asyncio.Event()
        self._is_first, self._must_watch_anew = True, False
        self._retry = 0.0  # seconds until the store is tried again; 0: it is there
        self._whole_due = self._look_due = self._rested = 0.0

    def stop(self) -> None:
        """Let ``run`` end: what was read is stored, and nothing more is read."""
        self._stopping.set()
        self._ingest.stop()
        self._changes.wake()

    async def run(self) -> None:
        """Follow the places until ``stop``. ``AgentStoreError`` where trying again would not help."""
        self._changes.add_everything()
        try:
            while not self._stopping.is_set():
                await self._look_for_places()
                if self._changes:
                    await self._rest()
                    await self._pass()
                else:
                    await self._changes.wait(max(0.0, self._look_due - time.monotonic()))
        finally:
            self._ingest.close()
            if self._notices is not None:
                await self._notices.stop()

    # --- what is watched ------------------------------------------------------------------------------------------

    async def _look_for_places(self) -> None:
        now = time.monotonic()
        if now < self._look_due:
            return
        self._look_due = now + self._pace.look_for_places
        if self._sleep.was():
            _logger.info("the machine has slept: everything is looked at")
            self._changes.add_everything()
        elif now >= self._whole_due and self._whole_due:
            self._changes.add_everything()
        there = await asyncio.to_thread(lambda: _identities(self._places()))
        is_other = there != self._watched or self._must_watch_anew
        if is_other or (not self._changes.is_partial and not self._is_first):
            # Also from time to time: of a folder that could not be watched when it was made nothing else tells.
            await self._watch(there)

    async def _watch(self, places: _Identities) -> None:
        """Watch these places; what is new among them, and what was there before, is looked at."""
        gone = self._watched.keys() - places.keys()
        # Of one that was made anew its number may be the same: then all of them are looked at.
        before = {} if self._must_watch_anew else self._watched
        self._watched, self._must_watch_anew = places, False
        new = {place for place, identity in places.items() if before.get(place) != identity}
        if gone:
            self._changes.add_everything()  # files are forgotten
        notices = Notices([*places], self._take)
        try:
            await notices.start()  # before the others end, so that nothing is missed between
        except BaseException:
            await notices.stop()
            raise
        if self._notices is not None:
            await self._notices.stop()
        self._notices = notices
        self._ingest.move_to([*places])
        self._changes.add(new)

    def _take(self, notice: Notice) -> None:
        if notice.paths is None:
            self._changes.add_everything()
        else:
            self._changes.add(notice.paths)
            self._changes.add_later(notice.folders, self._pace.new_folder)
        if notice.is_root_gone:
            self._must_watch_anew = True

    # --- passes ---------------------------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """Under steady writing a pass is as long in coming as it takes, within bounds."""
        rest = self._rested - time.monotonic()
        if rest > 0 and self._changes.is_partial:
            await self._pause(rest)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _pass(self) -> None:
        if self._stopping.is_set():
            return
        only, tally, began = self._changes.take(), Tally(self._secrets), time.monotonic()
        tell = self._emit if self._is_first else _Quietly(self._emit).tell
        try:
            had_work = await self._ingest.run(tell, tally, only)
        except (AgentStoreError, BaseExceptionGroup) as error:
            await self._failed(single(error))
            return
        took = time.monotonic() - began
        self._retry, self._rested = 0.0, time.monotonic() + min(2 * took, self._pace.longest_rest)
        if only is None:
            self._whole_due = time.monotonic() + max(
                self._pace.everything, min(200 * took, _SELDOM) if not had_work else 0.0
            )
        if had_work or self._is_first:
            await self._emit(tally.summary())
        self._is_first = False

    async def _failed(self, error: BaseException) -> None:
        """Tell once that the store is away, and return when it answers. What was noted of files may not be stored:
        all of it is asked anew."""
        if not isinstance(error, AgentStoreError) or not error.retriable:
            raise error
        self._changes.add_everything()
        if not self._retry:
            reason = f"the store cannot be reached, and is tried again until it answers: {error}"
            _logger.warning("%s", reason)
            await self._emit(IngestEvent(kind="failed", path="", reason=reason))
        while not self._stopping.is_set():
            self._retry = min(max(2 * self._retry, self._pace.first_retry), self._pace.last_retry)
            await self._pause(self._retry * random.uniform(0.5, 1.0))
            try:
                await self._store.ping()
                break
            except AgentStoreError as failed:
                if not failed.retriable:
                    raise
        self._ingest.close()
        self._ingest = self._new_ingest()
        self._ingest.move_to([*self._watched])
        if self._stopping.is_set():
            self._ingest.stop()


class _Quietly:
    """Events without those of files of which nothing else is to be told."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._found: dict[str, IngestEvent] = {}

    async def tell(self, event: IngestEvent) -> None:
        if event.kind == "found":
            self._found[event.path] = event
            return
        found = self._found.pop(event.path, None)
        if event.kind == "skipped" and event.reason == "unchanged":
            return
        if found is not None:
            await self._emit(found)
        await self._emit(event)


def _identities(places: Sequence[pathlib.Path]) -> _Identities:
    """The places that exist, and what tells that one was made anew."""
    found: _Identities = {}
    for place in places:
        try:
            there = os.stat(place)
        except OSError:
            continue
        found[place] = (there.st_dev, there.st_ino)
    return found
