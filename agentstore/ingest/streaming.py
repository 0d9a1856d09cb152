"""``ingest``: everything below the places into a store, with what happens told as it happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from agentstore.importers.importer import Importer
from agentstore.importers.registry import IMPORTERS
from agentstore.ingest.arguments import Places, Secrets, masker_of, options_of, paths_of, single
from agentstore.ingest.ending import ended
from agentstore.ingest.events import IngestEvent, IngestSummary
from agentstore.ingest.reporting import Emit
from agentstore.ingest.run import Ingest
from agentstore.ingest.tally import Tally
from agentstore.protocols import ReadWriteStore

if TYPE_CHECKING:
    from agentstore.masking import Masker

_EVENTS = 1000  # that may wait for whoever reads them


async def ingest(
    store: ReadWriteStore,
    org_id: str,
    *,
    places: Places | None = None,
    user: str = "",
    user_name: str = "",
    machine: str | None = None,
    mask: Masker | bool = True,
    keep_raw: bool = True,
    importers: Sequence[Importer] = IMPORTERS,
    again: bool = False,
    stop: asyncio.Event | None = None,
) -> AsyncGenerator[IngestEvent | IngestSummary, None]:
    """Bring what agents have left below ``places`` into the store, and yield what happens; last an ``IngestSummary``.

    Only what is new is read: what was read of each file is remembered in the store (``SourceFile``). It may be ended at
    any time, killed, or run twice at once: the next run ends in the same store as one clean run.

    ``places``: folders and files; None: where this user's agents keep their history (``known_places``).
    ``user``, ``user_name``, ``machine``: whose history it is; None: this machine, by its name in the network. A session
    that is stored for somebody else is never overwritten (``ImportWriter``).
    ``mask``: secrets are replaced by markers of their kind before anything else sees them (``agentstore.masking``,
    extra ``ingest``); a ``Masker`` has rules of one's own; False: nothing is masked.
    ``keep_raw``: also the records as they are, masked, for ``reimport`` and ``restore``. ``mask`` and ``keep_raw`` hold
    for what is read: files that do not change stay as they were stored until ``again``.
    ``again``: read everything once more, also what was deleted from the store; what was purged stays away.
    ``stop``: when it is set, nothing more is read; what was read is stored, and the summary tells what was done.

    A file that cannot be read or stored is an event "failed", and is tried by the next run. Where the store itself
    cannot be reached, its error is raised after the summary. Whoever ends the iteration early should close the
    generator (``contextlib.aclosing``): what is being written by then is stored or not, as after a kill.
    """
    masker = masker_of(mask)
    options = options_of(user, user_name, machine, masker, keep_raw=keep_raw)
    secrets = Secrets(masker)
    run = Ingest(store, org_id, paths_of(places, importers), importers, options, again=again)
    async with _calling(run.stop, stop), contextlib.aclosing(told(run, secrets)) as events:
        async for event in events:
            yield event


@contextlib.asynccontextmanager
async def _calling(call: Callable[[], None], when: asyncio.Event | None) -> AsyncIterator[None]:
    """Inside of it ``call`` is called as soon as the event is set."""

    async def wait(event: asyncio.Event) -> None:
        await event.wait()
        call()

    task = asyncio.create_task(wait(when), name="agentstore-ingest-stop") if when is not None else None
    try:
        yield
    finally:
        await ended(task)


class Runnable(Protocol):
    """A pass that tells what happens."""

    def run(self, emit: Emit, tally: Tally) -> Awaitable[object]: ...
    def close(self) -> None: ...


async def told(run: Runnable, secrets: Secrets) -> AsyncGenerator[IngestEvent | IngestSummary, None]:
    """The events of a pass, its summary, and then, where it failed, its error."""
    tally = Tally(secrets.new)
    error: BaseException | None = None
    # Closed at once where this is: what reads and writes must not go on until the garbage is collected.
    async with contextlib.aclosing(events_of(run, tally)) as events:
        async for event in events:
            if isinstance(event, BaseException):
                error = event
            else:
                yield event
    yield tally.summary()
    if error is not None:
        raise error


async def events_of(run: Runnable, tally: Tally) -> AsyncGenerator[IngestEvent | BaseException, None]:
    """The events of a pass that goes on in a task of its own, and what it raised."""
    events: asyncio.Queue[IngestEvent | None] = asyncio.Queue(_EVENTS)

    async def work() -> None:
        try:
            await run.run(events.put, tally)
        finally:
            # Not put(): nobody may read any more. Whoever does looks whether this task is done.
            if not events.full():
                events.put_nowait(None)

    task = asyncio.create_task(work(), name="agentstore-ingest")
    try:
        while not (task.done() and events.empty()):
            event = await events.get()
            if event is not None:
                yield event
        if (failed := task.exception()) is not None:
            yield single(failed)
    finally:
        # A task of its own and no task group: a generator may be closed from another task than it was begun in.
        try:
            await ended(task)
        finally:
            run.close()
