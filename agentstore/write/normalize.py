"""What a write means, before it is encoded: whose session a row belongs to, and what identifies a tool call. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

from agentstore.errors import InvalidArgumentError
from agentstore.models import Message, ToolCall

T = TypeVar("T", Message, ToolCall)
R = TypeVar("R")
Taken = dict[tuple[Any, ...], set[int]]


def listed(records: Iterable[R], name: str) -> list[R]:
    """The records as a list; a single record, or nothing at all, where several belong is refused."""
    return list(_iterator(records, name))


def chunked(records: Iterable[R], name: str, size: int) -> Iterator[list[R]]:
    """The same, but in lists of at most ``size``, each taken when it is asked for."""
    iterator = _iterator(records, name)
    while chunk := list(islice(iterator, size)):
        yield chunk


def checked_ids(session_ids: Iterable[str]) -> list[str]:
    """Session ids, each once; what is no id is refused."""
    # A str is iterable, and each of its characters would pass for an id.
    if isinstance(session_ids, str):
        raise InvalidArgumentError("session_ids: expected several ids, got one str", field="session_ids")
    ids = list(dict.fromkeys(listed(session_ids, "session_ids")))
    for index, session_id in enumerate(ids):
        if not isinstance(session_id, str) or not session_id:
            raise InvalidArgumentError(f"session_ids[{index}]: {session_id!r} is no id", field="session_ids")
    return ids


def of_session(records: Iterable[T], session_id: str, name: str, offset: int = 0) -> list[T]:
    """The records with an empty session_id filled in; another session's record is refused.

    ``offset`` is the number of the first one.
    """
    found: list[T] = []
    for index, record in enumerate(listed(records, name), offset):
        # What is no record at all passes here; the encoding refuses it and says what it is.
        own = getattr(record, "session_id", session_id)
        if own == "":
            record = msgspec.structs.replace(record, session_id=session_id)
        elif own != session_id:
            raise InvalidArgumentError(
                f"{name}[{index}].session_id: {own!r} is not the session being written, {session_id!r}",
                record=f"{name}[{index}]",
                field="session_id",
            )
        found.append(record)
    return found


def number_calls(calls: Sequence[ToolCall], taken: Taken | None = None) -> list[ToolCall]:
    """Tool calls without a tool_use_id, numbered within their message where their call_index repeats.

    Without an id and with the same number they would be one row, and all but the last were lost. ``taken`` remembers
    the numbers from one part of a call to the next.
    """
    taken = {} if taken is None else taken
    numbered = []
    for call in calls:
        if _is_numbered(call):
            used = taken.setdefault((call.session_id, call.message_ordinal), set())
            index = call.call_index
            while index in used:
                index += 1
            used.add(index)
            if index != call.call_index:
                call = msgspec.structs.replace(call, call_index=index)
        numbered.append(call)
    return numbered


def _iterator(records: Iterable[R], name: str) -> Iterator[R]:
    try:
        return iter(records)
    except TypeError:
        kind = type(records).__name__
        raise InvalidArgumentError(f"{name}: expected several records, got {kind}", record=name) from None


def _is_numbered(call: ToolCall) -> bool:
    """Whether it is a call without an id. What is of another type is left to the encoding, which refuses it by name."""
    if not isinstance(call, ToolCall) or call.tool_use_id != "":
        return False
    return isinstance(call.session_id, str) and type(call.message_ordinal) is int and type(call.call_index) is int
