"""Files are written again from their originals, surveyed together, read, and stored in place of what is there."""

from __future__ import annotations

import asyncio
import collections
import logging
import pathlib
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec

from agentstore.errors import AgentStoreError
from agentstore.importers.file_blocks import name_of
from agentstore.importers.importer import History, Importer, Options
from agentstore.importers.results import ImportResult
from agentstore.importers.sqlite_files import UNREADABLE
from agentstore.ingest.events import EventKind, IngestEvent
from agentstore.ingest.kept.chains import kept_of
from agentstore.ingest.kept.choosing import Choice, Owners, by_original, group_of
from agentstore.ingest.kept.laying import Laid, Layer
from agentstore.ingest.kept.rereading import Rereading
from agentstore.ingest.ledger import AROUND
from agentstore.ingest.tally import Tally
from agentstore.ingest.writer import ImportWriter
from agentstore.models import Session, SourceFile
from agentstore.protocols import ReadWriteStore

_logger = logging.getLogger("agentstore")
_TASKS = 8

T = TypeVar("T")
Emit = Callable[[IngestEvent], Awaitable[None]]


class Reimport:
    """Reads what is kept of one organisation's files again. ``options`` say how; whose a file is its row says."""

    def __init__(
        self, store: ReadWriteStore, org_id: str, choice: Choice, importers: Sequence[Importer], options: Options
    ) -> None:
        self._store, self._org_id, self._choice, self._options = store, org_id, choice, options
        self._importers = {importer.name: importer for importer in importers}
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="agentstore-reimport")

    def close(self) -> None:
        """Let the thread end; what it does at the moment it finishes."""
        self._reader.shutdown(wait=False)

    async def run(self, emit: Emit, tally: Tally) -> None:
        """All of it, group by group. ``AgentStoreError`` where the store cannot be reached."""
        rows = await self._store.list_source_files(self._org_id)
        owners = Owners(rows)
        groups: dict[tuple[str, ...], list[SourceFile]] = collections.defaultdict(list)
        for row in rows:
            if self._choice.has_group(row) and row.outcome != AROUND:
                groups[group_of(row)].append(row)
        for _, group in sorted(groups.items()):
            if any(map(self._choice.has, group)):
                await self._run_group(group, owners, emit, tally)

    async def _run_group(self, rows: list[SourceFile], owners: Owners, emit: Emit, tally: Tally) -> None:
        importer = self._importers.get(rows[0].importer)
        folder = pathlib.Path(await self.in_thread(partial(tempfile.mkdtemp, prefix="agentstore-")))
        try:
            await _Group(self, importer, rows, owners, folder, emit, tally).run()
        finally:
            tally.masked(rows[0].importer)
            # Not awaited where this is cancelled: the thread does it all the same.
            await asyncio.shield(self.in_thread(partial(shutil.rmtree, folder, ignore_errors=True)))

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, partial(function, *arguments))


class _Group:
    """The files of one agent, of one user, on one machine."""

    def __init__(
        self,
        run: Reimport,
        importer: Importer | None,
        rows: list[SourceFile],
        owners: Owners,
        folder: pathlib.Path,
        emit: Emit,
        tally: Tally,
    ) -> None:
        self._run, self._importer, self._rows, self._owners = run, importer, rows, owners
        self._layer = Layer(folder)
        self._emit, self._tally, self._figures = emit, tally, tally.of(rows[0].importer)
        self._writer = ImportWriter(run._store, run._org_id)
        self._in_thread = run.in_thread
        self._failure: AgentStoreError | None = None
        self._stored: dict[str, Session] = {}
        self._done: list[tuple[Laid, tuple[str, ...], bytes]] = []

    async def run(self) -> None:
        choice = self._run._choice
        files, without = by_original(self._rows)
        for row in without:
            if choice.has(row):
                await self._skip(row, "no original" if row.outcome in ("read", "unreadable") else row.outcome)
        chosen = [rows for rows in files if any(map(choice.has, rows))]
        others = [rows for rows in files if not any(map(choice.has, rows))]
        for rows in chosen:
            self._figures.bytes_found += rows[0].size
            await self._emit(_event("found", rows[0], size=rows[0].size))
        if self._importer is None:
            for rows in chosen:
                await self._skip(rows[0], "no importer")
            return
        ids = {id for rows in files for row in rows for id in row.session_ids}
        found = await self._run._store.get_sessions(self._run._org_id, ids)
        self._stored = {session.id: session for session in found}
        laid = [file for rows in chosen if (file := await self._lay(rows)) is not None]
        if not laid:
            return
        history = await self._survey(self._importer, laid, others)
        self._tally.not_masked()
        by_path = {file.path: file for file in laid}
        waiting = iter([by_path[path] for path in history.files if path in by_path])
        async with asyncio.TaskGroup() as group:
            for _ in range(_TASKS):
                group.create_task(self._work(history, waiting))
        await self._note(self._importer)
        if self._failure is not None:
            raise self._failure

    # --- what is read -----------------------------------------------------------------------------------------------

    async def _lay(self, rows: list[SourceFile]) -> Laid | None:
        """Write a file that is to be read; tell why where it is not."""
        stored = {id: self._stored.get(id) for row in rows for id in row.session_ids}
        there = [one for one in stored.values() if one is not None]
        if stored and not there:
            await self._skip(rows[0], "deleted")
        elif self._owners.is_anothers(rows[0], there) or (there and all(one.copied_by for one in there)):
            await self._skip(rows[0], "known")
        else:
            try:
                laid = await self._laid(rows, stored)
            except OSError as error:
                laid = f"cannot be written: {error.strerror or error}"
            if not isinstance(laid, str):
                return laid
            await self._fail(rows[0], laid)
        return None

    async def _laid(self, rows: list[SourceFile], stored: dict[str, Session | None]) -> Laid | str:
        store, org_id, row = self._run._store, self._run._org_id, rows[0]
        states = await store.list_source_files(
            org_id, machine=row.machine, source_ids=[row.source_id], packed=["state"]
        )
        row = next((one for one in states if one.path == row.path), row)
        kept = kept_of(await store.get_originals(org_id, row.original_id), row)
        return kept.own.reason or await self._in_thread(self._layer.lay, rows, stored, kept)

    async def _survey(self, importer: Importer, laid: list[Laid], others: list[list[SourceFile]]) -> History:
        """Files tell about each other, also those that are not read: what was noted of them, or they themselves."""
        mine = {id for file in laid for row in file.rows for id in (*row.session_ids, row.source_id)}
        facts: dict[tuple[str, str], bytes] = {}
        if others:
            machine = self._rows[0].machine
            rows = await self._run._store.list_source_files(self._run._org_id, machine=machine, packed=["facts"])
            facts = {(row.path, row.source_id): row.facts for row in rows}
        paths, known = [file.path for file in laid], dict[pathlib.Path, bytes]()
        for rows in others:
            row = rows[0]
            packed = facts.get((row.path, row.source_id), b"") if row.importer_version == importer.version else b""
            if packed and mine.isdisjoint((*row.session_ids, row.source_id)):
                path = self._layer.path_of(row)
                known[path] = packed
            else:
                try:
                    other = await self._laid(rows, {id: self._stored.get(id) for id in row.session_ids})
                except OSError:
                    continue
                if isinstance(other, str):
                    continue
                path = other.path
            paths.append(path)
        row = self._rows[0]
        options = msgspec.structs.replace(
            self._run._options, user_id=row.user_id, user_name=row.user_name, machine=row.machine
        )
        await self._in_thread(self._layer.settle)
        return await self._in_thread(importer.survey, paths, options, known)

    # --- reading and storing ----------------------------------------------------------------------------------------

    async def _work(self, history: History, waiting: Iterator[Laid]) -> None:
        for file in waiting:
            if self._failure is not None:
                return
            try:
                await self._read(file, history)
            except (AgentStoreError, OSError) as error:
                await self._fail(file.row, f"{type(error).__name__}: {error}")
                if isinstance(error, AgentStoreError) and error.retriable:
                    self._failure = self._failure or error
            except Exception as error:
                # A fault in an importer must not end the others, nor be silent.
                _logger.exception("the original of %s could not be imported", file.row.path)
                await self._fail(file.row, f"{type(error).__name__}: {error}")

    async def _read(self, file: Laid, history: History) -> None:
        rereading = Rereading(self._run._store, self._run._org_id, self._writer, file)
        results, begun, left_out = history.read(file.path), 0, ""
        ids: dict[str, None] = {}
        while (result := await self._in_thread(next, results, None)) is not None:
            unreadable = (one for one in result.problems if one.line == 0 and one.reason.startswith(UNREADABLE))
            if gap := next((problem.reason for problem in unreadable), ""):
                # What was read from it before is more than what can be read now.
                await self._fail(file.row, gap)
                return
            if rereading.is_other(result):
                again = await self._in_thread(_ids_in, history, file.path)
                rereading.take_ids(again)
            end = result.state.offset if result.state is not None else file.size
            size, begun = max(0, end - begun), max(begun, end)
            self._figures.bytes_read += size
            await self._emit(_event("read", file.row, size=size))
            stored = await rereading.write(result)
            left_out = left_out or rereading.reason
            ids |= dict.fromkeys(stored)
            self._tally.add(file.row.importer, _named(result, file))
            await self._emit(_event("stored", file.row, size=size, session_ids=tuple(ids)))
        await rereading.finish()
        if left_out and not ids:
            await self._skip(file.row, left_out)
            return
        self._figures.files["read"] += 1
        self._figures.sessions.update(ids)
        if rereading.has_purged:
            return  # facts are text of the file
        # What was left out stays noted: a purge finds by it what is kept.
        ids |= dict.fromkeys(id for row in file.rows for id in row.session_ids if id not in rereading.replaced)
        self._done.append((file, tuple(ids), await self._in_thread(history.facts, file.path)))

    # --- what is noted ----------------------------------------------------------------------------------------------

    async def _note(self, importer: Importer) -> None:
        """Note which version has read the files. It is asked again what is known of them, since an ingest may have been
        here meanwhile: see ``reimport``."""
        store, org_id, machine = self._run._store, self._run._org_id, self._rows[0].machine
        now = {(row.path, row.source_id): row for row in await store.list_source_files(org_id, machine=machine)}
        noted: list[SourceFile] = []
        for file, ids, facts in self._done:
            for row in file.rows:
                fresh = now.get((row.path, row.source_id))
                if fresh is None or (fresh == row and row.importer_version == importer.version):
                    continue
                if fresh == row:
                    outcome = "read" if ids else row.outcome
                    fresh = msgspec.structs.replace(
                        row, importer_version=importer.version, session_ids=ids, outcome=outcome
                    )
                noted.append(msgspec.structs.replace(fresh, stat="", context="", state=b"", facts=facts))
        if noted:
            await store.write_source_files(org_id, noted)

    # --- what is told -----------------------------------------------------------------------------------------------

    async def _skip(self, row: SourceFile, reason: str) -> None:
        self._figures.files[reason] += 1
        await self._emit(_event("skipped", row, size=row.size, reason=reason))

    async def _fail(self, row: SourceFile, reason: str) -> None:
        self._figures.files["failed"] += 1
        await self._emit(_event("failed", row, reason=reason))


def _ids_in(history: History, path: pathlib.Path) -> list[str]:
    return list(dict.fromkeys(session.id for result in history.read(path) for session in result.sessions))


def _named(result: ImportResult, file: Laid) -> ImportResult:
    """The result with the name that its file had."""
    own = name_of(file.path)

    def as_it_was(name: str) -> str:
        return file.row.path + name.removeprefix(own) if name.startswith(own) else name

    problems = [msgspec.structs.replace(one, file=as_it_was(one.file)) for one in result.problems]
    return msgspec.structs.replace(result, file=as_it_was(result.file), problems=problems)


def _event(
    kind: EventKind, row: SourceFile, *, size: int = 0, reason: str = "", session_ids: tuple[str, ...] = ()
) -> IngestEvent:
    return IngestEvent(kind=kind, path=row.path, agent=row.importer, size=size, reason=reason, session_ids=session_ids)
