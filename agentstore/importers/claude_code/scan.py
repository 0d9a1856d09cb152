"""What the files of a tree say about each other, read before any of them is imported.

``look_over`` takes what stands in a few lines: titles for other files, and what is known about directories. Only lines
that may be such are decoded. ``trace`` takes who a session is and the trace of its records; it is for the few files
whose name does not say it, or says the same as another's. Both read a file in blocks.
"""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import msgspec

from agentstore.importers.claude_code.identity import Named, is_session_name, place_of
from agentstore.importers.copies import Trace, record_key, trace_of
from agentstore.importers.file_blocks import blocks, first_lines_with, lines_with
from agentstore.importers.git_remotes import Remote, remote_of_request, seen_in
from agentstore.importers.intake import Mask, masked_text
from agentstore.importers.jsonl import Record, read_records, to_json
from agentstore.importers.projects import Repositories, is_named
from agentstore.importers.tools import category

# One pattern for all types, for each look takes time; it begins with a fixed text, which is found fast.
_TYPES = re.compile(rb'"type": ?"(?:summary|pr-link|worktree-state|continued-in)"')
_ASKS = re.compile(rb"git (?:remote|config|push|pull|fetch)\b")
_SPEAKS = (b'"user"', b'"assistant"')
# Ranks: what was pushed to may be a fork, and a request may go to another repository than the one it was made from.
_OF_TALK = 1
_OF_REQUEST = 2
_LONGEST_ASIDE = 1 << 22
_MAX_ASKED = 50  # that wait for an answer
_END = 1 << 20


class _Worktree(msgspec.Struct):
    worktreePath: Any = None
    originalCwd: Any = None


class _Message(msgspec.Struct):
    id: Any = None
    content: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct):
    """What is looked at; a line in which one of these is of another kind is left to the reader to report."""

    type: Any = None
    uuid: Any = None
    timestamp: Any = None
    sessionId: Any = None
    cwd: Any = None
    isSidechain: Any = None
    agentId: Any = None
    forkedFrom: Any = None
    message: _Message | None = None
    summary: Any = None
    leafUuid: Any = None
    prUrl: Any = None
    continuedInSessionId: Any = None
    worktreeSession: _Worktree | None = None


class _Block(msgspec.Struct):
    type: Any = None
    id: Any = None
    name: Any = None
    input: Any = None
    tool_use_id: Any = None
    content: Any = None


_line = msgspec.json.Decoder(_Line)
_blocks = msgspec.json.Decoder(list[_Block])


class Overview(NamedTuple):
    """The titles that a file gives, by the record that each is of; its directory; the session that it goes on in."""

    titles: dict[str, str]
    cwd: str
    continued_in: str


def look_over(path: pathlib.Path, repositories: Repositories, mask: Mask | None = None) -> Overview:
    """What a file says about others; what it says of directories is learned. Lines are masked when they are looked
    at, few as they are."""
    titles: dict[str, str] = {}
    continued_in = ""
    asked: dict[str, tuple[str, str]] = {}
    requests: set[Remote] = set()
    cwd = ""
    for block in blocks(path, longest=_LONGEST_ASIDE):
        cwd = cwd or _first_cwd(block, mask)
        for line in _decoded(lines_with(block, _TYPES, _ASKS), mask):
            if line.type == "summary":
                leaf, title = _text(line.leafUuid), _text(line.summary)
                if leaf and title:
                    titles[leaf] = title
            elif line.type == "pr-link":
                requests.add(remote_of_request(_text(line.prUrl)))
            elif line.type == "continued-in":
                continued_in = _text(line.continuedInSessionId) or continued_in
            elif line.type == "worktree-state" and (worktree := line.worktreeSession):
                repositories.learn_worktree(_text(worktree.worktreePath), _text(worktree.originalCwd))
            elif line.message:
                _note_questions(line, asked)
        if asked:
            _learn_answers(block, asked, repositories, mask)
    repositories.learn_directory(cwd)
    # Only where it is plain which repository it is: the directory's, by its name, and no second one.
    requests.discard(Remote())
    if len(requests) == 1 and is_named(request := next(iter(requests)), cwd):
        repositories.learn_remote(cwd, request, _OF_REQUEST)
    return Overview(titles, cwd, continued_in)


def _first_cwd(block: bytes, mask: Mask | None) -> str:
    return next(filter(None, (_text(line.cwd) for line in _decoded(first_lines_with(block, b'"cwd"'), mask))), "")


def _note_questions(line: _Line, asked: dict[str, tuple[str, str]]) -> None:
    """Commands that may ask for remotes, by the id of their call, with the directory they run in."""
    for block in _blocks_of(line):
        if block.type == "tool_use" and category(_text(block.name)) == "Bash" and isinstance(block.input, dict):
            command, id = _text(block.input.get("command")), _text(block.id)
            if command and id and len(asked) < _MAX_ASKED:
                asked[id] = (command, _text(line.cwd))


def _learn_answers(
    block: bytes, asked: dict[str, tuple[str, str]], repositories: Repositories, mask: Mask | None
) -> None:
    ids = [id.encode("utf-8", errors="replace") for id in asked]
    for line in _decoded(lines_with(block, *ids), mask):
        for answer in _blocks_of(line):
            if answer.type == "tool_result" and (known := asked.pop(_text(answer.tool_use_id), None)):
                command, cwd = known
                seen = seen_in(command, _text_of_result(answer.content))
                if seen and (seen.is_origin or is_named(seen.remote, cwd)):
                    repositories.learn_remote(cwd, seen.remote, 0 if seen.is_origin else _OF_TALK)


def _text_of_result(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(_text(item.get("text")) for item in content if isinstance(item, dict))
    return _text(content)


def trace(path: pathlib.Path, mask: Mask | None = None) -> tuple[Named, Trace]:
    """Who the session of a file is, by its records, and what they are known by. What remains of them is masked."""
    ends = _Ends()
    keys = (_key_of(line, mask) for line in _spoken(path, ends))
    found = trace_of(keys, path.stat().st_size)
    return _named(ends, mask), found


class _Ends(msgspec.Struct):
    """The first line that somebody speaks in, and the session that the last one names."""

    first: _Line | None = None
    session_id: str = ""


def _spoken(path: pathlib.Path, ends: _Ends) -> Iterator[_Line]:
    for block in blocks(path):
        for line in _decoded(lines_with(block, *_SPEAKS)):
            if line.type in ("user", "assistant"):
                ends.first = ends.first or line
                if is_session_name(session_id := _text(line.sessionId)):
                    ends.session_id = session_id
                yield line


def last_session_id(stream: BinaryIO, file: str) -> str:
    """What the end of a file calls its session; "" where the name of the file does, or where it cannot be seen.

    The last line that somebody speaks in: where a session goes on in a new file, that begins with lines of the old one.
    """
    place = place_of(file)
    if not place.stem or place.is_subagent or is_session_name(place.stem) or not stream.seekable():
        return ""
    begin = stream.tell()
    stream.seek(max(begin, stream.seek(0, io.SEEK_END) - _END))
    end = stream.read(_END)
    stream.seek(begin)
    named = (_text(line.sessionId) for line in _decoded(_from_the_end(end)) if line.type in ("user", "assistant"))
    return next(filter(is_session_name, named), "")


def _from_the_end(data: bytes) -> Iterator[bytes]:
    end = len(data)
    while end > 0:
        begin = data.rfind(b"\n", 0, end) + 1
        line = data[begin:end]
        if any(kind in line for kind in _SPEAKS):
            yield line
        end = begin - 1


def _key_of(line: _Line, mask: Mask | None) -> tuple[str, str]:
    message, time = line.message or _Message(), _text(line.timestamp)
    text = bytes(message.content).decode("utf-8", errors="replace") if not line.uuid else ""
    text = masked_text(mask, text)  # a fork is called by a digest of it: that of its original is the same
    return record_key(_text(line.type), _text(line.uuid), _text(message.id), time, text), time


def _named(ends: _Ends, mask: Mask | None) -> Named:
    first = ends.first
    if first is None:
        return Named()
    forked = first.forkedFrom.get("sessionId") if isinstance(first.forkedFrom, dict) else None
    return Named(
        session_id=masked_text(mask, _text(first.sessionId)),
        last_session_id=ends.session_id,  # a UUID
        agent_id=masked_text(mask, _text(first.agentId)),
        uuid=masked_text(mask, _text(first.uuid)),
        sidechain=first.isSidechain is True,
        forked_from=masked_text(mask, _text(forked)),
    )


def _decoded(lines: Iterator[bytes], mask: Mask | None = None) -> Iterator[_Line]:
    for line in map(mask, lines) if mask else lines:
        try:
            yield _line.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # Two records on one line, a byte that is no UTF-8: the reader takes them, so they count here, too.
            for _, record in read_records(line, lambda _line, _reason: None):
                with contextlib.suppress(RecursionError):
                    yield _from_record(record)


def _from_record(record: Record) -> _Line:
    usable = {name: record.get(name) for name in _Line.__struct_fields__ if name not in ("message", "worktreeSession")}
    line = _Line(**usable)
    message, worktree = record.get("message"), record.get("worktreeSession")
    if isinstance(message, dict):
        content = to_json(message.get("content")).encode("utf-8", errors="replace")
        line.message = _Message(message.get("id"), msgspec.Raw(content))
    if isinstance(worktree, dict):
        line.worktreeSession = _Worktree(worktree.get("worktreePath"), worktree.get("originalCwd"))
    return line


def _blocks_of(line: _Line) -> list[_Block]:
    try:
        return _blocks.decode(line.message.content) if line.message else []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []  # text, or blocks of another shape


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
