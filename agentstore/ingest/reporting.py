"""What a pass tells, and what it adds up."""

from __future__ import annotations

import pathlib
from collections.abc import Awaitable, Callable

from agentstore.importers.file_blocks import name_of
from agentstore.importers.results import ImportResult
from agentstore.ingest.deciding import Task
from agentstore.ingest.events import EventKind, IngestEvent
from agentstore.ingest.looking import File, Look
from agentstore.ingest.remembered import Remembered
from agentstore.ingest.storing import Stored
from agentstore.ingest.tally import Figures, Tally

Emit = Callable[[IngestEvent], Awaitable[None]]


class Report:
    """Of one pass. Where it looked at some files only (``looked``), nothing is told of the others."""

    def __init__(self, emit: Emit, tally: Tally, remembered: Remembered, looked: set[pathlib.Path] | None) -> None:
        self._emit, self._tally, self._remembered, self._looked = emit, tally, remembered, looked

    def is_about(self, file: File) -> bool:
        """Whether the pass has looked at a file."""
        return self._looked is None or file.path in self._looked

    async def found(self, look: Look) -> None:
        """All that there is."""
        self._tally.unrecognised.update(look.unrecognised)
        for file in look.files:
            if self._looked is None or (file.path in self._looked and not file.is_same):
                self._of(file).bytes_found += file.found.size
                await self._emit(_event("found", file, size=file.found.size))
        for path, reason in look.failed:
            self._tally.of("").files["failed"] += 1
            if self._remembered.is_news(name := name_of(path), reason):
                await self._emit(IngestEvent(kind="failed", path=name, reason=f"cannot be read: {reason}"))

    async def skipped(self, file: File, reason: str, context: str) -> None:
        """Nothing is read of a file."""
        self._remembered.note(file, context, is_read=True)
        if reason == "unchanged" and self._looked is not None:
            return  # its times have changed, or nothing has
        self._of(file).files[reason] += 1
        await self._emit(_event("skipped", file, size=file.found.size, reason=reason))

    async def read(self, file: File, size: int) -> None:
        """A piece of a file was read."""
        self._of(file).bytes_read += size
        await self._emit(_event("read", file, size=size))

    async def stored(self, file: File, result: ImportResult, size: int, session_ids: tuple[str, ...]) -> None:
        """A piece of a file was stored, if there was anything to store."""
        self._tally.add(file.importer.name, result)
        self._of(file).sessions.update(session_ids)
        if session_ids:
            await self._emit(_event("stored", file, size=size, session_ids=session_ids))

    async def ended(self, task: Task, stored: Stored) -> None:
        """All of a file was read."""
        outcome = stored.outcome
        self._of(task.file).sessions.update(stored.session_ids)
        if stored.has_gaps or outcome == "unreadable":
            await self.failed(task.file, stored.reason, task.context)
        elif outcome == "purged":
            await self.skipped(task.file, outcome, task.context)
        else:
            self._remembered.note(task.file, task.context, is_read=True)
            self._of(task.file).files[outcome] += 1

    def cut(self, file: File, *, has_begun: bool) -> None:
        """The pass is to end before all of a file was read."""
        if has_begun:
            self._of(file).files["begun"] += 1

    async def failed(self, file: File, reason: str, context: str = "") -> None:
        """A file could not be read, or not be stored; where that was told before, it is counted. ``context``: what
        others said of it, if that is known."""
        self._remembered.note(file, context, is_read=False)
        self._of(file).files["failed"] += 1
        if self._remembered.is_news(file.name, reason, file.found.size, file.stat):
            await self._emit(_event("failed", file, reason=reason))

    def gave_up(self, file: File) -> None:
        """A file could not be stored because the store fails: that is told once, by the pass."""
        self._of(file).files["failed"] += 1

    def _of(self, file: File) -> Figures:
        return self._tally.of(file.importer.name)


def _event(
    kind: EventKind, file: File, *, size: int = 0, reason: str = "", session_ids: tuple[str, ...] = ()
) -> IngestEvent:
    return IngestEvent(
        kind=kind, path=file.name, agent=file.importer.name, size=size, reason=reason, session_ids=session_ids
    )
