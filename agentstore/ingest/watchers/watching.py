"""``watch``: as ``ingest``, and from then on what is written below the places, as it is written."""

from __future__ import annotations

import asyncio
import os
import pathlib
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from agentstore.importers.importer import Importer
from agentstore.importers.registry import IMPORTERS
from agentstore.ingest.arguments import Places, Secrets, masker_of, options_of, paths_of
from agentstore.ingest.events import IngestEvent, IngestSummary
from agentstore.ingest.run import Ingest
from agentstore.ingest.watchers.following import Follower, Pace, WatchedStore

if TYPE_CHECKING:
    from agentstore.masking import Masker

_Events = asyncio.Queue[IngestEvent | IngestSummary | None]
_MOST_EVENTS = 1000  # that may wait for whoever reads them; then the passes wait, too
_PACE = Pace()


async def watch(
    store: WatchedStore,
    org_id: str,
    *,
    places: Places | None = None,
    user: str = "",
    user_name: str = "",
    machine: str | None = None,
    mask: Masker | bool = True,
    keep_raw: bool = True,
    importers: Sequence[Importer] = IMPORTERS,
    pace: Pace = _PACE,
) -> AsyncGenerator[IngestEvent | IngestSummary, None]:
    """Bring what is below ``places`` into the store, as ``ingest`` does, then follow it: new records are in the store
    within two seconds of their being written. It goes on until it is ended.

    The other arguments are those of ``ingest``. Places that do not exist yet are watched as soon as they do; with None
    that is everywhere where an agent keeps its history that is installed later. It needs the extra ``ingest``.

    Events are as those of ``ingest``; there is a summary after the first pass, and after each later one that had
    something to read. A file that cannot be read is an event "failed" once, and again when it has changed. While the
    store cannot be reached an event "failed" without a path is told once, and what is written meanwhile is stored when
    it answers again. An error that trying again does not help (credentials, tables, a store that was closed) is raised.

    Whoever ends the iteration should close the generator (``contextlib.aclosing``), or cancel the task that iterates:
    what was read by then is stored before it ends, within a few seconds, and the next run goes on from there.
    """
    listed = None if places is None else paths_of(places, importers)
    masker = masker_of(mask)
    options = options_of(user, user_name, machine, masker, keep_raw=keep_raw)
    events: _Events = asyncio.Queue(_MOST_EVENTS)

    async def emit(event: IngestEvent | IngestSummary) -> None:
        if not is_ending:
            await events.put(event)

    is_ending = False
    follower = Follower(
        store,
        lambda: paths_of(None, importers) if listed is None else _outermost(listed),
        lambda: Ingest(store, org_id, [], importers, options),
        Secrets(masker).new,
        emit,
        pace,
    )
    task = asyncio.create_task(_run(follower, events), name="agentstore-watch")
    try:
        while not (task.done() and events.empty()):
            event = await events.get()
            if event is not None:
                yield event
        await task  # what it raised
    finally:
        is_ending = True
        follower.stop()
        await _end(task, events, pace.end)


async def _run(follower: Follower, events: _Events) -> None:
    try:
        await follower.run()
    finally:
        # Not put(): nobody may read any more. Whoever does looks whether this task is done.
        if not events.full():
            events.put_nowait(None)


async def _end(task: asyncio.Task[None], events: _Events, most: float) -> None:
    """Returns when the task has ended: by itself, or by force when it has taken too long."""
    loop = asyncio.get_running_loop()
    until = loop.time() + most
    try:
        while not task.done() and loop.time() < until:
            while not events.empty():  # nobody reads them any more
                events.get_nowait()
            await asyncio.wait([task], timeout=0.05)
    finally:
        task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # whoever iterates has had it, or has ended the iteration before


def _outermost(places: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Places that exist, without those that lie in others."""
    there = sorted({place for place in places if os.path.exists(place)})
    return [place for place in there if not any(place.is_relative_to(other) for other in there if other != place)]
