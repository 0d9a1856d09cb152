"""What is read again of one file, written in place of what is stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentstore.errors import NotFoundError, SessionPurgedError
from agentstore.importers.results import ImportResult
from agentstore.ingest.kept.keeping import as_stored, base_of, lacks_usage, merged, renamed, with_usage
from agentstore.ingest.kept.laying import Laid
from agentstore.ingest.writer import ImportWriter
from agentstore.models import Message, Session
from agentstore.protocols import ReadWriteStore


class Rereading:
    """Writes the results of one file. ``reason``: why sessions of it were left out, "" where none was."""

    def __init__(self, store: ReadWriteStore, org_id: str, writer: ImportWriter, file: Laid) -> None:
        self._store, self._org_id, self._writer, self._file = store, org_id, writer, file
        self._ids: dict[str, str] | None = None
        self.replaced: set[str] = set()  # ids of earlier versions, which are no more
        self._written: dict[str, None] = {}  # by the names that the writer knows
        self._messages: dict[str, list[Message]] = {}
        self.reason = ""
        self.has_purged = False

    def is_other(self, result: ImportResult) -> bool:
        """Whether it has a session that was not stored from this file; asked until all its ids are told."""
        known = self._file.stored
        new = [one.id for one in result.sessions if self._known_as(one.id) not in known]
        return self._ids is None and bool(known and new) and not set(result.replaces) & set(known)

    def take_ids(self, read: Sequence[str]) -> None:
        """All sessions of the file, in their order."""
        self._ids = as_stored(read, [id for id in self._file.stored if id in read or base_of(id) not in read])

    async def write(self, result: ImportResult) -> list[str]:
        """Store what is new of a result; what was stored before goes when all of the file is stored (``finish``), so
        that what an ingest has written meanwhile stays. The ids under which it is stored."""
        result = renamed(result, self._ids or {})
        self.replaced.update(result.replaces)
        sessions = []
        for session in result.sessions:
            stored = await self._stored(session.id)
            if stored is None and self._known_as(session.id) in self._file.stored:
                self.reason = "deleted"
            elif stored is not None and stored.copied_by:
                self.reason = "known"  # it is stored since it has more than the file
            else:
                sessions.append(merged(session, stored) if stored is not None else session)
                if stored is not None and lacks_usage(session, stored):
                    result = await self._with_usage(result, stored)
        if result.sessions and not sessions:
            return []
        self._written[result.file] = None
        try:
            return await self._writer.write(msgspec.structs.replace(result, sessions=sessions), more=True)
        except SessionPurgedError:  # of several sessions in a file the others are stored
            self.reason, self.has_purged = "purged", True
            return []

    async def finish(self) -> None:
        """All of the file is stored."""
        for name in self._written:
            await self._writer.finish(name)

    def _known_as(self, id: str) -> str:
        """The id under which a session of this file was stored: another one, where it became a fork."""
        known = self._file.stored
        return id if id in known else next((other for other in known if other.startswith(f"{id}~")), id)

    async def _stored(self, id: str) -> Session | None:
        id = self._known_as(id)
        if id not in self._file.stored:
            try:
                return await self._store.get_session(self._org_id, id)
            except NotFoundError:
                return None
        return self._file.stored[id]

    async def _with_usage(self, result: ImportResult, stored: Session) -> ImportResult:
        if stored.id not in self._messages:
            self._messages[stored.id] = await self._store.get_session_messages(self._org_id, stored.id)
        return msgspec.structs.replace(result, messages=with_usage(result.messages, self._messages[stored.id]))
