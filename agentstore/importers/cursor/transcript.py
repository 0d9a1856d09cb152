"""Cursor's transcripts of agents: JSON Lines, or the plain text of older versions.

Lines are ``{"role": "user" | "assistant", "message": {"content": […]}}`` and ``{"type": "turn_ended"}``; nothing has a
time, an id, a model or tokens, and results of tools are rarely there. (Read in public notes about real files of
2026-08, in agentsview, and seen in fixtures of jazzyalex/agent-sessions; no large real file was at hand.) The CLI
writes a transcript anew when its session is resumed.

The session begins and ends when the CLI's ``meta.json`` says. Without it, it ends when the file was changed last, and
began when it ended: that is what agentsview does, and a session without any time is in no list. A prompt may have a
time that the program wrote before it; that counts as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from agentstore.importers.conversation import Conversation, Memory, OpenCall
from agentstore.importers.cursor.blocks import Taker
from agentstore.importers.cursor.paths import directory_in, paths_in
from agentstore.importers.jsonl import MAX_LINE_BYTES, Record, read_records
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState, StaleStateError
from agentstore.importers.tools import text_of
from agentstore.models import Session

_MOST_TYPES = 100


class Around(NamedTuple):
    """What is known of a transcript from outside. ``session`` makes the row of a session in a directory, which may come
    to be known only from its lines. ``started`` are the subagents that it started, by their prompts."""

    id: str
    session: Callable[[str], Session]
    slug: str = ""
    created: dt.datetime | None = None
    changed: dt.datetime | None = None
    started: Mapping[str, str] = {}


class TranscriptMemory(msgspec.Struct, array_like=True):
    conversation: Memory = msgspec.field(default_factory=Memory)
    waiting: list[OpenCall] = []
    cwd: str = ""
    skipped: dict[str, int] = {}
    unknown: dict[str, int] = {}


class TranscriptReader:
    """Takes the lines of one transcript in order and gives its rows, piece by piece."""

    def __init__(self, file: str, around: Around, state: ImportState | None = None) -> None:
        self.lines = state.line if state else 0
        self._pieces = 1 if state and state.offset else 0
        self._file, self._around = file, around
        self._problems: list[ImportProblem] = []
        memory = self._memory = _unpacked(state)
        self._taker = Taker(Conversation(memory.conversation), memory.waiting)
        self._taker.started = dict(around.started)

    def take(self, data: bytes, *, complete: bool = True) -> None:
        """Whole lines; or the last one, whose end is missing (``complete``)."""
        first = self.lines
        for number, line in read_records(data, lambda at, reason: self._report(first + at, reason)):
            try:
                self._take(line)
            except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
                self._report(first + number, "nested too deeply")
        if complete:
            self.lines += data.count(b"\n")

    def skip_line(self) -> None:
        self.lines += 1
        self._report(self.lines, f"a line of more than {MAX_LINE_BYTES:,} bytes, skipped")

    def _report(self, line: int, reason: str) -> None:
        self._problems.append(ImportProblem(self._file, line, reason))

    def _take(self, line: Record) -> None:
        role, message = line.get("role"), line.get("message")
        content = message.get("content") if isinstance(message, dict) else message
        source_id = f"{self._around.id}:{self._taker.conversation.memory.messages}"
        if role == "user":
            prompt = self._taker.take_user(content, None, source_id)
            if prompt is not None and prompt.cwd:
                self._memory.cwd = self._memory.cwd or directory_in(prompt.cwd, self._around.slug)
        elif role == "assistant":
            self._taker.take_assistant(content, None, source_id, text_of(line, "model"))
            if not self._memory.cwd and self._around.slug:
                self._find_directory(content)
        else:
            kind = text_of(line, "type")[:100]
            counts = self._memory.skipped if kind == "turn_ended" else self._memory.unknown
            if kind in counts or len(counts) < _MOST_TYPES:
                counts[kind] = counts.get(kind, 0) + 1

    def _find_directory(self, content: object) -> None:
        for block in content if isinstance(content, list) else ():
            for path in paths_in(block.get("input")) if isinstance(block, dict) else ():
                self._memory.cwd = self._memory.cwd or directory_in(path, self._around.slug)

    def memory(self) -> bytes:
        self._memory.conversation = self._taker.conversation.held()
        return msgspec.msgpack.encode(self._memory)

    def piece(self, state: ImportState) -> ImportResult:
        around, conversation = self._around, self._taker.conversation
        session = around.session(self._memory.cwd)
        messages, calls, links = conversation.rows(session.id, session.user_id)
        problems, self._problems = self._problems, []
        self._pieces += 1
        return ImportResult(
            file=self._file,
            sessions=[timed(one, around.created, around.changed) for one in conversation.totals(session)],
            messages=messages,
            tool_calls=calls,
            git_links=links,
            problems=problems,
            skipped_records=dict(self._memory.skipped),
            unknown_records=dict(self._memory.unknown),
            piece=self._pieces - 1,
            state=state,
        )


def timed(session: Session, created: dt.datetime | None, changed: dt.datetime | None) -> Session:
    """The session with the times that its messages do not have."""
    written = session.source_created_at or (created.isoformat() if created else "")
    created, ended = created or session.started_at or changed, changed or session.ended_at
    if created is not None and ended is not None and ended < created:
        created = ended
    return msgspec.structs.replace(session, started_at=created, ended_at=ended, source_created_at=written)


def _unpacked(state: ImportState | None) -> TranscriptMemory:
    if state is None:
        return TranscriptMemory()
    try:
        return msgspec.msgpack.decode(state.memory, type=TranscriptMemory)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StaleStateError(f"what the state remembers cannot be read: {error}") from error
