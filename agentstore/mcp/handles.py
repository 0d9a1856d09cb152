"""Handles: what tools give out, and what ``open`` takes. Pure.

``0b6e2f4a-…#12.3fa94c7be01d`` is the message 12 of a session, as it was: six digits tell the source's own id of the
message, six the version of its text. Behind ``/`` a handle may name a text of the message and where to go on in it:
``/result.0@1790`` is the result of the first tool call, from the character 1790 on. A session's handle is its id.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from agentstore.models import FileHistoryEntry, MessageVersion, Prompt, SearchResult

_DIGITS = 6
# What ids of sessions are made of stays as it is; nothing else comes into a handle, and so into an agent's context.
_PLAIN = ":-_.~@+="
_HANDLE = re.compile(
    r"(?P<session>[^#/\s]{1,1500})(?:#(?P<ordinal>\d{1,10})(?:\.(?P<mark>[0-9a-f]{12}))?"
    r"(?:/(?P<part>text|input|result)(?:\.(?P<call>\d{1,6}))?@(?P<start>\d{1,12}))?)?"
)


class Handle(NamedTuple):
    """What a handle says; ``ordinal`` -1: the session. ``part`` "": all of the message."""

    session_id: str
    ordinal: int = -1
    mark: str = ""
    part: str = ""
    call: int = 0
    start: int = 0


def parsed(text: str) -> Handle | None:
    """The handle that a text is; None where it is none."""
    found = _HANDLE.fullmatch(text.strip())
    if found is None:
        return None
    numbers = {name: int(found[name] or 0) for name in ("call", "start")}
    ordinal = int(found["ordinal"]) if found["ordinal"] else -1
    return Handle(unquote(found["session"]), ordinal, found["mark"] or "", found["part"] or "", **numbers)


def of_session(session_id: str) -> str:
    """The handle of a session."""
    return quote(session_id, safe=_PLAIN)


def of_message(session_id: str, ordinal: int, version: MessageVersion | None) -> str:
    """The handle of a message; without a version it is whatever stands there."""
    mark = f".{mark_of(version)}" if version else ""
    return f"{of_session(session_id)}#{ordinal}{mark}"


def version_at(session_id: str, ordinal: int, told: Prompt | SearchResult | FileHistoryEntry) -> MessageVersion | None:
    """The version of a message that came with what was told of it; None where none did."""
    return MessageVersion(session_id, ordinal, told.source_id, told.version) if told.version else None


def mark_of(version: MessageVersion) -> str:
    """What a handle tells of the source's message and of its text."""
    return source_mark(version.source_id) + version.version[:_DIGITS]


def source_mark(source_id: str) -> str:
    """What a handle tells of the source's message."""
    return hashlib.blake2s(source_id.encode("utf-8", errors="replace")).hexdigest()[:_DIGITS]


def is_source(mark: str, version: MessageVersion) -> bool:
    """Whether the mark is of this message of the source, whatever its text is now."""
    return version.source_id != "" and mark[:_DIGITS] == source_mark(version.source_id)


def is_text(mark: str, version: MessageVersion) -> bool:
    """Whether the mark is of this text, whatever message it stands in."""
    return mark[_DIGITS:] == version.version[:_DIGITS]
