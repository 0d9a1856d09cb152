"""What a call writes: its records checked and encoded, in the order in which they are published.

Everything of a call is encoded before anything of it is accepted: a record that does not fit refuses the whole call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from agentstore.errors import InvalidArgumentError
from agentstore.models import Message, Session, SessionDelete, ToolCall, WriteMark
from agentstore.write.clock import HIGHEST_TIME
from agentstore.write.entry import CHUNK_ROWS, Entry, encode_entry, portions
from agentstore.write.masked import Masking
from agentstore.write.normalize import Taken, checked_ids, chunked, number_calls, of_session
from agentstore.write.rows import (
    CONTENT,
    GIT_LINKS,
    MARKS,
    MESSAGE_SOURCES,
    MESSAGES,
    PURGED,
    SESSION_DELETES,
    SESSION_FLOORS,
    SESSIONS,
    SOURCE_FILES,
    TOOL_CALLS,
    SessionFloor,
    Table,
)
from agentstore.write.touched import Touched

R = TypeVar("R")
T = TypeVar("T", Message, ToolCall)


@dataclass(frozen=True, slots=True)
class Call:
    """The rows of one call in stages: each stage is sent when all before it are stored, and fails if they fail.

    ``touched`` is what it may change of what counts where. ``floor`` is the version of its floors, where that is not
    the call's own: only what is older still is taken away.
    """

    org_id: str
    stages: tuple[list[Entry], ...]
    touched: Touched
    floor: int = 0

    @property
    def entries(self) -> list[Entry]:
        """All of it, in the order of publication."""
        return list(chain.from_iterable(self.stages))

    def decide_version(self, version: int, drawn_at: int) -> None:
        """Fix the version of its rows, and of its floors; refused where a mark for these is not below it."""
        if self.floor >= version:
            # The floor would hide what this call writes, and what others write for as long as the mark is ahead.
            raise InvalidArgumentError("replace: the mark is newer than this call", field="replace")
        self.touched.versions.add(version)
        for entry in self.entries:
            entry.decide_version(self.floor or version if entry.table is SESSION_FLOORS else version, drawn_at)

    def written_sessions(self) -> Iterator[str]:
        """The ids of sessions that the call writes rows of, some more than once; not those it only removes."""
        for entry in self.entries:
            # Removals and floors only take rows away. If they were refused, a purged session could not be purged again.
            if entry.deleted or entry.table is SESSION_FLOORS:
                continue
            if entry.table is SOURCE_FILES:
                # What is packed of a file may hold text of each session in it; without that, its row is only a note.
                yield from (id for file in entry.records if file.state or file.facts for id in file.session_ids)
                continue
            field = "id" if entry.table is SESSIONS else "session_id"
            yield from (getattr(record, field) for record in entry.records)


class Calls:
    """Makes calls, encoding ``chunk_rows`` at a time so that a large one does not hold the loop.

    With ``masking`` their texts are masked first, and what is encoded, sent again or named in an error is masked.
    """

    def __init__(self, chunk_rows: int) -> None:
        # An entry is sent whole, so it may not be larger than what its caller gives: a batch, or all that may wait.
        self._chunk_rows = min(chunk_rows, CHUNK_ROWS)
        self.masking: Masking | None = None

    async def session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message],
        tool_calls: Iterable[ToolCall],
        *,
        replace: bool | WriteMark,
    ) -> Call:
        """A session with its messages and tool calls; with ``replace``, taking away what is not among them.

        What is taken away is what is older than this call, whatever that is when it takes effect: nothing is read. The
        floor comes after the rows, for otherwise the session would be empty for a moment, or for good where they fail.
        Where ``replace`` is a mark, what is not older than that stays.
        """
        floor = version_of(replace)
        if not isinstance(session, Session):
            raise InvalidArgumentError(f"session: expected Session, got {type(session).__name__}", record="session")
        # Encoded first, though published last: a session that does not fit is refused before its messages cost
        # anything.
        touched = Touched(org_id)
        published = await self._encode(SESSIONS, org_id, touched.sessions([[session]]), "session")
        own = self._of_session(messages, session.id, "messages")
        rows = await self._messages(org_id, own, touched)
        calls = touched.calls(_numbered(self._of_session(tool_calls, session.id, "tool_calls")))
        rows += await self._encode(TOOL_CALLS, org_id, calls, "tool_calls")
        floors = await self._floors(org_id, [session.id], CONTENT) if replace else []
        if replace:
            touched.empty(session.id)
        # Published last: whoever sees the session in a list finds all that belongs to it.
        return Call(org_id, (rows, floors, published), touched, floor)

    async def batch(
        self,
        org_id: str,
        sessions: Iterable[Session],
        messages: Iterable[Message],
        tool_calls: Iterable[ToolCall],
        *,
        replace: bool | WriteMark = False,
    ) -> Call:
        """The same over many sessions."""
        floor = version_of(replace)
        touched = Touched(org_id)
        published = await self._encode(
            SESSIONS, org_id, touched.sessions(self._chunks(sessions, "sessions")), "sessions"
        )
        rows = await self._messages(org_id, self._chunks(messages, "messages"), touched)
        calls = touched.calls(_numbered(self._chunks(tool_calls, "tool_calls")))
        rows += await self._encode(TOOL_CALLS, org_id, calls, "tool_calls")
        floors: list[Entry] = []
        if replace:
            ids = list(dict.fromkeys(record.id for entry in published for record in entry.records))
            floors = await self._floors(org_id, ids, CONTENT)
            for id in ids:
                touched.empty(id)
        return Call(org_id, (rows, floors, published), touched, floor)

    async def rows(self, table: Table, org_id: str, records: Iterable[Any], *, name: str, remove: bool = False) -> Call:
        """Records of one table, written or removed by their keys."""
        touched = Touched(org_id)
        chunks: Iterable[list[Any]] = self._chunks(records, name)
        if table is GIT_LINKS:
            chunks = touched.links(chunks)
        elif table is SESSION_DELETES:
            chunks = touched.marks(chunks)
        return Call(org_id, (await self._encode(table, org_id, chunks, name, deleted=remove),), touched)

    async def removal(self, org_id: str, session_ids: Iterable[str], *, purge: bool = False) -> Call:
        """Whole sessions taken away: the session rows first, since from then on nothing leads to the rest."""
        ids = checked_ids(session_ids)
        sessions = [Session(id=id) for id in ids]
        marks = [SessionDelete(session_id=id) for id in ids]
        gone = await self._encode(SESSIONS, org_id, self._chunks(sessions, "session_ids"), "session_ids", deleted=True)
        floors = await self._floors(org_id, ids, CONTENT, MARKS, *([PURGED] if purge else []))
        floors += await self._encode(
            SESSION_DELETES, org_id, self._chunks(marks, "session_ids"), "session_ids", deleted=True
        )
        # One call, so one version: what was written before is below tombstones and floors alike, what is written later
        # is above both.
        return Call(org_id, (gone, floors), Touched(org_id).removal(ids))

    async def restoration(self, org_id: str, session_ids: Iterable[str]) -> Call:
        """Purged sessions that may be written again."""
        floors = [SessionFloor(PURGED, id) for id in checked_ids(session_ids)]
        return await self.rows(SESSION_FLOORS, org_id, floors, name="session_ids", remove=True)

    async def _messages(self, org_id: str, chunks: Iterable[list[Message]], touched: Touched) -> list[Entry]:
        """Messages, and before them what finds others that are the same."""
        rows = await self._encode(MESSAGES, org_id, touched.messages(chunks), "messages")
        held = self._chunks(touched.take_held(), "messages")
        return await self._encode(MESSAGE_SOURCES, org_id, held, "messages") + rows

    async def _floors(self, org_id: str, ids: Sequence[str], *scopes: str) -> list[Entry]:
        floors = [SessionFloor(scope, id) for scope in scopes for id in ids]
        return await self._encode(SESSION_FLOORS, org_id, self._chunks(floors, "session_ids"), "session_ids")

    async def _encode(
        self, table: Table, org_id: str, chunks: Iterable[Sequence[Any]], name: str, *, deleted: bool = False
    ) -> list[Entry]:
        entries = []
        for offset, records in portions(table, org_id, chunks):
            if self.masking is not None:
                records = await self.masking.masked(table, records)
            entries.append(encode_entry(table, org_id, records, name, deleted=deleted, offset=offset))
            await asyncio.sleep(0)  # a large call must not hold the loop while all of it is encoded
        return entries

    def _chunks(self, records: Iterable[R], name: str) -> Iterator[list[R]]:
        return chunked(records, name, self._chunk_rows)

    def _of_session(self, records: Iterable[T], session_id: str, name: str) -> Iterator[list[T]]:
        offset = 0
        for chunk in self._chunks(records, name):
            yield of_session(chunk, session_id, name, offset)
            offset += len(chunk)


def version_of(replace: object) -> int:
    """The version of a mark; 0 where there is none."""
    if isinstance(replace, bool):
        return 0
    version = replace.version if isinstance(replace, WriteMark) else None
    # Not 0 either: it would stand for the call's own version, and take away what was written since the mark.
    if type(version) is not int or not 0 < version < HIGHEST_TIME:
        raise InvalidArgumentError(f"replace: {replace!r} is neither a bool nor what mark() gave", field="replace")
    return version


def _numbered(chunks: Iterable[list[ToolCall]]) -> Iterator[list[ToolCall]]:
    # One for all chunks: a fresh one for each would give two tool calls of one message the same key.
    taken: Taken = {}
    for chunk in chunks:
        yield number_calls(chunk, taken)
