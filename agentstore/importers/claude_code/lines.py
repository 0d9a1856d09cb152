"""A line of a Claude Code transcript as a typed value: only what rows need is decoded, the rest is passed over.

Heavy parts (``toolUseResult``, a subagent's messages, usage, image data) stay raw bytes until their kind asks for them.
A line that the typed decoder refuses takes the forgiving path of ``jsonl`` and ends in the same ``Line``: a field of
another type than its own is as good as missing, a lone text or object is a list of one block. What comes out does not
depend on the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_type_hints

import msgspec

from agentstore.importers.jsonl import REFUSED, Record, Report, read_records, to_json

_T = TypeVar("_T", bound=msgspec.Struct)


class Block(msgspec.Struct, gc=False, omit_defaults=True):
    """A block of content: text, thinking, a tool call, a tool result, an image …"""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    tool_use_id: str | None = None
    content: str | list[Block] | None = None
    is_error: bool | None = None
    tool_name: str | None = None
    source: msgspec.Raw = msgspec.Raw()


class Source(msgspec.Struct, gc=False):
    """Where an image comes from, without its data."""

    media_type: str | None = None


class Said(msgspec.Struct, gc=False):
    """The ``message`` of a line. ``misshapen``: there is content, but it is neither text nor blocks."""

    model: str | None = None
    id: str | None = None
    content: str | list[Block] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    misshapen: bool = msgspec.field(default=False, name="//misshapen")  # set below, and by no agent


class Progress(msgspec.Struct, gc=False):
    """``data`` of a line of type ``progress``."""

    type: str | None = None
    agentId: str | None = None
    message: msgspec.Raw = msgspec.Raw()


class Attachment(msgspec.Struct, gc=False):
    type: str | None = None
    prompt: str | list[Block] | None = None
    commandMode: str | None = None
    origin: Origin | None = None


class Origin(msgspec.Struct, gc=False):
    kind: str | None = None


class ForkedFrom(msgspec.Struct, gc=False):
    sessionId: str | None = None


class Snapshot(msgspec.Struct, gc=False):
    timestamp: str | None = None


class Worktree(msgspec.Struct, gc=False):
    """``worktreeSession``: the worktree that the program made for a session, and where it was called from."""

    worktreeName: str | None = None
    worktreePath: str | None = None
    originalCwd: str | None = None


class Line(msgspec.Struct, gc=False):
    """One record; everything may be missing. The fields stand in the order that most lines have: it is faster."""

    isSidechain: bool | None = None
    cwd: str | None = None
    sessionId: str | None = None
    version: str | None = None
    gitBranch: str | None = None
    agentId: str | None = None
    type: str | None = None
    message: Said | None = None
    uuid: str | None = None
    timestamp: str | None = None
    toolUseResult: msgspec.Raw = msgspec.Raw()
    sourceToolAssistantUUID: str | None = None
    data: Progress | None = None
    parentToolUseID: str | None = None
    subtype: str | None = None
    content: str | list[Block] | None = None
    isMeta: bool | None = None
    isCompactSummary: bool | None = None
    snapshot: Snapshot | None = None
    operation: str | None = None
    attachment: Attachment | None = None
    summary: str | None = None
    leafUuid: str | None = None
    origin: Origin | None = None
    promptSource: str | None = None
    forkedFrom: ForkedFrom | None = None
    continuedInSessionId: str | None = None
    customTitle: str | None = None
    aiTitle: str | None = None
    worktreeSession: Worktree | None = None
    relocatedCwd: str | None = None
    prUrl: str | None = None
    costUSD: msgspec.Raw = msgspec.Raw()
    totalCostUSD: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(Line)
_decode = _decoder.decode
_decode_lines = _decoder.decode_lines
_decode_any = msgspec.json.Decoder().decode
_WHITE = b" \t\r\n"


class Chunk:
    """The records of a stretch of whole lines; ``first`` is the number of its first line.

    Most chunks are decoded in one go. Where that fails, line by line: the good lines of it still take the short way.
    """

    def __init__(self, data: bytes, first: int, report: Report, *, complete: bool = True) -> None:
        self.data = data
        self.count = count_lines(data)
        self._first = first
        self._report = report
        self._wholes: dict[int, Record] = {}  # by the id of a line that took the forgiving path
        self._numbers: list[int] | None = None
        self.lines = self._quick() if complete else None
        if self.lines is None:
            pairs = list(self._slowly())
            self._numbers = [number for number, _ in pairs]
            self.lines = [line for _, line in pairs]

    def _quick(self) -> list[Line] | None:
        try:
            lines = _decode_lines(self.data)
        except REFUSED:
            return None
        # Else there are blank lines, or several objects in one: who counts lines has to look closer.
        return lines if len(lines) == self.count else None

    def _slowly(self) -> Iterator[tuple[int, Line]]:
        for number, raw in enumerate(_split(self.data), self._first):
            body = raw.strip(_WHITE)
            if not body:
                continue
            try:
                line = _decode(body)
            except REFUSED:
                yield from self._forgive(number, raw)
            else:
                yield number, line

    def _forgive(self, number: int, raw: bytes) -> Iterator[tuple[int, Line]]:
        for _, record in read_records(raw, lambda _line, reason: self._report(number, reason)):
            try:
                line = lenient(Line, record)
            except RecursionError:  # the decoder may accept what is nested a little too deeply to be written again
                self._report(number, "nested too deeply")
                continue
            self._wholes[id(line)] = record
            yield number, line

    def __iter__(self) -> Iterator[tuple[int, Line]]:
        assert self.lines is not None
        if self._numbers is None:
            return enumerate(self.lines, self._first)
        return zip(self._numbers, self.lines, strict=True)

    def whole(self, number: int, line: Line) -> Record:
        """All of a record, for the few of which what was decoded is not enough."""
        known = self._wholes.get(id(line))
        if known is not None:
            return known
        body = _split(self.data)[number - self._first]
        records = [record for _, record in read_records(body, lambda _line, _reason: None)]
        return records[0] if records else {}


def count_lines(data: bytes) -> int:
    """The newlines. Faster than ``bytes.count``, for lines are long."""
    number = 0
    place = data.find(b"\n")
    while place >= 0:
        number += 1
        place = data.find(b"\n", place + 1)
    return number


def _split(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    last = lines.pop()
    whole = [line + b"\n" for line in lines]
    return [*whole, last] if last else whole


# --- the forgiving path --------------------------------------------------------------------------------------------


def line_of(raw: msgspec.Raw | bytes) -> Line | None:
    """A record inside another one."""
    try:
        return _decode(raw)
    except REFUSED:
        value = value_of(raw)
        return lenient(Line, value) if isinstance(value, dict) else None


def value_of(raw: msgspec.Raw | bytes) -> Any:
    """What a raw part holds; None where it is missing or cannot be read."""
    body = bytes(raw)
    if not body:
        return None
    try:
        return _decode_any(body)
    except REFUSED:
        # Only objects come through here, so it is wrapped in one.
        found = [record for _, record in read_records(b'{"":' + body + b"}", lambda _line, _reason: None)]
        return found[0].get("") if found else None


def lenient(kind: type[_T], record: Record) -> _T:
    """A struct of what is usable in a record."""
    made = kind()
    for encoded, name, read in _fields_of(kind):
        value = record.get(encoded)
        if value is not None and (usable := read(value)) is not None:
            setattr(made, name, usable)
    if isinstance(made, Said):
        made.misshapen = not isinstance(record.get("content"), (str, list, dict, type(None)))
    return made


def content_of(value: Any) -> str | list[Block] | None:
    """Content as text or blocks, whatever it is; None for what is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return [lenient(Block, value)]
    if isinstance(value, list):
        return [
            Block("text", item) if isinstance(item, str) else lenient(Block, item)
            for item in value
            if isinstance(item, (str, dict))
        ]
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(to_json(value).encode("utf-8", errors="replace"))


def _inner(kind: type[_T]) -> Callable[[Any], _T | None]:
    return lambda value: lenient(kind, value) if isinstance(value, dict) else None


_READERS: dict[Any, Callable[[Any], Any]] = {
    Any: lambda value: value,
    str | None: _text,
    bool | None: _flag,
    str | list[Block] | None: content_of,
    msgspec.Raw: _raw,
    **{kind | None: _inner(kind) for kind in (Said, Progress, Attachment, Origin, ForkedFrom, Snapshot, Worktree)},
}
_fields: dict[type, list[tuple[str, str, Callable[[Any], Any]]]] = {}


def _fields_of(kind: type[msgspec.Struct]) -> list[tuple[str, str, Callable[[Any], Any]]]:
    if kind not in _fields:
        hints = get_type_hints(kind)
        known = [(field.encode_name, field.name, hints[field.name]) for field in msgspec.structs.fields(kind)]
        _fields[kind] = [(encoded, name, _READERS[hint]) for encoded, name, hint in known if hint is not bool]
    return _fields[kind]
