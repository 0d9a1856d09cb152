"""The pieces of one file, written in their order: originals and rows first, then how far the file was read."""

from __future__ import annotations

import posixpath

import msgspec

from agentstore.errors import SessionPurgedError
from agentstore.importers.file_blocks import name_of
from agentstore.importers.importer import History
from agentstore.importers.results import ImportResult
from agentstore.importers.sqlite_files import UNREADABLE
from agentstore.importers.states import ImportState
from agentstore.ingest.deciding import Owner, Task, pack
from agentstore.ingest.identity import is_compressed
from agentstore.ingest.ledger import Ledger
from agentstore.ingest.writer import ImportWriter
from agentstore.models import OriginalPart, SourceFile
from agentstore.protocols import ReadWriteStore


class Stored(msgspec.Struct):
    """What was stored of one file so far. ``has_gaps``: some of it could not be read now, and may be later. ``reason``:
    why the file as a whole could not be read, or not all of it. ``has_purged``: a session in it was purged."""

    size: int = 0
    messages: int = 0
    tool_calls: int = 0
    session_ids: tuple[str, ...] = ()
    state: ImportState | None = None
    has_gaps: bool = False
    is_held: bool = False
    has_purged: bool = False
    reason: str = ""


class FileStorer:
    """Writes what is read of one file."""

    def __init__(
        self, store: ReadWriteStore, org_id: str, writer: ImportWriter, ledger: Ledger, owner: Owner, task: Task
    ) -> None:
        self._store, self._org_id, self._writer, self._ledger = store, org_id, writer, ledger
        self._owner, self._task = owner, task
        self._has_originals = False
        self.file = task.file
        self.read_to = task.state.offset if task.state is not None else 0
        self.stored = Stored(session_ids=task.session_ids if task.state else (), state=task.state)

    async def write(self, result: ImportResult, history: History) -> None:
        """Store a piece; what it says of the file is noted when all of it is committed."""
        stored, task = self.stored, self._task
        for problem in result.problems:
            if problem.line == 0:  # the file as a whole
                stored.has_gaps |= problem.reason.startswith(UNREADABLE)
                stored.reason = stored.reason or problem.reason
        if _says_nothing(result, task.state):
            stored.state = result.state
            return
        is_main = result.file == task.file.name
        more = is_main and result.state is not None and result.state.offset < task.file.found.size
        try:
            ids = await self._writer.write(result, more=more)
        except SessionPurgedError:
            stored.has_purged = True  # of several sessions in a file the others are stored
            return
        if stored.has_purged:
            pass  # whose record is whose is not known: what is kept could bring the purged session back
        elif result.sessions and not ids:
            stored.is_held = True  # another session has all of it, or it is another's
        elif result.originals:
            await self._write_originals(result, ids[0] if ids else "")
        stored.session_ids = tuple(dict.fromkeys((*stored.session_ids, *ids)))
        stored.messages += len(result.messages)
        stored.tool_calls += len(result.tool_calls)
        if result.state is not None:
            stored.state = result.state
        # Of a file that ends with this piece ``finish`` notes more. Not while rows of an earlier import are to be taken
        # away: who goes on from here would not know of them.
        is_sure = not stored.has_gaps and not stored.has_purged and not self._writer.is_unfinished(result.file)
        if more and is_sure:
            self._ledger.note(self._row(history, is_whole=False))

    async def finish(self, history: History) -> None:
        """All of the file is stored: note that it was read as it was when it was looked at."""
        await self._writer.finish(self._task.file.name)
        if not self.stored.has_gaps:
            self._ledger.note(self._row(history, is_whole=True))

    def leave(self, outcome: str, history: History, session_ids: tuple[str, ...] = ()) -> None:
        """Nothing of the file is to be stored; it is not looked at again before it changes.

        ``session_ids``: of the sessions that are in it all the same, so that purging them finds what is noted here.
        """
        row = self._row(history, is_whole=True)
        row = msgspec.structs.replace(row, outcome=outcome, state=b"", original_id="", session_ids=session_ids)
        self._ledger.note(row)

    def note_again(self, row: SourceFile, history: History) -> None:
        """The file is what the row says, in another place or compressed."""
        here = self._row(history, is_whole=True)
        again = {name: getattr(row, name) for name in ("size", "outcome", "session_ids", "original_id", "state")}
        self._ledger.note(msgspec.structs.replace(here, **again))

    @property
    def outcome(self) -> str:
        """What became of the file: "read"; "held" where other sessions have all of it; "unreadable"."""
        if self.stored.session_ids:
            return "read"
        if self.stored.has_purged:
            return "purged"
        if self.stored.is_held:
            return "held"
        return "unreadable" if self.stored.reason else "read"

    async def _write_originals(self, result: ImportResult, session_id: str) -> None:
        task = self._task
        folder = task.file.path.parent
        parts = [
            OriginalPart(
                original_id=task.original_id,
                file="" if one.file == task.file.name else posixpath.relpath(one.file, name_of(folder)),
                start=one.offset,
                end=one.end,
                session_id=session_id,
                data=one.data,
            )
            for one in result.originals
        ]
        await self._store.write_originals(self._org_id, parts)
        self._has_originals = True

    def _row(self, history: History, *, is_whole: bool) -> SourceFile:
        task, stored = self._task, self.stored
        file = task.file
        return SourceFile(
            path=file.name,
            machine=self._owner.machine,
            source_id=file.source_id,
            importer=file.importer.name,
            importer_version=file.importer.version,
            root=name_of(file.found.root),
            user_id=self._owner.user_id,
            user_name=self._owner.user_name,
            stat=file.stat if is_whole else "",
            context=task.context,
            size=self.read_to if is_compressed(file.path) else file.found.size,
            outcome=self.outcome,
            session_ids=stored.session_ids,
            original_id=task.original_id if self._has_originals or task.state is not None else "",
            # Both are text of the file, and none of a purged session may be there.
            state=b"" if stored.has_purged else pack(stored.state),
            facts=b"" if stored.has_purged else history.facts(file.path),
        )


def _says_nothing(result: ImportResult, state: ImportState | None) -> bool:
    """Whether a file is as it was: a log to which nothing was added, or the same document."""
    rows = (result.messages, result.tool_calls, result.git_links, result.file_touches)
    return state is not None and result.state == state and not any(rows)
