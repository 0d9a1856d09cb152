"""Files are read piece by piece, in a thread of their own, and what was read is written by many tasks at once.

Each stage waits for the next where too much is under way (``Room``); pieces go to the store together (``Together``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from agentstore.errors import AgentStoreError, AuthenticationError, SchemaError, StoreClosedError
from agentstore.importers.importer import History
from agentstore.importers.results import ImportResult
from agentstore.importers.states import StaleStateError
from agentstore.ingest.deciding import Task, task_of
from agentstore.ingest.ending import ended
from agentstore.ingest.identity import end_of_lines
from agentstore.ingest.reporting import Report
from agentstore.ingest.room import Room
from agentstore.ingest.setting import Setting
from agentstore.ingest.storing import FileStorer
from agentstore.ingest.together import Together
from agentstore.ingest.writer import ImportWriter

_logger = logging.getLogger("agentstore")
# Files that are written at once. Each waits for several commits, one after the other; the more wait for the same one,
# the fewer and larger inserts the server has to take. How much of them is in memory ``Room`` bounds.
_TASKS = 128
_UNDER_WAY, _TOGETHER = 48 * 1024 * 1024, 12 * 1024 * 1024
# Bytes of all files that are read at once: what reads one remembers of it until its end. Of a large one that is a part.
_OPEN, _MOST_OF_ONE = 96 * 1024 * 1024, 32 * 1024 * 1024


class Reading:
    """Reads files of one history, and stores them."""

    def __init__(self, setting: Setting, report: Report, history: History) -> None:
        self._setting, self._report, self._history = setting, report, history
        self._writer = ImportWriter(setting.store, setting.org_id)
        self._room, self._together = Room(_UNDER_WAY), Together(self._writer, _TOGETHER)
        self._open = Room(_OPEN)
        self._failure: AgentStoreError | None = None

    async def run(self, tasks: list[Task]) -> None:
        """Raises where the store fails; what else fails is told, and the others go on."""
        left = iter(tasks)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_TASKS, len(tasks))):
                    group.create_task(self._work(left))
        finally:
            await self._together.aclose()
            await self._writer.aclose()
        if self._failure is not None:
            raise self._failure

    async def _work(self, tasks: Iterator[Task]) -> None:
        for task in tasks:
            await self._open.enter()
            if self._failure is not None or self._setting.is_stopping:
                return
            size = min(task.file.found.size, _MOST_OF_ONE)
            self._open.take(size)
            try:
                await self._read_from(task)
            except (AgentStoreError, OSError) as error:
                await self._failed(task, error)
            except Exception as error:
                # A fault in an importer must not end the others, nor be silent.
                _logger.exception("%s could not be imported", task.file.name)
                await self._failed(task, error)
            finally:
                self._open.leave(size)

    async def _read_from(self, task: Task) -> None:
        try:
            await self._read(task)
        except StaleStateError:
            if task.state is None:
                raise
            # The file is not what it was, or a copy has taken its place.
            keep_raw = self._setting.options.keep_original
            anew = task_of(task.file, task.context, self._setting.owner, (), keep_raw=keep_raw)
            await self._read(anew._replace(deleted=task.deleted))

    async def _read(self, task: Task) -> None:
        end = await self._setting.in_thread(end_of_lines, task.file.path, task.file.found.size)
        storer = FileStorer(self._setting, self._writer, self._together, self._history, task, end)
        results = self._history.read(task.file.path, task.state)
        writing: asyncio.Task[None] | None = None
        is_cut = False
        try:
            while True:
                await self._room.enter()
                # Of what was read to its end nothing is left but to say so.
                is_cut = self._setting.is_stopping and not storer.is_at_end
                result = await self._next(results) if not is_cut else None
                if writing is not None:  # pieces of a file are written in their order
                    await writing
                    writing = None
                if result is None:
                    break
                size = storer.size_of(result)
                self._room.take(size)
                await self._report.read(task.file, size)
                writing = asyncio.create_task(self._store(storer, result, size))
        finally:
            await ended(writing)
        if is_cut:  # the next run goes on behind what was read
            self._report.cut(task.file, has_begun=storer.has_begun)
            return
        await storer.finish()
        await self._report.ended(task, storer.stored)

    async def _next(self, results: Iterator[ImportResult]) -> ImportResult | None:
        """The next piece of a file; None at its end."""
        self._together.begin()
        try:
            return await self._setting.in_thread(next, results, None)
        finally:
            self._together.end()

    async def _store(self, storer: FileStorer, result: ImportResult, size: int) -> None:
        try:
            await storer.write(result, size)
        finally:
            self._room.leave(size)
        await self._report.stored(storer.file, result, size, storer.stored.session_ids)

    async def _failed(self, task: Task, error: Exception) -> None:
        if isinstance(error, AgentStoreError) and _is_of_the_store(error):
            # Not told of each file: others would wait as long for the same, and the pass ends with it.
            self._failure = self._failure or error
            self._report.gave_up(task.file)
        else:
            await self._report.failed(task.file, f"{type(error).__name__}: {error}", task.context)


def _is_of_the_store(error: AgentStoreError) -> bool:
    """Whether it is the store that fails, and not what was to be written."""
    causes = (error, error.__cause__)
    return error.retriable or any(
        isinstance(one, SchemaError | AuthenticationError | StoreClosedError) for one in causes
    )
