"""From what an importer returns to what a store holds.

Sessions and subagents in the right order, pieces of one file one after the other, ids of earlier versions cleared away,
and nobody's session overwritten by another's.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import hashlib
import logging
import weakref
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from agentstore.importers.results import ImportResult
from agentstore.importers.states import StaleStateError
from agentstore.ingest.looks import Looks
from agentstore.ingest.whose import claimed_by, in_order, is_anothers, said_by, source_of
from agentstore.models import GitLink, Message, Session, ToolCall, WriteMark
from agentstore.protocols import ReadWriteStore

_logger = logging.getLogger("agentstore")
_REMEMBERED = 256  # files whose pieces may still come, and sessions whose subagents may; more where that is known

T = TypeVar("T")


class _File(msgspec.Struct):
    """A file of which a piece was written: whether from its start, and where its sessions went.

    ``has_more``: other pieces follow. ``unfinished``: sessions that are to be replaced when all of the file is written,
    with the mark from before that.
    """

    from_start: bool
    has_more: bool = False
    ids: dict[str, str] = {}
    unfinished: dict[str, tuple[Session, WriteMark]] = {}


class ImportWriter:
    """Writes the results of imports into one organisation of a store.

    Calls may run side by side; pieces of one file wait for each other, in the order in which they were handed over.
    When ``write`` returns, the server has committed the result.
    """

    def __init__(self, store: ReadWriteStore, org_id: str) -> None:
        self._store = store
        self._org_id = org_id
        self._looks = Looks(store, org_id)
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        # By session: the turn of the file that it is read from, while pieces of that are being written or wait.
        self._reading: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._files: collections.OrderedDict[str, _File] = collections.OrderedDict()
        # By the id that a session has in its file: its subagents so far, and the fork that it became.
        self._subagents: collections.OrderedDict[str, list[Session]] = collections.OrderedDict()
        self._forks: collections.OrderedDict[str, str] = collections.OrderedDict()

    async def write(self, result: ImportResult, *, more: bool = False) -> list[str]:
        """Store a result: what was stored of its sessions before is replaced by its first piece, the others add to it.
        Returns the ids under which its sessions are stored.

        ``more``: other pieces of the file follow, and ``finish`` after them. What was stored before is then replaced by
        that, so that nothing of it is missing where the pieces stop coming.

        What earlier versions stored of the same session under another id (``ImportResult.replaces``) is deleted. A
        session that is stored for another user or machine is never overwritten: see ``_place``. A copy
        (``Session.copied_by``) is written only where nothing is stored, or less: see ``_has_room``.

        ``StaleStateError`` where the result goes on from a state, and a copy has taken the place of what it goes on
        from: import the file again from its start.
        """
        turn = self._turns.setdefault(result.file, asyncio.Lock())
        for session in result.sessions:
            if not session.copied_by:
                self._reading[session.id] = turn
        async with turn:
            file = self._file(result, more)
            for session in in_order(result.sessions):
                await self._write_session(file, session, result, more)
            for session in result.sessions[:1]:
                await self._delete_replaced(session, result.replaces)
            return [id for session in result.sessions if (id := file.ids.get(session.id, ""))]

    async def write_new(self, results: Sequence[ImportResult]) -> list[list[str] | None]:
        """Store results of whole files, those of which nothing is stored yet, by a few calls for all of them.

        Returns the ids of their sessions, and None for those that are left: ``write`` these. Raises as a write does,
        and nothing of these results is to be taken for stored then.
        """
        ids = sorted({session.id for result in results for session in result.sessions})
        async with contextlib.AsyncExitStack() as stack:
            for id in ids:  # in one order: two that wait for each other would wait for ever
                await stack.enter_async_context(self._turns.setdefault(f"\0{id}", asyncio.Lock()))
            new = await self._new_among(results)
            if not new:
                return [None for _ in results]
            sessions = [self._below(one, "") for result in new for one in in_order(result.sessions)]
            links = [link for result in new for link in result.git_links]
            await self._store.write_git_links(self._org_id, links)
            await self._store.write_batch(
                self._org_id,
                sessions,
                [message for result in new for message in result.messages],
                [call for result in new for call in result.tool_calls],
                replace=True,
            )
            touches = [touch for result in new for touch in result.file_touches]
            await self._store.write_file_touches(self._org_id, touches)
            for result in new:
                self._file(result, False).ids.update({session.id: session.id for session in result.sessions})
        return [
            [one.id for one in result.sessions] if any(result is one for one in new) else None for result in results
        ]

    async def _new_among(self, results: Sequence[ImportResult]) -> list[ImportResult]:
        """Those with sessions that are neither stored, also under earlier ids, nor in another one of the results."""
        held = collections.Counter(session.id for result in results for session in result.sessions)
        asked = sorted({*held, *(id for result in results for id in result.replaces)})
        answers = dict(zip(asked, await asyncio.gather(*map(self._stored, asked)), strict=True))
        return [
            result
            for result in results
            if all(held[one.id] == 1 and answers[one.id] is None for one in result.sessions)
            and all(answers[id] is None for id in result.replaces)
        ]

    async def finish(self, name: str) -> None:
        """All pieces of a file are written: take away what was stored of its sessions before and is in none of them."""
        file = self._files.get(name)
        if file is not None:
            file.has_more = False
        if file is not None and file.unfinished:
            async with self._turns.setdefault(name, asyncio.Lock()):
                for own, (session, mark) in list(file.unfinished.items()):
                    await self._store.write_session(self._org_id, session, replace=mark)
                    file.unfinished.pop(own, None)

    async def aclose(self) -> None:
        """Nothing more is written; who was cancelled has left nothing behind that goes on."""
        await self._looks.aclose()

    def is_unfinished(self, name: str) -> bool:
        """Whether rows from before this import are still to be taken away by ``finish``."""
        file = self._files.get(name)
        return file is not None and bool(file.unfinished)

    def _file(self, result: ImportResult, more: bool) -> _File:
        if result.piece == 0 or result.file not in self._files:
            self._files[result.file] = _File(result.piece == 0)
        file = self._files[result.file]
        file.has_more = more
        self._files.move_to_end(result.file)
        if len(self._files) > _REMEMBERED:
            # Never one of which pieces are to come, however many others are read meanwhile: they would begin it anew.
            done = (name for name, one in self._files.items() if not (one.has_more or one.unfinished or one is file))
            self._files.pop(next(done, ""), None)
        return file

    async def _write_session(self, file: _File, session: Session, result: ImportResult, more: bool) -> None:
        reading = self._reading.get(session.id) if session.copied_by else None
        if reading and reading is not self._turns.get(result.file):
            async with reading:  # before all that was handed over is stored a copy would look as if it had more
                pass
        turn = self._turns.setdefault(f"\0{session.id}", asyncio.Lock())
        async with turn:  # what is stored is looked at first, and may be in several files
            await self._write_in_turn(file, session, result, more)

    async def _write_in_turn(self, file: _File, session: Session, result: ImportResult, more: bool) -> None:
        own = session.id
        messages = [message for message in result.messages if message.session_id == own]
        calls = [call for call in result.tool_calls if call.session_id == own]
        links = [link for link in result.git_links if link.session_id == own]
        touches = [touch for touch in result.file_touches if touch.session_id == own]
        is_first = own not in file.ids
        if session.copied_by and is_first:
            file.ids[own] = own if await self._has_room(session, len(calls)) else ""
            self._forget(own, file)
        elif is_first or (not file.ids[own] and messages and not session.copied_by):
            file.ids[own] = await self._place(session, messages, goes_on=not file.from_start)
            if not is_first and file.ids[own] not in ("", own):
                earlier = await self._rows_before(own, messages[0].ordinal)
                messages, calls = earlier[0] + messages, earlier[1] + calls
        id = file.ids[own]
        if not id:
            return
        replace = msgspec.structs.replace
        if session.relationship_type == "subagent":
            session = await self._below_its_fork(replace(session, id=id))
        elif id != own:
            session = replace(session, id=id, parent_session_id=own, relationship_type="fork")
        replacing = await self._replacing(file, own, id, more) if is_first and file.from_start else False
        links = await self._not_lowered(id, [replace(link, session_id=id) for link in links])
        await self._store.write_git_links(self._org_id, links)
        await self._store.write_session(
            self._org_id,
            session,
            [replace(message, session_id=id) for message in messages],
            [replace(call, session_id=id) for call in calls],
            replace=replacing,
        )
        if own in file.unfinished:
            file.unfinished[own] = (session, file.unfinished[own][1])
        # After the session, which may take away what is stored of its calls.
        if touches:
            await self._store.write_file_touches(self._org_id, [replace(touch, session_id=id) for touch in touches])
        if id != own and session.relationship_type == "fork":
            await self._take_subagents_along(own, id)

    async def _replacing(self, file: _File, own: str, id: str, more: bool) -> bool:
        """Whether a first piece takes the place of what is stored; where others follow, it is noted for the end."""
        if more and await self._stored(id) is not None:
            # Before anything of the file is written: what another import writes meanwhile is newer, and stays.
            file.unfinished[own] = (Session(id=id), await self._store.mark())
        return not more

    async def _rows_before(self, id: str, ordinal: int) -> tuple[list[Message], list[ToolCall]]:
        """What earlier pieces of a file had, and was not stored again: a fork that begins later has it, too."""
        messages = await self._store.get_session_messages(self._org_id, id)
        calls = await self._store.get_session_tool_calls(self._org_id, id)
        return (
            [message for message in messages if message.ordinal < ordinal],
            [call for call in calls if call.message_ordinal < ordinal],
        )

    async def _not_lowered(self, id: str, links: list[GitLink]) -> list[GitLink]:
        """Without those of medium confidence that are stored with a high one: by another import, say, that saw more."""
        if not any(link.confidence == "medium" for link in links):
            return links  # as most are: nothing is read
        stored = await self._store.get_session_git_links(self._org_id, id)
        high = {(link.commit_sha, link.pr_url) for link in stored if link.confidence == "high"}
        return [link for link in links if link.confidence == "high" or (link.commit_sha, link.pr_url) not in high]

    async def _below_its_fork(self, session: Session) -> Session:
        """A subagent, below the fork that its session became: else it would count for the owner of the original."""
        parent, fork = session.parent_session_id, ""
        stored = await self._stored(session.id) if parent not in self._forks else None
        if stored is not None and stored.parent_session_id.startswith(f"{parent}~"):
            fork = stored.parent_session_id  # an earlier import found that
        return self._below(session, fork)

    def _below(self, session: Session, fork: str) -> Session:
        if session.relationship_type != "subagent":
            return session
        parent = session.parent_session_id
        fork = self._forks.get(parent, fork)
        if not fork:
            _remember(self._subagents, parent, [*self._subagents.get(parent, ()), session])
        return msgspec.structs.replace(session, parent_session_id=fork or parent)

    async def _take_subagents_along(self, own: str, fork: str) -> None:
        """Subagents come before their session, when nobody knows that it will become a fork."""
        _remember(self._forks, own, fork)
        subagents = [msgspec.structs.replace(one, parent_session_id=fork) for one in self._subagents.pop(own, ())]
        if subagents:
            await self._store.write_batch(self._org_id, subagents, [], [])

    async def _has_room(self, copy: Session, calls: int) -> bool:
        """Whether a copy is to be stored: it has more of the session than what is, be that a copy, too, or from the
        agent's own file. Another owner's session is left alone.

        More calls, or as many and more messages. Of a session from its own file only if the copy goes on after its
        end, too: one program takes for two messages what another takes for one, or has a subagent's calls in it.
        """
        stored = await self._stored(copy.id)
        if stored is None or is_anothers(stored, copy):
            return stored is None
        has, had = (calls, copy.message_count), (stored.tool_call_count, stored.message_count)
        if stored.copied_by:
            return has[0] >= had[0] and has[1] >= had[1]
        goes_on = copy.ended_at is None or stored.ended_at is None or copy.ended_at > stored.ended_at
        return goes_on and has > had

    def _forget(self, id: str, copy: _File) -> None:
        """What files have of a session that a copy replaces is not there any more."""
        for file in self._files.values():
            if file is not copy and copy.ids[id] and file.ids.pop(id, None) is not None:
                file.from_start = False

    async def _place(self, session: Session, messages: list[Message], *, goes_on: bool) -> str:
        """The id under which a session is stored: its own, unless it is stored there for another user or machine.

        One that continues what is stored there takes its place, one of which all is there already is not stored again
        (""), and one that diverged from it becomes a fork. The id of a fork is made from its first own message.
        """
        stored = await self._stored(session.id)
        if stored is not None and goes_on and stored.copied_by:
            raise StaleStateError(f"a copy of session {session.id} is stored: import its file from its start")
        if stored is None or not is_anothers(stored, session):
            return session.id
        known = await self._store.get_session_messages(self._org_id, session.id)
        # Of agents that give their messages no ids nothing but the messages themselves can tell.
        by = source_of if any(message.source_id for message in known) else said_by
        theirs = {by(message) for message in known} - {""}
        new = [id for message in messages if (id := by(message)) and id not in theirs]
        if theirs <= {by(message) for message in messages}:
            id, outcome = session.id, "it goes on there, and takes the place of what was stored"
        elif new:
            fork = hashlib.blake2b(new[0].encode(), digest_size=4).hexdigest()
            id, outcome = f"{session.id}~{fork}", "it diverged, and is stored as a fork"
        else:
            id, outcome = "", "all of it is stored already"
        owners = (session.id, stored.user_id, stored.machine, session.user_id, session.machine)
        _logger.warning("session %s of %r on %r was found for %r on %r, too: %s", *owners, outcome)
        return id

    async def _delete_replaced(self, session: Session, ids: list[str]) -> None:
        """Delete what is stored under these ids where it is this session: other sessions have had the same id."""
        same = []
        for id in ids:
            stored = await self._stored(id)
            # Such ids were given to subagents (their parent is the same) and to files of any name, whose rows had the
            # session that the records name for a parent.
            if stored is not None and stored.parent_session_id in claimed_by(session):
                same.append(id)
        if same:
            await self._store.delete_sessions(self._org_id, same)

    async def _stored(self, id: str) -> Session | None:
        return await self._looks.session(id)


def _remember(known: collections.OrderedDict[str, T], key: str, value: T) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
