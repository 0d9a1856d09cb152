"""Reads a session's file line by line; what it remembers is a state."""

from __future__ import annotations

import datetime as dt
import pathlib
from typing import NamedTuple

import msgspec

from agentstore.importers.conversation import Conversation, Memory
from agentstore.importers.git_remotes import Remote
from agentstore.importers.importer import Options
from agentstore.importers.jsonl import BOM, MAX_LINE_BYTES, Record, read_records
from agentstore.importers.pi.entries import Entries, Kept, time_of
from agentstore.importers.pi.identity import parent_of, session_key
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState, StaleStateError
from agentstore.importers.times import parse_time
from agentstore.importers.tools import text_of
from agentstore.models import Session


class Around(NamedTuple):
    """What is known from outside of the file. ``asked_by`` is the session that asked for this subagent; ``own`` the id
    that the file says, and ``id`` the one it has, which is another where another file is that session."""

    agent: str
    path: pathlib.PurePath
    file: str
    asked_by: str
    own: str
    id: str
    options: Options
    repositories: Repositories


class FileMemory(msgspec.Struct, array_like=True):
    """What is remembered of a file, packed into ``ImportState.memory``."""

    conversation: Memory = msgspec.field(default_factory=Memory)
    has_header: bool = False
    parent: str = ""
    cwd: str = ""
    began: dt.datetime | None = None
    is_fork: bool = False  # entries are older than the session
    slot: str = ""  # titles, the surest first
    name: str = ""
    title: str = ""
    model: str = ""
    skipped: dict[str, int] = {}
    unknown: dict[str, int] = {}


class Reader:
    """Takes the lines of one file in order and gives its rows, piece by piece."""

    def __init__(self, around: Around, state: ImportState | None = None) -> None:
        self.lines = state.line if state else 0
        self._around = around
        self._at_start = state is None or not state.offset
        self._memory = memory = _unpacked(state.memory) if state else FileMemory()
        self._conversation = Conversation(memory.conversation)
        self._entries = Entries(self._conversation, around.agent, Kept(memory.skipped, memory.unknown), memory.model)
        self._problems: list[ImportProblem] = []
        self._pieces = 0 if self._at_start else 1

    def memory(self) -> bytes:
        self._memory.conversation = self._conversation.held()
        self._memory.model = self._entries.model
        return msgspec.msgpack.encode(self._memory)

    # --- lines -------------------------------------------------------------------------------------------------------

    def take(self, data: bytes, *, complete: bool = True) -> None:
        body = data.removeprefix(BOM) if self._at_start else data
        self._at_start = False
        for number, record in read_records(body, lambda line, reason: self._report(self.lines + line, reason)):
            try:
                self._take(record)
            except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
                self._report(self.lines + number, "nested too deeply")
        self.lines += body.count(b"\n") + (not complete)

    def skip_line(self) -> None:
        self.lines += 1
        self._report(self.lines, f"a line of more than {MAX_LINE_BYTES:,} bytes, skipped")

    def _report(self, line: int, reason: str) -> None:
        self._problems.append(ImportProblem(self._around.file, line, reason))

    def _take(self, record: Record) -> None:
        memory = self._memory
        kind = record.get("type")
        if kind == "session" and not memory.has_header:
            self._take_header(record)
        elif kind == "title":
            memory.slot = text_of(record, "title")
        elif kind == "session":
            self._entries.take({"type": "label"})  # one more of a file that was written into another: no entry
        else:
            if kind == "session_info":
                memory.name = text_of(record, "name")
            elif kind == "title_change":
                memory.title = text_of(record, "title") or memory.title
            self._see_time(time_of(record))
            self._entries.take(record)

    def _take_header(self, header: Record) -> None:
        memory = self._memory
        memory.has_header = True
        memory.parent = parent_of(header)
        memory.cwd = text_of(header, "cwd")
        self._conversation.be_in(memory.cwd)
        memory.title = text_of(header, "title")
        self._entries.model = text_of(header, "modelId")
        memory.began = parse_time(header.get("timestamp"))
        self._conversation.see_time(memory.began, text_of(header, "timestamp"))

    def _see_time(self, moment: dt.datetime | None) -> None:
        memory = self._memory
        if moment and memory.parent and memory.began and moment < memory.began:
            memory.is_fork = True  # a fork begins with itself, not with what it has of another session
        else:
            self._conversation.see_time(moment)

    # --- rows --------------------------------------------------------------------------------------------------------

    def piece(self, state: ImportState) -> ImportResult:
        sessions = self._conversation.totals(self._session())
        messages, calls, links = self._conversation.rows(self._around.id, self._around.options.user_id)
        problems, self._problems = self._problems, []
        self._pieces += 1
        return ImportResult(
            file=self._around.file,
            sessions=sessions,
            messages=messages,
            tool_calls=calls,
            git_links=links,
            file_touches=self._conversation.file_touches(self._around.id),
            problems=problems,
            skipped_records=dict(self._memory.skipped),
            unknown_records=dict(self._memory.unknown),
            piece=self._pieces - 1,
            state=state,
        )

    def _session(self) -> Session:
        around, memory, options = self._around, self._memory, self._around.options
        origins = [seen.remote for seen in self._conversation.memory.seen if seen.is_origin]
        origin = origins[0] if origins else Remote()
        project = around.repositories.project(memory.cwd, origin, is_sure=bool(origin))
        parent, relationship = "", ""
        if around.id != around.own and not around.asked_by:
            parent, relationship = around.own, "fork"
        elif memory.parent:
            parent = session_key(around.agent, around.path, memory.parent)
            relationship = "fork" if memory.is_fork else "continuation"
        elif around.asked_by:
            parent, relationship = around.asked_by, "subagent"
        own = around.path.stem if relationship == "subagent" else ""
        return Session(
            id=self._around.id,
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=options.machine,
            agent_type=around.agent,
            parent_session_id=parent,
            relationship_type=relationship,
            display_name=memory.slot or memory.name or memory.title or own,
        )


def _unpacked(packed: bytes) -> FileMemory:
    try:
        return msgspec.msgpack.decode(packed, type=FileMemory)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StaleStateError(f"what the state remembers cannot be read: {error}") from error
