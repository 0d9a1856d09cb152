"""The few members of records that a survey looks at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

from agentstore.importers.intake import Mask
from agentstore.importers.jsonl import Record, read_records, to_json


class Worktree(msgspec.Struct):
    worktreePath: Any = None
    originalCwd: Any = None


class Message(msgspec.Struct):
    id: Any = None
    content: msgspec.Raw = msgspec.Raw()


class Told(msgspec.Struct):
    cwd: Any = None


class Progress(msgspec.Struct):
    type: Any = None
    agentId: Any = None
    message: Told | None = None


class Line(msgspec.Struct):
    """What is looked at; a line in which one of these is of another kind is left to the reader to report."""

    type: Any = None
    uuid: Any = None
    timestamp: Any = None
    sessionId: Any = None
    cwd: Any = None
    isSidechain: Any = None
    agentId: Any = None
    forkedFrom: Any = None
    message: Message | None = None
    summary: Any = None
    leafUuid: Any = None
    prUrl: Any = None
    continuedInSessionId: Any = None
    worktreeSession: Worktree | None = None
    data: msgspec.Raw = msgspec.Raw()


class Block(msgspec.Struct):
    type: Any = None
    id: Any = None
    name: Any = None
    input: Any = None
    tool_use_id: Any = None
    content: Any = None


_INNER = ("message", "worktreeSession", "data")
_line = msgspec.json.Decoder(Line)
_progress = msgspec.json.Decoder(Progress)
_blocks = msgspec.json.Decoder(list[Block])


def decoded(lines: Iterator[bytes], mask: Mask | None = None) -> Iterator[Line]:
    """The records in these lines. All texts that a survey remembers of a file come from here, and through ``mask``."""
    for line in map(mask, lines) if mask else lines:
        try:
            yield _line.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # Two records on one line, a byte that is no UTF-8: the reader takes them, so they count here, too.
            for _, record in read_records(line, lambda _line, _reason: None):
                with contextlib.suppress(RecursionError):
                    yield _from_record(record)


def _from_record(record: Record) -> Line:
    plain: dict[str, Any] = {name: record.get(name) for name in Line.__struct_fields__ if name not in _INNER}
    line = Line(**plain)
    message, worktree = record.get("message"), record.get("worktreeSession")
    if isinstance(message, dict):
        content = to_json(message.get("content")).encode("utf-8", errors="replace")
        line.message = Message(message.get("id"), msgspec.Raw(content))
    if isinstance(worktree, dict):
        line.worktreeSession = Worktree(worktree.get("worktreePath"), worktree.get("originalCwd"))
    if isinstance(data := record.get("data"), dict):
        line.data = msgspec.Raw(to_json(data).encode("utf-8", errors="replace"))
    return line


def blocks_of(line: Line) -> list[Block]:
    try:
        return _blocks.decode(line.message.content) if line.message else []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []  # text, or blocks of another shape


def progress_of(line: Line) -> Progress:
    """What the program told while a tool ran."""
    try:
        return _progress.decode(line.data) if bytes(line.data) else Progress()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Progress()


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""
