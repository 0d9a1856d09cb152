"""The files of Gemini CLI, and what a chat is when all of one was read.

``~/.gemini/tmp/<project>/chats/session-<time>-<8 digits>.json``, before 0.40: one JSON object ``{sessionId,
projectHash, startTime, lastUpdated, messages, summary?, kind?, directories?}``, written anew on each turn (counted on
real files). Newer versions: ``.jsonl`` beside it (read in gemini-cli's source, ``chatRecordingService.ts`` of
2026-08; one trimmed real file), of which each line is

* ``{sessionId, projectHash, …}``: what the chat is; with ``messages``, a chat of the older kind as a whole
* ``{id, type, …}``: a message; one with an id that was there takes its place
* ``{"$set": {…}}``: other values of what the chat is
* ``{"$rewindTo": id}``: the person went back; that message and all after it are gone (all of them, if it is not
  known). They are no rows here, either: what was taken back is told by number (``rewound``).

``$set`` with ``messages`` is what the model is shown from then on, after a compression: messages are missing, results
are masked, summaries stand in their place. It is no reason to forget what was said: here messages stay as they were,
and new ones are added behind them. Of a chat that was resumed the old ones have other ids there (their turns are made
anew from texts and calls): what they repeat counts once.

Since any later record may change any message, a chat is always read as a whole, whichever file it is in.
``logs.json`` (prompts that were typed, without answers) and ``checkpoint-<tag>.json`` (copies that ``/chat save``
made, without ids or times) are left alone: they tell nothing of a chat that its own file does not, and of a chat
whose file was deleted they would put prompts in the place of all that is stored of it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from agentstore.importers.copies import Trace, trace_of
from agentstore.importers.documents import read_object
from agentstore.importers.jsonl import BOM, REFUSED, Record, Report, read_records
from agentstore.importers.tools import text_of

_META = ("sessionId", "projectHash", "startTime", "lastUpdated", "kind", "summary", "directories")
_ALONE = re.compile(rb"\{\s*\n")  # how a document begins that is written in several lines
_HAS_ID = re.compile(rb'"sessionId"\s*:\s*"')
_HAS_PROJECT = re.compile(rb'"projectHash"\s*:\s*"')
# What has this is Gemini's and has no id (one schema fixture): its import says so.
_CHECKPOINT = re.compile(rb'\A[^\[]{0,200}"history"\s*:\s*\[.{0,60000}"role"\s*:\s*"gemini"', re.DOTALL)
_PREFERRED = 1 << 40


class Chat:
    """A chat while its records are read: what it is, its messages in the order of their first appearance."""

    def __init__(self) -> None:
        self.meta: Record = {}
        self.messages: dict[str, Record] = {}
        self.injected: set[str] = set()  # ids of messages that only what the model is shown has
        self.times: list[str] = []  # of what the chat was, and is not any more
        self.skipped: dict[str, int] = {}
        self.unknown: dict[str, int] = {}
        self._ever: dict[str, str] = {}  # times by id, also of what was taken back

    @property
    def session_id(self) -> str:
        return text_of(self.meta, "sessionId")

    def trace(self, size: int, *, is_log: bool) -> Trace:
        """What the file's messages are known by. Of two files with the same the log is the one that goes on."""
        return trace_of(self._ever.items(), size + _PREFERRED * is_log)

    def take(self, record: Record) -> None:
        """A record of a log, as gemini-cli itself tells their kinds apart."""
        if isinstance(target := record.get("$rewindTo"), str):
            self._rewind(target)
        elif isinstance(record.get("id"), str):
            self.take_message(record)
        elif isinstance(changes := record.get("$set"), dict):
            self.take_meta(changes)
            self._take_shown(changes.get("messages"))
        elif "sessionId" in record or "messages" in record:
            self.take_document(record)
        else:
            _count(self.unknown, "(no type)")

    def take_document(self, document: Record) -> None:
        self.take_meta(document)
        messages = document.get("messages")
        if not isinstance(messages, list | None):
            _count(self.unknown, "(no list of messages)")
        for message in messages if isinstance(messages, list) else ():
            if isinstance(message, dict):
                self.take_message(message)
            else:
                _count(self.unknown, "(no object)")

    def take_meta(self, changes: Record) -> None:
        for name in _META:
            # A chat keeps the name it had first: its rows are stored under it.
            if name in changes and not (name == "sessionId" and self.session_id):
                if name in ("startTime", "lastUpdated"):
                    self.times.append(text_of(changes, name))
                self.meta[name] = changes[name]

    def take_message(self, message: Record) -> None:
        id = text_of(message, "id") or f"#{len(self._ever)}"
        self.injected.discard(id)
        self.messages[id] = message
        self._ever.setdefault(id, text_of(message, "timestamp"))

    def _take_shown(self, messages: Any) -> None:
        for message in messages if isinstance(messages, list) else ():
            id = message.get("id") if isinstance(message, dict) else None
            if isinstance(id, str) and id not in self._ever:
                self.take_message(message)
                self.injected.add(id)

    def _rewind(self, target: str) -> None:
        is_known = target in self.messages
        while self.messages:
            # From the end, and no further: there may be as many of these records as messages.
            id, message = self.messages.popitem()
            self.injected.discard(id)
            self.times.append(text_of(message, "timestamp"))
            _count(self.skipped, "rewound")
            if is_known and id == target:
                break


def read_chat(data: bytes, report: Report) -> Chat:
    """All of a file, whichever of the two kinds it is; its name does not always tell."""
    chat = Chat()
    body = data.removeprefix(BOM).lstrip(b" \t\r\n\x00")
    document = _whole(body)
    if document is None and not _ALONE.match(body):
        for number, record in read_records(data, report):
            _guarded(chat.take, record, number, report)
        return chat
    document = read_object(body, report) if document is None else document
    if document is not None:
        _guarded(chat.take_document, document, 0, report)
    return chat


def _guarded(take: Callable[[Record], None], record: Record, number: int, report: Report) -> None:
    try:
        take(record)
    except RecursionError:
        report(number, "nested too deeply")


def _whole(body: bytes) -> Record | None:
    with contextlib.suppress(*REFUSED):
        value = msgspec.json.decode(body)
        return value if isinstance(value, dict) else None
    return None


def is_chat(name: str, folder: str, head: bytes) -> bool:
    """Whether a file is a chat, by its name, its folder's name and its first bytes."""
    if not name.endswith((".json", ".jsonl")) or not head.lstrip(BOM + b" \t\r\n\x00").startswith(b"{"):
        return False
    if _HAS_ID.search(head) and _HAS_PROJECT.search(head):
        return True
    if _CHECKPOINT.search(head):
        return True
    # Both names may stand behind the messages, where the first bytes do not reach; or the file is broken.
    return folder == "chats" and name.startswith("session-")


def session_of(head: bytes, data: Callable[[], bytes]) -> str:
    """What a file calls its session. ``data`` is asked only where the beginning does not tell for sure."""
    start = head.partition(b'"messages"')[0].partition(b"\n{")[0]
    found = re.search(rb'"sessionId"\s*:\s*"([^"\\]{1,200})"', start)
    if found:
        return found.group(1).decode("utf-8", errors="replace")
    return read_chat(data(), lambda _line, _reason: None).session_id


def parts_of(content: Any) -> Iterator[Record]:
    """The parts of a message's content: it is a text, a part, or a list of both."""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict):
            yield part
        elif isinstance(part, str) and part:
            yield {"text": part}


def _count(counts: dict[str, int], label: str) -> None:
    counts[label] = counts.get(label, 0) + 1
