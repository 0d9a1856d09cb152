"""The records of a rollout in one form, whatever version of Codex wrote them.

Three forms of a line:

=============  ========================================================  ==========================================
form           line                                                      how sure
=============  ========================================================  ==========================================
enveloped      ``{"timestamp", "type", "payload"[, "ordinal"]}``         counted on real files (0.34), fixtures to 0.146
bare (≤0.2x)   the payload alone; line 1 ``{id, timestamp,               read in Codex's source and in FORMATS of others
               instructions, git}``; ``{"record_type": "state"}`` lines
document       ``rollout-*.json`` of the first, TypeScript CLI:          read in source (``document``)
               ``{"session": {...}, "items": [...]}``
=============  ========================================================  ==========================================

``compacted`` records repeat the history that the model goes on with (``replacement_history``): most of the bytes of
large files. They are cut out of the line before it is decoded.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from agentstore.importers.jsonl import Record, Report, read_records
from agentstore.importers.times import parse_time

_ITEMS = """
    message reasoning function_call function_call_output custom_tool_call custom_tool_call_output local_shell_call
    web_search_call tool_search_call tool_search_output image_generation_call ghost_snapshot compaction
    context_compaction agent_message
"""
ITEMS = frozenset(_ITEMS.split())
_COMPACTED = b'"type":"compacted"'
_REPLACEMENT = re.compile(rb'(?<!\\)"replacement_history":\[')
_BEGINS = 300  # where the type of a record stands, at the latest
_MOST_MESSAGE = 1 << 20  # how far a compacted record's own text may reach


class Entry(NamedTuple):
    """One record. ``kind`` is the envelope's type; of a bare line the one that its envelope would have had."""

    kind: str
    payload: Record
    moment: dt.datetime | None = None
    written: str = ""
    ordinal: int | None = None

    @property
    def type(self) -> str:
        return string(self.payload.get("type"))


def entries_of(data: bytes, report: Report) -> Iterator[tuple[int, Entry]]:
    """The records of whole lines (1-based), in order; ``report`` gets what is none."""
    for number, record in read_records(lightened(data), report):
        yield number, entry_of(record)


def entry_of(record: Record) -> Entry:
    kind, payload = record.get("type"), record.get("payload")
    written = string(record.get("timestamp")) or string(record.get("created_at"))
    ordinal = record.get("ordinal")
    moment = parse_time(written) if written else None
    if kind is not None and not isinstance(kind, str):
        kind = "(no text)"
    if kind is not None and isinstance(payload, dict):
        return Entry(kind, payload, moment, written, ordinal if type(ordinal) is int else None)
    if "record_type" in record:
        return Entry("state", record, moment, written)
    if kind in ITEMS:
        return Entry("response_item", record, moment, written)
    if kind is None and isinstance(record.get("role"), str) and ("content" in record or "message" in record):
        content = record.get("content", record.get("message"))
        return Entry("response_item", {**record, "type": "message", "content": content}, moment, written)
    if kind is None and isinstance(record.get("id"), str) and ("timestamp" in record or "instructions" in record):
        return Entry("session_meta", record, moment, written)
    return Entry(string(kind) or "(no type)", record, moment, written)


def entries_of_document(document: Any) -> Iterator[Entry]:
    """The records of a ``rollout-*.json``, as if they were the lines of a file."""
    if not isinstance(document, dict):
        return
    session, items = document.get("session"), document.get("items")
    if isinstance(session, dict):
        yield Entry("session_meta", session, parse_time(session.get("timestamp")), string(session.get("timestamp")))
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            yield entry_of(item)


def lightened(data: bytes) -> bytes:
    """The same lines, but compacted records without the history that they repeat."""
    if data.find(_COMPACTED) < 0:
        return data
    return b"".join(map(_light, data.splitlines(keepends=True)))


def _light(line: bytes) -> bytes:
    if line.find(_COMPACTED, 0, _BEGINS) < 0:
        return line
    found = _REPLACEMENT.search(line, 0, _MOST_MESSAGE)
    body = line.rstrip(b" \t\r\n\x00")
    # A torn line stays as it is: it is no record, and said to be none.
    if not found or not body.endswith(b"}}"):
        return line
    return line[: found.end()] + b"]}}" + line[len(body) :]


def string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def strings(value: Any, *keys: str) -> str:
    """The first non-empty text among these keys of an object that may be none."""
    if isinstance(value, dict):
        for key in keys:
            if (text := value.get(key)) and isinstance(text, str):
                return text
    return ""


def dig(value: Any, *keys: str) -> Any:
    """What is at the end of these keys; None where the way ends before."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
