"""One pass over the places: look, survey what has changed, read it piece by piece, store it.

Reading, parsing and masking happen in one thread of their own, one piece at a time; what is read is written by several
tasks, so that the store's batches fill. Each stage waits for the next where too much is under way (``Room``).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import pathlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from agentstore.errors import (
    AgentStoreError,
    AuthenticationError,
    NotFoundError,
    SchemaError,
    StoreClosedError,
)
from agentstore.importers.importer import History, Importer, Options
from agentstore.importers.results import ImportResult
from agentstore.importers.states import StaleStateError
from agentstore.ingest.deciding import Owner, Task, copy_of, has_bytes_of, is_settled, task_of
from agentstore.ingest.events import EventKind, IngestEvent
from agentstore.ingest.gate import Gate
from agentstore.ingest.identity import is_compressed
from agentstore.ingest.ledger import Ledger
from agentstore.ingest.looking import File, Look, Looker
from agentstore.ingest.remembered import Remembered
from agentstore.ingest.room import Room
from agentstore.ingest.storing import FileStorer
from agentstore.ingest.surveying import facts_of
from agentstore.ingest.tally import Tally
from agentstore.ingest.writer import ImportWriter
from agentstore.models import SourceFile
from agentstore.protocols import ReadWriteStore

_logger = logging.getLogger("agentstore")
# Files that are written at once. Each waits for several commits, one after the other; the more wait for the same one,
# the fewer and larger inserts the server has to take. How much of them is in memory ``Room`` bounds.
_TASKS = 64
_UNDER_WAY, _TOGETHER = 48 * 1024 * 1024, 12 * 1024 * 1024

T = TypeVar("T")
Emit = Callable[[IngestEvent], Awaitable[None]]


class Ingest:
    """Reads the history below some places into one organisation; it may be run again and again.

    ``options`` say whose it is and how it is read. ``again``: also what is known, and what was deleted.
    """

    def __init__(
        self,
        store: ReadWriteStore,
        org_id: str,
        places: Sequence[pathlib.Path],
        importers: Sequence[Importer],
        options: Options,
        *,
        again: bool = False,
    ) -> None:
        self._store, self._org_id, self._options = store, org_id, options
        self._owner = Owner(options.user_id, options.user_name, options.machine)
        self._ledger = Ledger(store, org_id, options.machine)
        self._looker = Looker(places, importers, self._ledger)
        self._remembered = Remembered()
        self._importers, self._again, self._is_stopping = importers, again, False
        # One thread: importers and masks are not made for several, and the interpreter would not run them at once.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="agentstore-ingest")

    def close(self) -> None:
        """Let the thread end; what it does at the moment it finishes."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """Let the pass that goes on end soon: what was read is stored, and nothing more is read."""
        self._is_stopping = True

    def move_to(self, places: Sequence[pathlib.Path]) -> None:
        """From the next pass on history is here."""
        self._looker.places = places

    async def run(self, emit: Emit, tally: Tally, only: Iterable[pathlib.Path] | None = None) -> bool:
        """One pass; True if it had something to do. ``AgentStoreError`` where the store cannot be reached: what was
        stored by then stays.

        ``only``: look at these paths, where something has changed since the passes before, and at nothing else.
        """
        await self._ledger.load()
        if only is None:
            self._remembered.clear()
        look = await self._in_thread(self._looker.look, only)
        await self._tell_found(look, emit, tally)
        by_importer: dict[str, list[File]] = {importer.name: [] for importer in self._importers}
        for file in look.files:
            by_importer[file.importer.name].append(file)
        had_work = False
        try:
            # In the order of the importers: records of other programs come after those of the agents themselves.
            for files in filter(None, by_importer.values()):
                had_work |= await _Pass(self, files, look.looked, emit, tally).run()
        except AgentStoreError:
            with contextlib.suppress(AgentStoreError):
                await self._ledger.settle()
            raise
        await self._ledger.settle()
        return had_work

    async def _tell_found(self, look: Look, emit: Emit, tally: Tally) -> None:
        tally.unrecognised.update(look.unrecognised)
        for file in look.files:
            if look.looked is None or (file.path in look.looked and not file.is_same):
                tally.bytes_found += file.found.size
                await emit(_event("found", file, size=file.found.size))
        for path, reason in look.failed:
            tally.files["failed"] += 1
            if self._remembered.is_news(str(path), reason):
                await emit(IngestEvent(kind="failed", path=str(path), reason=f"cannot be read: {reason}"))

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, partial(function, *arguments))


class _Pass:
    """One pass over the files of one agent."""

    def __init__(
        self, ingest: Ingest, files: list[File], looked: set[pathlib.Path] | None, emit: Emit, tally: Tally
    ) -> None:
        self._ingest, self._emit, self._tally = ingest, emit, tally
        self._files, self._looked = {file.path: file for file in files}, looked
        self._importer = files[0].importer
        self._writer = ImportWriter(ingest._store, ingest._org_id)
        self._room, self._gate = Room(_UNDER_WAY), Gate(_TOGETHER)
        self._failure: AgentStoreError | None = None

    async def run(self) -> bool:
        """True if there was something to read."""
        looked = [file for file in self._files.values() if self._was_looked_at(file)]
        if not self._ingest._again and all(self._is_known(file) for file in looked):
            for file in looked:
                await self._skip(file, "unchanged", file.row.context if file.row is not None else "")
            return False
        history = await self._survey()
        tasks = await self._tasks(history)
        left = iter(tasks)
        await _all(self._work(history, left) for _ in range(min(_TASKS, len(tasks))))
        if self._failure is not None:
            raise self._failure
        return bool(tasks)

    def _was_looked_at(self, file: File) -> bool:
        return self._looked is None or file.path in self._looked

    def _is_known(self, file: File) -> bool:
        """Whether a file was read as it is now, whatever others say about it."""
        if not self._was_looked_at(file):
            return self._ingest._remembered.is_read(file.path)
        return file.row is not None and is_settled(file, file.row.context, self._ingest._owner)

    def _is_settled(self, file: File, context: str) -> bool:
        if not self._was_looked_at(file):
            return self._ingest._remembered.is_done(file.path, context)
        return is_settled(file, context, self._ingest._owner)

    # --- what is to be done -------------------------------------------------------------------------------------

    async def _survey(self) -> History:
        ingest = self._ingest
        packed = await ingest._ledger.facts()
        files = self._files.values()
        facts = facts_of(files, self._importer, ingest._owner, ingest._ledger, packed, self._is_known)
        return await ingest._in_thread(self._importer.survey, facts.paths, ingest._options, facts.known, facts.grown)

    async def _tasks(self, history: History) -> list[Task]:
        """What is to be read, in the order in which it is best read; the rest is skipped."""
        ledger, left = self._ingest._ledger, list[tuple[File, str]]()
        for path, context in await self._ingest._in_thread(self._contexts, history):
            file = self._files[path]
            if not self._ingest._again and self._is_settled(file, context):
                if self._was_looked_at(file):
                    await self._skip(file, "unchanged", context)
            else:
                left.append((file._replace(row=ledger.row(file.name, file.source_id)), context))
        rows: dict[str, list[SourceFile]] = collections.defaultdict(list)
        for row in await ledger.states(file.source_id for file, _ in left):
            rows[row.source_id].append(row)
        tasks = []
        for file, context in left:
            task = task_of(file, context, self._ingest._owner, [] if self._ingest._again else rows[file.source_id])
            if await self._is_to_be_read(task, rows[file.source_id], history):
                tasks.append(task)
        return tasks

    def _contexts(self, history: History) -> list[tuple[pathlib.Path, str]]:
        return [(path, history.context(path).hex()) for path in history.files if path in self._files]

    async def _is_to_be_read(self, task: Task, rows: list[SourceFile], history: History) -> bool:
        if self._ingest._again:
            return True
        file, row = task.file, task.file.row
        if row is not None and row.outcome == "deleted":
            return await self._leave(task, "deleted", history, row.session_ids)
        if task.session_ids and not await self._is_any_stored(task.session_ids):
            return await self._leave(task, "deleted", history, task.session_ids)
        if task.row is not None and await self._was_compressed(task, task.row):
            self._storer(task).note_again(task.row, history)
            await self._skip(file, "unchanged", task.context)
            return False
        if task.state is None and row is None:
            copied = await self._ingest._in_thread(copy_of, file, self._ingest._owner, rows)
            if copied is not None and await self._is_any_stored(copied.session_ids):
                return await self._leave(task, "known", history, copied.session_ids)
        return True

    async def _was_compressed(self, task: Task, row: SourceFile) -> bool:
        """Whether a file was compressed since it was read: importers cannot go on in the middle of that."""
        if task.state is None or not is_compressed(task.file.path):
            return False
        return await self._ingest._in_thread(has_bytes_of, task.file, row)

    async def _is_any_stored(self, session_ids: Iterable[str]) -> bool:
        for id in session_ids:
            try:
                await self._ingest._store.get_session(self._ingest._org_id, id)
            except NotFoundError:
                continue
            return True
        return False

    async def _leave(self, task: Task, outcome: str, history: History, session_ids: tuple[str, ...]) -> bool:
        self._storer(task).leave(outcome, history, session_ids)
        await self._skip(task.file, outcome, task.context)
        return False

    async def _skip(self, file: File, reason: str, context: str) -> None:
        self._ingest._remembered.note(file, context, is_read=True)
        if reason == "unchanged" and self._looked is not None:
            return  # its times have changed, or nothing has
        self._tally.files[reason] += 1
        await self._emit(_event("skipped", file, size=file.found.size, reason=reason))

    # --- reading and storing ------------------------------------------------------------------------------------

    async def _work(self, history: History, tasks: Iterator[Task]) -> None:
        for task in tasks:
            if self._failure is not None or self._ingest._is_stopping:
                return
            try:
                await self._read_from(task, history)
            except (AgentStoreError, OSError) as error:
                await self._failed(task, error)
            except Exception as error:
                # A fault in an importer must not end the others, nor be silent.
                _logger.exception("%s could not be imported", task.file.name)
                await self._failed(task, error)

    async def _read_from(self, task: Task, history: History) -> None:
        try:
            await self._read(task, history)
        except StaleStateError:
            if task.state is None:
                raise
            # The file is not what it was, or a copy has taken its place.
            owner, file = self._ingest._owner, task.file
            await self._read(task_of(file, task.context, owner, ()), history)

    async def _read(self, task: Task, history: History) -> None:
        storer = self._storer(task)
        results = history.read(task.file.path, task.state)
        writing: asyncio.Task[None] | None = None
        try:
            while True:
                await self._room.enter()
                if self._ingest._is_stopping:  # the next run goes on behind what was read
                    if writing is not None:
                        await writing
                    return
                self._gate.begin()
                try:
                    result = await self._ingest._in_thread(next, results, None)
                finally:
                    self._gate.end()
                if writing is not None:  # pieces of a file are written in their order
                    await writing
                    writing = None
                if result is None:
                    break
                size = self._size_of(result, storer, task)
                self._room.take(size)
                self._tally.bytes_read += size
                await self._emit(_event("read", task.file, size=size))
                writing = asyncio.create_task(self._store(storer, result, history, size))
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.wait([writing])
        await storer.finish(history)
        await self._tell_stored(storer, task)

    async def _store(self, storer: FileStorer, result: ImportResult, history: History, size: int) -> None:
        try:
            await self._gate.passed(size)
            await storer.write(result, history)
        finally:
            self._room.leave(size)
        self._tally.add(result)
        if storer.stored.session_ids:
            await self._emit(_event("stored", storer.file, size=size, session_ids=storer.stored.session_ids))

    async def _tell_stored(self, storer: FileStorer, task: Task) -> None:
        stored = storer.stored
        outcome = "failed" if stored.has_gaps or storer.outcome == "unreadable" else storer.outcome
        if outcome == "failed":
            await self._tell_failure(task, stored.reason)
        elif outcome == "purged":
            await self._skip(task.file, "purged", task.context)
        else:
            self._ingest._remembered.note(task.file, task.context, is_read=True)
            self._tally.files[outcome] += 1
        self._tally.sessions.update(stored.session_ids)

    def _size_of(self, result: ImportResult, storer: FileStorer, task: Task) -> int:
        """Bytes of the file that a piece is of, about."""
        begun, end = storer.read_to, 0
        if result.state is not None:
            end = result.state.offset
        elif result.file == task.file.name:  # and not a subagent that is embedded in it
            end = task.file.found.size
        storer.read_to = max(begun, end)
        return storer.read_to - begun

    def _storer(self, task: Task) -> FileStorer:
        ingest = self._ingest
        return FileStorer(ingest._store, ingest._org_id, self._writer, ingest._ledger, ingest._owner, task)

    async def _failed(self, task: Task, error: Exception) -> None:
        if isinstance(error, AgentStoreError) and _is_of_the_store(error):
            # Not told of each file: others would wait as long for the same, and the pass ends with it.
            self._failure = self._failure or error
            self._tally.files["failed"] += 1
        else:
            await self._tell_failure(task, f"{type(error).__name__}: {error}")

    async def _tell_failure(self, task: Task, reason: str) -> None:
        file, remembered = task.file, self._ingest._remembered
        remembered.note(file, task.context, is_read=False)
        self._tally.files["failed"] += 1
        if remembered.is_news(file.name, reason, file.found.size, file.stat):
            await self._emit(_event("failed", file, reason=reason))


def _is_of_the_store(error: AgentStoreError) -> bool:
    """Whether it is the store that fails, and not what was to be written."""
    causes = (error, error.__cause__)
    return error.retriable or any(
        isinstance(one, SchemaError | AuthenticationError | StoreClosedError) for one in causes
    )


async def _all(works: Iterable[Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)  # type: ignore[arg-type]


def _event(
    kind: EventKind, file: File, *, size: int = 0, reason: str = "", session_ids: tuple[str, ...] = ()
) -> IngestEvent:
    return IngestEvent(
        kind=kind, path=file.name, agent=file.importer.name, size=size, reason=reason, session_ids=session_ids
    )
