"""What is to be done with the files of one agent: they are surveyed where one has changed, and each is decided on."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Iterable

import msgspec

from agentstore.importers.importer import History, Importer
from agentstore.ingest.deciding import Task, copy_of, has_bytes_of, is_settled, task_of
from agentstore.ingest.identity import is_compressed, is_database
from agentstore.ingest.looking import File
from agentstore.ingest.reporting import Report
from agentstore.ingest.setting import Setting
from agentstore.ingest.storing import leave, note_again
from agentstore.ingest.surveying import around_of, facts_of, has_changed, note_around
from agentstore.models import SourceFile


class Plan:
    """Of the files of one agent. What has nothing to be read is told and left."""

    def __init__(self, setting: Setting, report: Report, importer: Importer, files: list[File]) -> None:
        self._setting, self._report, self._importer = setting, report, importer
        self._files = {file.path: file for file in files}
        self._stored: set[str] = set()  # of the sessions that are known of the files

    async def made(self) -> tuple[History, list[Task]] | None:
        """The files that are to be read, in the order in which it is best done; None where nothing has changed."""
        files = [file for file in self._files.values() if self._report.is_about(file)]
        around = await self._setting.in_thread(around_of, self._importer, files)
        has_news = any(has_changed(self._setting.ledger, one) for one in around)
        if not self._setting.again and not has_news and all(self._is_known(file) for file in files):
            for file in files:
                await self._report.skipped(file, "unchanged", file.row.context if file.row is not None else "")
            return None
        history = await self._survey()
        tasks = await self._tasks(history)
        note_around(self._setting.ledger, self._setting.owner, self._importer, around)
        return history, tasks

    def _is_known(self, file: File) -> bool:
        """Whether a file was read as it is now, whatever others say about it."""
        if not self._report.is_about(file):
            return self._setting.remembered.is_read(file.path)
        return file.row is not None and is_settled(file, file.row.context, self._setting.owner)

    def _is_settled(self, file: File, context: str) -> bool:
        if not self._report.is_about(file):
            return self._setting.remembered.is_done(file.path, context)
        return is_settled(file, context, self._setting.owner)

    async def _survey(self) -> History:
        setting, files = self._setting, self._files.values()
        packed = await setting.ledger.facts()
        facts = facts_of(files, self._importer, setting.owner, setting.ledger, packed, self._is_known)
        return await setting.in_thread(self._importer.survey, facts.paths, setting.options, facts.known, facts.grown)

    async def _tasks(self, history: History) -> list[Task]:
        ledger, left = self._setting.ledger, list[tuple[File, str]]()
        for path, context in await self._setting.in_thread(self._contexts, history):
            file = self._files[path]
            if not self._setting.again and self._is_settled(file, context):
                if self._report.is_about(file):
                    await self._report.skipped(file, "unchanged", context)
            else:
                left.append((file._replace(row=ledger.row(file.name, file.source_id)), context))
        rows: dict[str, list[SourceFile]] = collections.defaultdict(list)
        known_rows = await ledger.states(file.source_id for file, _ in left)
        for row in known_rows:
            rows[row.source_id].append(row)
        self._stored = await self._stored_of({id for row in known_rows for id in row.session_ids})
        tasks = []
        for file, context in left:
            known = [] if self._setting.again else rows[file.source_id]
            keep_raw = self._setting.options.keep_original
            task = task_of(file, context, self._setting.owner, known, keep_raw=keep_raw)
            try:
                is_to_be_read = await self._is_to_be_read(task, rows[file.source_id], history)
            except OSError as error:
                await self._report.failed(file, f"{type(error).__name__}: {error}", context)
                continue
            if is_to_be_read:
                await self._note_due(file, rows[file.source_id])
                deleted = frozenset[str]() if self._setting.again else frozenset(task.session_ids) - self._stored
                tasks.append(task._replace(deleted=deleted))
        return tasks

    async def _note_due(self, file: File, rows: Iterable[SourceFile]) -> None:
        """Note of a file that has not changed, but of which others say something else now, that it is to be read. Once
        what the others were read of is noted, nothing else would tell a run that comes after this one was killed."""
        for row in rows:
            is_own = (row.path, row.machine) == (file.name, self._setting.owner.machine)
            if is_own and row.stat and row.stat == file.stat:
                facts = (await self._setting.ledger.facts()).get((row.path, row.source_id), b"")
                self._setting.ledger.note(msgspec.structs.replace(row, stat="", facts=facts))

    def _contexts(self, history: History) -> list[tuple[pathlib.Path, str]]:
        return [(path, history.context(path).hex()) for path in history.files if path in self._files]

    async def _is_to_be_read(self, task: Task, rows: list[SourceFile], history: History) -> bool:
        if self._setting.again:
            return True
        file, row = task.file, task.file.row
        if row is not None and row.outcome == "deleted":
            return await self._leave(task, "deleted", history, row.session_ids)
        is_deleted = bool(task.session_ids) and self._stored.isdisjoint(task.session_ids)
        # New sessions come into a database.
        if is_deleted and not await self._setting.in_thread(is_database, file.path):
            return await self._leave(task, "deleted", history, task.session_ids)
        if task.row is not None and await self._was_compressed(task, task.row):
            note_again(self._setting, task, task.row, history)
            await self._report.skipped(file, "unchanged", task.context)
            return False
        if task.state is None and row is None:
            copied = await self._setting.in_thread(copy_of, file, self._setting.owner, rows)
            if copied is not None and not self._stored.isdisjoint(copied.session_ids):
                return await self._leave(task, "known", history, copied.session_ids)
        return True

    async def _was_compressed(self, task: Task, row: SourceFile) -> bool:
        """Whether a file was compressed since it was read: importers cannot go on in the middle of that."""
        if task.state is None or not is_compressed(task.file.path):
            return False
        return await self._setting.in_thread(has_bytes_of, task.file, row)

    async def _stored_of(self, session_ids: Iterable[str]) -> set[str]:
        return {one.id for one in await self._setting.store.get_sessions(self._setting.org_id, session_ids)}

    async def _leave(self, task: Task, outcome: str, history: History, session_ids: tuple[str, ...]) -> bool:
        leave(self._setting, task, outcome, history, session_ids)
        await self._report.skipped(task.file, outcome, task.context)
        return False
