"""What the files of a tree say about each other, read before any of them is imported.

Most of it stands in a few lines: titles for other files, and what is known about directories. Only lines that may be
such are decoded. Who a session is and the trace of its records are looked for in the few files whose name does not say
it, or says the same as another's. Files are read in stretches, and those that have grown from where they had ended.
"""

from __future__ import annotations

import io
import pathlib
import re
from collections.abc import Iterator
from typing import BinaryIO

from agentstore.importers.claude_code.identity import Named, is_session_name, place_of
from agentstore.importers.claude_code.said import OF_TALK, Said
from agentstore.importers.claude_code.scan_lines import (
    Line,
    Message,
    blocks_of,
    decoded,
    progress_of,
    text_of,
)
from agentstore.importers.copies import Traced, TraceMaker, record_key
from agentstore.importers.facts import Looking, Noted
from agentstore.importers.file_blocks import first_lines_with, lines_at, lines_with, starts_with
from agentstore.importers.git_remotes import remote_of_request, seen_in
from agentstore.importers.intake import Mask, masked_text
from agentstore.importers.projects import is_named
from agentstore.importers.tools import category

# One pattern for all types, for each look takes time; it begins with a fixed text, which is found fast.
_TYPES = re.compile(rb'"type": ?"(?:summary|pr-link|worktree-state|continued-in|agent_progress)"')
_ASKS = re.compile(rb"git (?:remote|config|push|pull|fetch)\b")
_UUIDS = re.compile(rb'"uuid"\s*:\s*"([^"\\]{1,200})"')
_SPEAKS = (b'"user"', b'"assistant"')
_LONGEST_ASIDE = 1 << 22
_MAX_ASKED = 50  # that wait for an answer
_END = 1 << 20


def look_over(path: pathlib.Path, before: Noted[Said] | None, mask: Mask | None, *, is_traced: bool) -> Noted[Said]:
    """What a file says. ``is_traced``: its name does not tell who it is, or several claim to be it.

    ``before`` is what it said when it was shorter; ``StaleStateError`` where it did not only grow.
    """
    said = before.said if before else Said()
    tracer = None
    if is_traced or said.traced is not None:
        if before and said.traced is None:
            before, said = None, Said()
        tracer = _Tracer(said, mask)
    with path.open("rb") as stream:
        looking = Looking(stream, before.until if before else None)
        for stretch in looking.stretches():
            if stretch.kind in ("lines", "tail"):
                if len(stretch.data) <= _LONGEST_ASIDE:
                    _look(said, stretch.data, mask)
                said.take_uuids(_UUIDS.findall(stretch.data))
                if tracer:
                    tracer.take(stretch.data)
    if tracer:
        tracer.tell(said, looking.size)
    return Noted(said, looking.until())


def _look(said: Said, block: bytes, mask: Mask | None) -> None:
    """Lines in their order: what comes of them does not depend on where a stretch ends."""
    said.cwd = said.cwd or _first_cwd(block, mask)
    starts = starts_with(block, _TYPES, _ASKS)
    asking = [line for line in lines_at(block, starts) if b'"tool_use"' in line and _ASKS.search(line)]
    if said.asked or asking:
        ids = {*said.asked, *(id for line in decoded(iter(asking), mask) for id, _ in _questions(line))}
        starts |= starts_with(block, *(id.encode("utf-8", errors="replace") for id in ids))
    for line in decoded(lines_at(block, starts), mask):
        if line.message:
            _learn_answers(said, line)
            _note_questions(said, line)
        _take(said, line)


def _take(said: Said, line: Line) -> None:
    kind = line.type
    if kind == "summary":
        leaf, title = text_of(line.leafUuid), text_of(line.summary)
        if leaf and title:
            said.titles[leaf] = title
    elif kind == "pr-link":
        request = remote_of_request(text_of(line.prUrl))
        if request and request not in said.requests and len(said.requests) < 2:
            said.requests.append(request)
    elif kind == "continued-in":
        said.continued_in = text_of(line.continuedInSessionId) or said.continued_in
    elif kind == "worktree-state" and (worktree := line.worktreeSession):
        made = (text_of(worktree.worktreePath), text_of(worktree.originalCwd))
        if made not in said.worktrees:
            said.worktrees.append(made)
    elif kind == "progress":
        _take_progress(said, line)


def _take_progress(said: Said, line: Line) -> None:
    progress = progress_of(line)
    agent = text_of(progress.agentId)
    if not agent or progress.type != "agent_progress":
        return
    if agent not in said.embedded:
        said.embedded.append(agent)
    for cwd in (text_of(line.cwd), text_of(progress.message.cwd) if progress.message else ""):
        if cwd and cwd not in said.directories:
            said.directories.append(cwd)


def _first_cwd(block: bytes, mask: Mask | None) -> str:
    cwds = (text_of(line.cwd) for line in decoded(first_lines_with(block, b'"cwd"'), mask))
    return next(filter(None, cwds), "")


def _questions(line: Line) -> Iterator[tuple[str, str]]:
    """Commands that may ask for remotes, by the id of their call."""
    for block in blocks_of(line):
        if block.type == "tool_use" and category(text_of(block.name)) == "Bash" and isinstance(block.input, dict):
            command, id = text_of(block.input.get("command")), text_of(block.id)
            if command and id and _ASKS.search(command.encode("utf-8", errors="replace")):
                yield id, command


def _note_questions(said: Said, line: Line) -> None:
    for id, command in _questions(line):
        if len(said.asked) < _MAX_ASKED:
            said.asked[id] = (command, text_of(line.cwd))


def _learn_answers(said: Said, line: Line) -> None:
    if not said.asked:
        return
    for answer in blocks_of(line):
        if answer.type == "tool_result" and (known := said.asked.pop(text_of(answer.tool_use_id), None)):
            command, cwd = known
            seen = seen_in(command, _text_of_result(answer.content))
            if seen and (seen.is_origin or is_named(seen.remote, cwd)):
                told = (cwd, seen.remote, 0 if seen.is_origin else OF_TALK)
                if told not in said.remotes:
                    said.remotes.append(told)


def _text_of_result(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(text_of(item.get("text")) for item in content if isinstance(item, dict))
    return text_of(content)


class _Tracer:
    """Who the session of a file is, by its records, and what they are known by. What remains of them is masked."""

    def __init__(self, said: Said, mask: Mask | None) -> None:
        self._mask = mask
        self._named = said.named
        self._session_id = said.named.last_session_id if said.named else ""
        self._maker = TraceMaker(said.traced.trace() if said.traced else None)

    def take(self, block: bytes) -> None:
        for line in decoded(lines_with(block, *_SPEAKS)):
            if line.type in ("user", "assistant"):
                self._named = self._named or _named(line, self._mask)
                if is_session_name(session_id := text_of(line.sessionId)):
                    self._session_id = session_id
                self._maker.add(*_key_of(line, self._mask))

    def tell(self, said: Said, size: int) -> None:
        said.named = self._named._replace(last_session_id=self._session_id) if self._named else None
        said.traced = Traced.of(self._maker.trace(size))


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
    named = (text_of(line.sessionId) for line in decoded(_from_the_end(end)) if line.type in ("user", "assistant"))
    return next(filter(is_session_name, named), "")


def _from_the_end(data: bytes) -> Iterator[bytes]:
    end = len(data)
    while end > 0:
        begin = data.rfind(b"\n", 0, end) + 1
        line = data[begin:end]
        if any(kind in line for kind in _SPEAKS):
            yield line
        end = begin - 1


def _key_of(line: Line, mask: Mask | None) -> tuple[str, str]:
    message, time = line.message or Message(), text_of(line.timestamp)
    text = bytes(message.content).decode("utf-8", errors="replace") if not line.uuid else ""
    text = masked_text(mask, text)  # a fork is called by a digest of it: that of its original is the same
    return record_key(text_of(line.type), text_of(line.uuid), text_of(message.id), time, text), time


def _named(first: Line, mask: Mask | None) -> Named:
    """Whose a file is, by the first line that somebody speaks in."""
    forked = first.forkedFrom.get("sessionId") if isinstance(first.forkedFrom, dict) else None
    return Named(
        session_id=masked_text(mask, text_of(first.sessionId)),
        agent_id=masked_text(mask, text_of(first.agentId)),
        uuid=masked_text(mask, text_of(first.uuid)),
        sidechain=first.isSidechain is True,
        forked_from=masked_text(mask, text_of(forked)),
    )
