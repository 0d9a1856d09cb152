"""Cursors: the key of a page's last row as text that goes through a URL. Pure.

A session cursor is url-safe base64 of ``started_at in RFC 3339 | id``; microseconds survive, and a session without
started_at leaves its place empty.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from typing import Annotated, Any, TypeVar

import msgspec

from agentstore.connection.sql import from_ticks, ticks
from agentstore.errors import InvalidCursorError

# Within the columns' ranges: what lies outside is no key of ours, and the server would refuse to compare with it.
_UInt32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
_Kind = Annotated[int, msgspec.Meta(ge=0, le=1)]
_Score = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Average = Annotated[float, msgspec.Meta(gt=0)]
# moment in microseconds, session_id, ordinal, 0 for a message or 1 for a tool call, tool_use_id, call_index: the key of
# a hit, whose order is in ``search/hit_keys.py``.
SearchKey = tuple[int | None, str, _UInt32, _Kind, str, _UInt32]


def encode_session_cursor(started_at: dt.datetime | None, session_id: str) -> str:
    """The cursor after this session."""
    return _to_base64(f"{_rfc3339(started_at)}|{session_id}".encode())


def decode_session_cursor(cursor: str) -> tuple[dt.datetime | None, str]:
    """started_at and id of the last row seen, or ``InvalidCursorError``."""
    text, separator, session_id = _from_base64(cursor).partition("|")
    if not separator or not session_id:
        raise InvalidCursorError("cursor: not one of list_sessions", field="cursor")
    if not text:
        return None, session_id
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.UTC) if moment.tzinfo else _raise_without_zone(), session_id
    except (ValueError, OverflowError):
        raise InvalidCursorError("cursor: its time cannot be read", field="cursor") from None


class SearchCursor(msgspec.Struct, frozen=True, array_like=True):
    """The sort key of the last hit seen, and how many hits the first page counted; ``more``: there are more of them."""

    key: SearchKey
    total: int
    more: bool = False


class WordsCursor(msgspec.Struct, frozen=True, array_like=True):
    """Score and sort key of a row, with the number of ranked rows and their mean length as the first page found them.

    With these two every page scores an unchanged row alike, whatever has been written since. ``last`` is the last row,
    in the order of substrings, that is ranked; None where all are.
    """

    score: _Score
    key: SearchKey
    total: _UInt32
    average: _Average
    last: SearchKey | None = None


class FileCursor(msgspec.Struct, frozen=True, array_like=True):
    """The key of the last touch of a file's history; its moment in microseconds, None for one without a time."""

    moment: int | None
    session_id: str
    ordinal: _UInt32
    call_index: _UInt32
    tool_use_id: str
    path: str


class LinkCursor(msgspec.Struct, frozen=True, array_like=True):
    """The key of the last git link of a list; its moment in microseconds, None for one without a time."""

    moment: int | None
    session_id: str
    ordinal: _UInt32
    commit_sha: str
    pr_url: str


_Cursor = TypeVar("_Cursor", SearchCursor, WordsCursor)
_Dated = TypeVar("_Dated", FileCursor, LinkCursor)


def encode_search_cursor(cursor: SearchCursor | WordsCursor | FileCursor | LinkCursor) -> str:
    """The cursor as text."""
    return _to_base64(msgspec.json.encode(cursor))


def decode_search_cursor(text: str) -> SearchCursor:
    """What the text of a substring search says, or ``InvalidCursorError``."""
    return _search_cursor(text, SearchCursor)


def decode_words_cursor(text: str) -> WordsCursor:
    """What the text of a search by words says, or ``InvalidCursorError``."""
    return _search_cursor(text, WordsCursor)


def decode_file_cursor(text: str) -> FileCursor:
    """What the text of a file's history says, or ``InvalidCursorError``."""
    return _dated_cursor(text, FileCursor, "file_history")


def decode_link_cursor(text: str) -> LinkCursor:
    """What the text of a list of git links says, or ``InvalidCursorError``."""
    return _dated_cursor(text, LinkCursor, "list_git_links")


def _dated_cursor(text: str, kind: type[_Dated], method: str) -> _Dated:
    try:
        cursor = msgspec.json.decode(_from_base64(text), type=kind)
        from_ticks(cursor.moment)
    except (msgspec.MsgspecError, OverflowError):
        raise InvalidCursorError(f"cursor: not one of {method}", field="cursor") from None
    return cursor


def _search_cursor(text: str, kind: type[_Cursor]) -> _Cursor:
    try:
        cursor = msgspec.json.decode(_from_base64(text), type=kind)
        # A moment that is no datetime is no key of ours either. Found here it is an InvalidCursorError and not, some
        # statements later, an error of the search.
        for key in (cursor.key, getattr(cursor, "last", None)):
            from_ticks(key[0] if key else None)
    except (msgspec.MsgspecError, OverflowError):
        raise InvalidCursorError("cursor: not one of this search", field="cursor") from None
    return cursor


def _rfc3339(moment: dt.datetime | None) -> str:
    # As the server stores it, in UTC and whole microseconds: the cursor is compared with what is stored.
    exact = from_ticks(None if moment is None else ticks(moment))
    return "" if exact is None else exact.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64(cursor: Any) -> str:
    try:
        data = cursor.encode("ascii")
        # Strictly: by default other characters are left out, and a cursor that was cut or edited would be another one.
        return base64.b64decode(data + b"=" * (-len(data) % 4), altchars=b"-_", validate=True).decode()
    except (AttributeError, ValueError, binascii.Error):
        raise InvalidCursorError("cursor: not url-safe base64 of ours", field="cursor") from None


def _raise_without_zone() -> dt.datetime:
    raise ValueError("no timezone")
