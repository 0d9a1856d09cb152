"""``Writes``: every write of a store, each with its docstring."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from agentstore.connection.sql import sql
from agentstore.errors import InvalidArgumentError, WriteError
from agentstore.models import (
    FileTouch,
    GitLink,
    Message,
    MessagePin,
    OriginalPart,
    Session,
    SessionDelete,
    SessionStar,
    SourceFile,
    ToolCall,
    WriteMark,
)
from agentstore.organisation import organisation
from agentstore.write.calls import Call, version_of
from agentstore.write.looptime import loop_time
from agentstore.write.normalize import checked_ids, listed
from agentstore.write.pipeline import Pipeline, Settled
from agentstore.write.purge import Purge, erase, with_subagents
from agentstore.write.receipt import Receipt
from agentstore.write.rows import (
    FILE_TOUCHES,
    GIT_LINKS,
    MESSAGE_PINS,
    ORIGINALS,
    SESSION_DELETES,
    SESSION_STARS,
    SESSIONS,
    SOURCE_FILES,
    Table,
)
from agentstore.write.writer import Writer


class Writes(ABC):
    """The write side of a store. Each method turns its records into a call, and the writer carries it out.

    When one returns, it is also decided in which session its messages count, where others hold them, too. Where that is
    not known to be done it raises ``WriteError``, although the rows are stored: writing them again decides it.
    """

    @property
    @abstractmethod
    def _open_writer(self) -> Writer:
        """What carries out the calls; a store that is not open raises where it is asked."""

    async def write_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool | WriteMark = False,
    ) -> None:
        """Insert or replace a session, and upsert its messages by ordinal and its tool calls by their key.

        Rows not mentioned stay, unless ``replace``, which also removes the session's messages and tool calls that this
        call does not mention, and all file touches: write these afterwards. An empty ``session_id`` means this session;
        another session's is refused. The session row is committed last, so a session seen in a list is complete. Lists
        show what has a ``user_message_count``: where it is 0 and messages of role "user" come with it, the logger
        ``agentstore`` warns, once for each store.

        A session that comes in several calls is replaced with the last of them: ``replace`` is then what ``mark`` gave
        before the first, and rows written since stay. Until that call is committed, nothing of what was stored is gone.
        """
        writer = self._open_writer
        await writer.write(lambda: writer.calls.session(org_id, session, messages, tool_calls, replace=replace))

    async def write_batch(
        self,
        org_id: str,
        sessions: Iterable[Session],
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool | WriteMark = False,
    ) -> None:
        """The same over many sessions, one insert per table; messages and tool calls may come without sessions.

        ``replace`` is about the sessions that are given: nothing is removed of one of which only messages are.
        """
        writer = self._open_writer
        await writer.write(lambda: writer.calls.batch(org_id, sessions, messages, tool_calls, replace=replace))

    async def mark(self) -> WriteMark:
        """The moment that is now, for ``write_session(replace=…)``.

        What was written or submitted before is older; what is written after it has returned is newer, whichever store
        writes it. It costs a question to the server.
        """
        return WriteMark(await self._open_writer.mark())

    async def write_git_links(self, org_id: str, links: Iterable[GitLink]) -> None:
        """Upsert git links by (session_id, commit_sha, pr_url)."""
        await self._write(org_id, GIT_LINKS, links, "links")

    async def write_file_touches(self, org_id: str, touches: Iterable[FileTouch]) -> None:
        """Upsert what calls did with files, by (session_id, message_ordinal, tool_use_id, call_index, path).

        They belong to the tool calls: ``write_session(replace=True)`` removes those that were written before it.
        """
        await self._write(org_id, FILE_TOUCHES, touches, "touches")

    async def write_source_files(self, org_id: str, files: Iterable[SourceFile]) -> None:
        """Upsert what is known of files that were read, by (machine, path, source_id)."""
        await self._write(org_id, SOURCE_FILES, files, "files")

    async def write_originals(self, org_id: str, parts: Iterable[OriginalPart]) -> None:
        """Upsert parts of files as they were, by (original_id, file, start). Those of a purged session are refused."""
        await self._write(org_id, ORIGINALS, parts, "parts")

    async def remove_originals(self, org_id: str, original_id: str, *, older_than: WriteMark) -> None:
        """Remove the parts of one file that were written before a mark: those of how it was before it was read anew."""
        if not isinstance(older_than, WriteMark):
            raise InvalidArgumentError(f"older_than: {older_than!r} is not what mark() gave", field="older_than")
        statement = sql(
            "INSERT INTO originals (org_id, original_id, file, start, session_id, _version, _deleted)"
            " SELECT org_id, original_id, file, start, session_id, {mark}, 1 FROM originals FINAL"
            " WHERE org_id = {org_id} AND original_id = {original_id} AND _version < {mark}",
            org_id=organisation(org_id),
            original_id=original_id,
            mark=version_of(older_than),
        )
        await self._open_writer.background.execute(statement)

    async def write_session_stars(self, org_id: str, stars: Iterable[SessionStar]) -> None:
        """Upsert stars by (session_id, user_id)."""
        await self._write(org_id, SESSION_STARS, stars, "stars")

    async def write_message_pins(self, org_id: str, pins: Iterable[MessagePin]) -> None:
        """Upsert pins by (session_id, message_ordinal, user_id)."""
        await self._write(org_id, MESSAGE_PINS, pins, "pins")

    async def write_session_deletes(self, org_id: str, deletes: Iterable[SessionDelete]) -> None:
        """Mark sessions as deleted: hidden from lists, search and analytics until the mark is removed."""
        await self._write(org_id, SESSION_DELETES, deletes, "deletes")

    async def remove_session_stars(self, org_id: str, stars: Iterable[SessionStar]) -> None:
        """Remove stars by their keys; one that is not there is no error."""
        await self._write(org_id, SESSION_STARS, stars, "stars", remove=True)

    async def remove_message_pins(self, org_id: str, pins: Iterable[MessagePin]) -> None:
        """Remove pins by their keys; one that is not there is no error."""
        await self._write(org_id, MESSAGE_PINS, pins, "pins", remove=True)

    async def remove_session_deletes(self, org_id: str, deletes: Iterable[SessionDelete]) -> None:
        """Remove deletion marks: the sessions are listed again."""
        await self._write(org_id, SESSION_DELETES, deletes, "deletes", remove=True)

    def submit_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool | WriteMark = False,
    ) -> Receipt:
        """``write_session`` without waiting: returns at once; await the receipt to know the outcome.

        The ``submit_`` variants are accepted in the order of the calls, and before any write called after them. One
        that finds no room waits with all its records, so a worker with endless input should await receipts in between.
        """
        # Listed now: the caller may change them as soon as this has returned.
        writer, rows, calls = self._open_writer, listed(messages, "messages"), listed(tool_calls, "tool_calls")
        return writer.submit(lambda: writer.calls.session(org_id, session, rows, calls, replace=replace))

    def submit_batch(
        self,
        org_id: str,
        sessions: Iterable[Session],
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
    ) -> Receipt:
        """``write_batch`` without waiting; see ``submit_session``."""
        writer, heads = self._open_writer, listed(sessions, "sessions")
        rows, calls = listed(messages, "messages"), listed(tool_calls, "tool_calls")
        return writer.submit(lambda: writer.calls.batch(org_id, heads, rows, calls))

    def submit_git_links(self, org_id: str, links: Iterable[GitLink]) -> Receipt:
        """``write_git_links`` without waiting; see ``submit_session``."""
        return self._submit(org_id, GIT_LINKS, links, "links")

    def submit_file_touches(self, org_id: str, touches: Iterable[FileTouch]) -> Receipt:
        """``write_file_touches`` without waiting; see ``submit_session``."""
        return self._submit(org_id, FILE_TOUCHES, touches, "touches")

    def pipeline(self, *, max_in_flight: int = 64, on_settled: Settled | None = None) -> Pipeline:
        """For a worker with endless input: writes that return as soon as there is room for them. See ``Pipeline``."""
        _ = self._open_writer
        return Pipeline(self, max_in_flight, on_settled)

    async def delete_sessions(self, org_id: str, session_ids: Iterable[str]) -> None:
        """Remove sessions and all their rows from every read, for good; an unknown id is no error.

        What was accepted before it is gone too, also where it arrives later. What is written after it is there again.
        """
        writer, ids = self._open_writer, checked_ids(session_ids)
        await writer.write(lambda: writer.calls.removal(org_id, ids))

    async def purge_sessions(
        self, org_id: str, session_ids: Iterable[str], *, timeout_seconds: float = 3600.0
    ) -> Purge:
        """As ``delete_sessions``, with their subagents; and their texts are erased from the disk.

        When it returns no text of theirs is in any active part or index of any table. The parts that held it are
        rewritten for that, which may take minutes, hence the deadline of its own (``timeout_seconds``); after it
        ``WriteError`` is raised, the sessions are invisible, and purging again goes on. The parts from before stay on
        the server's disk as inactive ones until ``Purge.inactive_parts_until``. Backups are not touched.

        Writing a purged session is refused with ``SessionPurgedError`` until ``restore_sessions``; other stores know of
        the purge within seconds while they write.
        """
        ids = checked_ids(session_ids)
        if not isinstance(timeout_seconds, int | float) or not timeout_seconds > 0:
            raise InvalidArgumentError(
                f"timeout_seconds: expected more than 0, got {timeout_seconds!r}", field="timeout_seconds"
            )
        writer, deadline = self._open_writer, loop_time() + timeout_seconds
        # Before anything is removed: merges take away the rows that say whose subagent a session is.
        purged = await with_subagents(writer.background, org_id, ids, deadline=deadline)
        call = await writer.calls.removal(org_id, purged, purge=True)

        async def prepared() -> Call:
            return call

        try:
            async with asyncio.timeout_at(deadline):
                with writer.versions.purging(org_id, purged):
                    await writer.write(prepared)
                # Rows of theirs that were accepted before are stored by then, and are erased with the rest.
                await writer.flush()
        except TimeoutError as error:
            raise WriteError(
                f"{len(purged)} sessions are not known to be purged: no answer within {timeout_seconds:g} s",
                table=SESSIONS.name,
                keys=[(org_id, session_id) for session_id in purged],
                retriable=True,
                hint="purge again to go on",
            ) from error
        version = max((entry.rows.version for entry in call.entries), default=0)
        return await erase(writer.background, org_id, purged, below=version, deadline=deadline)

    async def restore_sessions(self, org_id: str, session_ids: Iterable[str]) -> None:
        """Let purged sessions be written again. What was erased does not come back by itself."""
        writer, ids = self._open_writer, checked_ids(session_ids)
        await writer.write(lambda: writer.calls.restoration(org_id, ids))
        # Only after it is stored: where that fails the sessions stay purged, and writes of them refused.
        writer.versions.note_restored(org_id, ids)

    async def flush(self) -> None:
        """Returns when all that was accepted or submitted before it is settled, without lingering."""
        await self._open_writer.flush()

    # --- inside -------------------------------------------------------------------------------------------------

    async def _write(
        self, org_id: str, table: Table, records: Iterable[Any], name: str, *, remove: bool = False
    ) -> None:
        writer = self._open_writer
        await writer.write(lambda: writer.calls.rows(table, org_id, records, name=name, remove=remove))

    def _submit(self, org_id: str, table: Table, records: Iterable[Any], name: str) -> Receipt:
        writer, found = self._open_writer, listed(records, name)
        return writer.submit(lambda: writer.calls.rows(table, org_id, found, name=name))
