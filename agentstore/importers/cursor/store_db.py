"""One session of Cursor's CLI: ``~/.cursor/chats/<hash>/<id>/store.db``, with ``meta.json`` beside it.

Two tables. ``meta`` has one row, whose value is JSON written as hexadecimal digits: agentId, name, createdAt (ms),
lastUsedModel, latestRootBlobId. ``blobs`` has what was said, each part under the SHA-256 of its bytes: messages as
JSON, and nodes as protocol buffers, whose field 1 lists the messages (or further nodes) in order, 32 bytes each. The
newest root lists what the model sees now; what a summary has replaced is not in it. The order of rows means nothing,
and is only taken where no message is below the root.

A message is ``{role, content, id, providerOptions}`` in the shape of Vercel's AI SDK: roles system, user, assistant,
tool; every assistant's ``id`` is "1". Nothing has a time, and nothing says how many tokens it took: the session begins
when ``meta`` says, and ends when ``meta.json`` says, or the file was changed.

How sure this is: read in the parsers of tape, guidemode and others, and in public notes about real databases of
versions 2025-08 to 2026-08, which agree. The model is the one that was used last: messages do not say theirs. No real
database was at hand.
"""

from __future__ import annotations

import binascii
import contextlib
import functools
import pathlib
from collections.abc import Iterator
from typing import Any

from agentstore.importers.conversation import Conversation
from agentstore.importers.cursor.blocks import Taker, blocks_of, text_in
from agentstore.importers.cursor.prompts import read_prompt
from agentstore.importers.cursor.protobuf import texts_and_messages
from agentstore.importers.editors import path_of_uri
from agentstore.importers.intake import Mask, masked_text
from agentstore.importers.jsonl import Record, read_document
from agentstore.importers.sqlite_files import Database, Report, open_database
from agentstore.importers.tools import text_of

_MOST_META = 1_000_000
_MOST_BLOB = 64 * 1024 * 1024
_MOST_BLOBS = 200_000
_MOST_BYTES = 256 * 1024 * 1024
_ID_BYTES = 32


class StoredSession:
    """What a database says of its session."""

    def __init__(self) -> None:
        self.meta: Record = {}
        self.cwd = ""
        self.messages: list[tuple[str, Record]] = []  # with the ids of their blobs, in order


def read_store(path: pathlib.Path, report: Report, mask: Mask | None = None) -> StoredSession:
    """All of it, so that the database is open for no longer than needed."""
    stored = StoredSession()
    with open_database(path, report, mask) as database:
        if not database.has("blobs", "id", "data") or not database.has("meta", "value", "key"):
            if database.is_whole:
                report("no database of Cursor's: it has no blobs")
            return stored
        stored.meta = _meta(database)
        root = text_of(stored.meta, "latestRootBlobId")
        stored.messages = list(_messages(database, root, stored, report))
        if not stored.messages and database.is_whole:
            stored.messages = list(_all_messages(database, report))
    return stored


def agent_id(path: pathlib.Path, mask: Mask | None = None) -> str:
    """Whose session a database says it is."""
    with open_database(path, lambda _reason: None, mask) as database:
        return text_of(_meta(database), "agentId")[:200] if database.has("meta", "value", "key") else ""


def take_stored(stored: StoredSession, conversation: Conversation, session_id: str) -> None:
    taker, model = Taker(conversation), text_of(stored.meta, "lastUsedModel")[:200]
    for blob, message in stored.messages:
        role, content = message.get("role"), message.get("content")
        source_id = f"{session_id}:{blob}"
        options = _options(message)
        if role == "user" and _is_summary(message):
            conversation.add("system", text_in(content), source_id=source_id)
        elif role == "user":
            prompt = taker.take_user(content, None, source_id)
            stored.cwd = stored.cwd or (prompt.cwd if prompt else "")
        elif role == "assistant":
            taker.take_assistant(content, None, source_id, model)
        elif role == "tool":
            _take_results(taker, content, _object(options.get("highLevelToolCallResult")))


def prompts_in(stored: StoredSession) -> int:
    """How many prompts a person wrote."""
    said = [message for _, message in stored.messages if message["role"] == "user" and not _is_summary(message)]
    texts = [text_in(blocks_of(message.get("content"))) for message in said]
    return sum(read_prompt(text).role == "user" for text in texts if text.strip())


def _take_results(taker: Taker, content: Any, details: Record) -> None:
    output = _object(details.get("output"))
    failed = details.get("isError") is True or output.get("isError") is True
    for block in blocks_of(content):
        call = taker.take_result(block, is_error=failed)
        agent = text_of(_object(output.get("success")), "agentId")
        if call is not None and agent:
            taker.conversation.starts(call, f"cursor:{agent[:200]}")


def _options(message: Record) -> Record:
    return _object(_object(message.get("providerOptions")).get("cursor"))


def _is_summary(message: Record) -> bool:
    """Whether the program put this in the place of what was said before."""
    return _options(message).get("isSummary") is True


def _meta(database: Database) -> Record:
    for (value,) in database.rows("SELECT value FROM meta WHERE length(value) < ? ORDER BY key LIMIT 10", _MOST_META):
        data = value.encode() if isinstance(value, str) else value
        if not isinstance(data, bytes):
            continue
        with contextlib.suppress(ValueError):  # JSON as it is
            data = binascii.unhexlify(data.strip())
            data = database.mask(data) if database.mask else data
        if document := read_document(data, lambda _line, _reason: None):
            return document
    return {}


def _messages(database: Database, root: str, stored: StoredSession, report: Report) -> Iterator[tuple[str, Record]]:
    """The messages below a root, in order. With an own stack, since a hostile database may nest its nodes deeply.

    One that was said twice, word by word, is one blob; it has another id the second time. A node comes once.
    """
    nodes: set[str] = set()
    times: dict[str, int] = {}
    waiting = [root] if root else []
    size, asked = 0, 0
    while waiting and asked < _MOST_BLOBS and size < _MOST_BYTES:
        id, asked = waiting.pop(), asked + 1
        data = _blob(database, id)
        if not database.is_whole:
            return  # what comes next may have lost what was before it
        size += len(data)
        if data.startswith(b"{"):
            message = read_document(data, functools.partial(_tell, report, id))
            if message and isinstance(message.get("role"), str):
                times[id] = times.get(id, 0) + 1
                yield id if times[id] == 1 else f"{id}:{times[id]}", message
        elif id not in nodes:
            nodes.add(id)
            fields = list(texts_and_messages(data))
            for number, value in fields if id == root else ():
                if number != 1 and value.startswith(b"file://"):
                    stored.cwd = stored.cwd or masked_text(
                        database.mask, path_of_uri(value.decode("utf-8", errors="replace"))
                    )
            links = [value.hex() for number, value in fields if number == 1 and len(value) == _ID_BYTES]
            waiting.extend(reversed(links[:_MOST_BLOBS]))
    if waiting:
        report("more messages than are read")


def _all_messages(database: Database, report: Report) -> Iterator[tuple[str, Record]]:
    """All messages, where none is below the root, in the order in which they were written, as far as one can tell."""
    size = 0
    query = "SELECT id, data FROM blobs WHERE length(data) < ? AND substr(data, 1, 1) = ? ORDER BY rowid LIMIT ?"
    for id, data in database.rows(query, _MOST_BLOB, b"{", _MOST_BLOBS):
        size += len(data)
        if size > _MOST_BYTES:
            report("more messages than are read")
            return
        message = read_document(data, functools.partial(_tell, report, str(id))) if isinstance(data, bytes) else None
        if message and isinstance(message.get("role"), str):
            yield str(id), message


def _blob(database: Database, id: str) -> bytes:
    found = list(database.rows("SELECT data FROM blobs WHERE id = ? AND length(data) < ?", id, _MOST_BLOB))
    data = found[0][0] if found else b""
    return data.encode() if isinstance(data, str) else data if isinstance(data, bytes) else b""


def _tell(report: Report, id: str, _line: int, reason: str) -> None:
    report(f"blob {id}: {reason}")


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}
