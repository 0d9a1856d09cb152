"""What a write means, before it is encoded: whose session a row belongs to, and what identifies a tool call. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from agentstore.errors import InvalidArgumentError
from agentstore.models import Message, ToolCall

T = TypeVar("T", Message, ToolCall)


def of_session(records: Iterable[T], session_id: str, name: str) -> list[T]:
    """The records with an empty session_id filled in; another session's record is refused."""
    found: list[T] = []
    for index, record in enumerate(records):
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


def number_calls(calls: Sequence[ToolCall]) -> list[ToolCall]:
    """Tool calls without a tool_use_id, numbered within their message where their call_index repeats.

    Without an id and with the same number they would be one row, and all but the last were lost.
    """
    taken: dict[tuple[Any, ...], set[int]] = {}
    numbered = []
    for call in calls:
        if getattr(call, "tool_use_id", None) == "" and isinstance(call.call_index, int):
            used = taken.setdefault((call.session_id, call.message_ordinal), set())
            index = call.call_index
            while index in used:
                index += 1
            used.add(index)
            if index != call.call_index:
                call = msgspec.structs.replace(call, call_index=index)
        numbered.append(call)
    return numbered
