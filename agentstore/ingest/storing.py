"""The pieces of one file, written in their order: rows and originals first, then how far the file was read."""

from __future__ import annotations

import posixpath

import msgspec

from agentstore.errors import SessionPurgedError
from agentstore.importers.file_blocks import name_of
from agentstore.importers.importer import History
from agentstore.importers.results import ImportResult
from agentstore.importers.sqlite_files import UNREADABLE
from agentstore.importers.states import ImportState
from agentstore.ingest.deciding import Task, pack
from agentstore.ingest.identity import is_compressed
from agentstore.ingest.setting import Setting
from agentstore.ingest.together import Together
from agentstore.ingest.writer import ImportWriter
from agentstore.models import OriginalPart, SourceFile, WriteMark


class Stored(msgspec.Struct):
    """What was stored of one file so far, up to byte ``read_to``.

    ``has_gaps``: some of it could not be read now, and may be later. ``reason``: why the file as a whole could not be
    read, or not all of it. ``is_held``: other sessions have all of it, or it is another's. ``has_purged``: a session in
    it was purged.
    """

    session_ids: tuple[str, ...] = ()
    state: ImportState | None = None
    read_to: int = 0
    has_originals: bool = False
    has_gaps: bool = False
    is_held: bool = False
    has_purged: bool = False
    reason: str = ""

    @property
    def outcome(self) -> str:
        """What became of the file."""
        if self.session_ids:
            return "read"
        if self.has_purged:
            return "purged"
        if self.is_held:
            return "held"
        return "unreadable" if self.reason else "read"


class FileStorer:
    """Writes what is read of one file. ``end``: when this much of a log was read no other piece of it follows."""

    def __init__(
        self, setting: Setting, writer: ImportWriter, together: Together, history: History, task: Task, end: int
    ) -> None:
        self._end = end
        self._setting, self._writer, self._history, self._task = setting, writer, history, task
        self._together = together
        self.file = task.file
        self._mark: WriteMark | None = None
        state, known = task.state, task.session_ids if task.state is not None else ()
        self.stored = Stored(known, state, state.offset if state is not None else 0)
        self.has_begun = False

    @property
    def is_at_end(self) -> bool:
        """Whether all that was there of the file when it was looked at was read by now."""
        return self.has_begun and self.stored.read_to >= self._end

    async def write(self, result: ImportResult, size: int) -> None:
        """Store a piece of so many bytes; what it says of the file is noted when all of it is committed."""
        stored, task = self.stored, self._task
        for problem in result.problems:
            if problem.line == 0:  # the file as a whole
                stored.has_gaps |= problem.reason.startswith(UNREADABLE)
                stored.reason = stored.reason or problem.reason
        if _says_nothing(result, task.state):
            stored.state = result.state
            return
        if result.sessions and task.deleted.issuperset(one.id for one in result.sessions):
            # It stays away, and is not asked for again before it changes. Nor is it forgotten that it is in the file.
            stored.session_ids = tuple(dict.fromkeys((*stored.session_ids, *(one.id for one in result.sessions))))
            stored.state = result.state or stored.state
            return
        more = self._is_main(result) and result.state is not None and result.state.offset < self._end
        try:
            ids = await self._together.write(result, size, more=more)
        except SessionPurgedError:
            stored.has_purged = True  # of several sessions in a file the others are stored
            return
        await self._keep(result, ids)
        stored.session_ids = tuple(dict.fromkeys((*stored.session_ids, *ids)))
        if result.state is not None:
            stored.state = result.state
        # Of a file that ends with this piece ``finish`` notes more. Not while rows of an earlier import are to be taken
        # away: who goes on from here would not know of them.
        is_sure = not stored.has_gaps and not stored.has_purged and not self._writer.is_unfinished(result.file)
        if more and is_sure:
            self._note(is_whole=False)

    async def finish(self) -> None:
        """All of the file is stored: note that it was read as it was when it was looked at."""
        await self._writer.finish(self.file.name)
        if not self.stored.has_gaps:
            await self._remove_older_parts()
            self._note(is_whole=True)
            self._give_up_replaced()

    async def _remove_older_parts(self) -> None:
        """Of a file that was read from its start again nothing is kept of how it was: cut otherwise, or not masked."""
        if self._mark is not None and self.stored.has_originals:
            store, org_id = self._setting.store, self._setting.org_id
            await store.remove_originals(org_id, self._task.original_id, older_than=self._mark)

    def _give_up_replaced(self) -> None:
        """Note of what was at this path before, and begins otherwise, that its session is in this file now."""
        for row in self._setting.ledger.at(self.file.name):
            is_other = row.source_id != self.file.source_id and row.outcome == "read"
            if is_other and not set(row.session_ids).isdisjoint(self.stored.session_ids):
                # With its sessions: a purge of them finds the originals by it.
                self._setting.ledger.note(msgspec.structs.replace(row, outcome="replaced", stat=""))

    def size_of(self, result: ImportResult) -> int:
        """Bytes of the file that a piece is of, about; pieces come in their order."""
        end, self.has_begun = 0, True
        if result.state is not None:
            end = result.state.offset
        elif self._is_main(result):  # and not a subagent that is embedded in it
            end = self.file.found.size
        begun, self.stored.read_to = self.stored.read_to, max(self.stored.read_to, end)
        return self.stored.read_to - begun

    def _is_main(self, result: ImportResult) -> bool:
        return result.file == self.file.name

    def _note(self, *, is_whole: bool) -> None:
        self._setting.ledger.note(_row(self._setting, self._history, self._task, self.stored, is_whole=is_whole))

    async def _keep(self, result: ImportResult, ids: list[str]) -> None:
        """Keep what the piece was made of, if anything was stored of it."""
        if self.stored.has_purged:
            return  # whose record is whose is not known: what is kept could bring the purged session back
        if result.sessions and not ids:
            self.stored.is_held = True
        elif result.originals:
            task, folder = self._task, name_of(self.file.path.parent)
            parts = [
                OriginalPart(
                    original_id=task.original_id,
                    file="" if one.file == self.file.name else posixpath.relpath(one.file, folder),
                    start=one.offset,
                    end=one.end,
                    session_id=ids[0] if ids else "",
                    data=one.data,
                )
                for one in result.originals
            ]
            row = self.file.row
            if task.state is None and self._mark is None and row is not None and row.original_id == task.original_id:
                self._mark = await self._setting.store.mark()
            await self._setting.store.write_originals(self._setting.org_id, parts)
            self.stored.has_originals = True


def leave(setting: Setting, task: Task, outcome: str, history: History, session_ids: tuple[str, ...]) -> None:
    """Note that nothing of a file is to be stored: it is not looked at again before it changes.

    ``session_ids``: of the sessions that are in it all the same, so that purging them finds what is noted here.
    """
    row = _row(setting, history, task, Stored(), is_whole=True)
    row = msgspec.structs.replace(row, outcome=outcome, state=b"", original_id="", session_ids=session_ids)
    setting.ledger.note(row)


def note_again(setting: Setting, task: Task, row: SourceFile, history: History) -> None:
    """Note that a file is what the row says, in another place or compressed."""
    here = _row(setting, history, task, Stored(), is_whole=True)
    again = {name: getattr(row, name) for name in ("size", "outcome", "session_ids", "original_id", "state")}
    setting.ledger.note(msgspec.structs.replace(here, **again))


def _row(setting: Setting, history: History, task: Task, stored: Stored, *, is_whole: bool) -> SourceFile:
    file, owner = task.file, setting.owner
    return SourceFile(
        path=file.name,
        machine=owner.machine,
        source_id=file.source_id,
        importer=file.importer.name,
        importer_version=file.importer.version,
        root=name_of(file.found.root),
        user_id=owner.user_id,
        user_name=owner.user_name,
        stat=file.stat if is_whole else "",
        context=task.context,
        size=stored.read_to if is_compressed(file.path) else file.found.size,
        outcome=stored.outcome,
        session_ids=stored.session_ids,
        original_id=task.original_id if stored.has_originals or task.state is not None else "",
        # Both are text of the file, and none of a purged session may be there.
        state=b"" if stored.has_purged else pack(stored.state),
        facts=b"" if stored.has_purged else history.facts(file.path),
    )


def _says_nothing(result: ImportResult, state: ImportState | None) -> bool:
    """Whether a file is as it was: a log to which nothing was added, or the same document."""
    rows = (result.messages, result.tool_calls, result.git_links, result.file_touches)
    return state is not None and result.state == state and not any(rows)
