"""Tool calls, and what came back, as agentsview keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentstore.importers.agentsview.tables import CALLS, EVENTS, number, records, text
from agentstore.importers.jsonl import Record
from agentstore.importers.sqlite_files import Database

_FAILED = frozenset({"errored", "error", "failed", "failure", "cancelled", "canceled"})
_BEGUN = frozenset({"started", "running", "pending", "in_progress"})
# agentsview does not always keep whether a result was an error. Claude Code begins some so, Pi ends some so.
_LOOKS_FAILED = re.compile(r"<tool_use_error>|Exit code [1-9]")
_ENDS_FAILED = re.compile(r"\nCommand exited with code [1-9]\d*\s*\Z")


class Result(NamedTuple):
    """What came back. ``length`` is that of a text that was left out (in bytes)."""

    text: str
    is_error: bool
    length: int = 0
    subagent: str = ""


class Calls:
    """The calls of one row of ``sessions``: where they are, and what came back in parts."""

    def __init__(self, database: Database, session: str) -> None:
        self._database = database
        self._places: dict[int, list[int]] = {}
        if database.has("tool_calls", "message_id", "session_id", "tool_name"):
            order = "call_index, id" if database.has("tool_calls", "call_index") else "id"
            query = f"SELECT message_id, rowid FROM tool_calls WHERE session_id = ? ORDER BY {order}"
            for message, rowid in database.rows(query, session):
                self._places.setdefault(message, []).append(rowid)
        self._has_events = database.has("tool_result_events", "session_id", "tool_call_message_ordinal", "content")
        self._session = session

    def of(self, message: int, ordinal: int) -> Iterator[tuple[Record, Result | None]]:
        """The calls of a message in their order, each with its result, if there is one."""
        places = self._places.get(message, [])
        events = self._events(ordinal) if places and self._has_events else {}
        for position, rowid in enumerate(places):
            for call in records(self._database, "tool_calls", CALLS, "WHERE rowid = ?", rowid):
                index = call["call_index"] if type(call["call_index"]) is int else position
                yield call, _result(call, events.get(index, []))

    def _events(self, ordinal: int) -> dict[int, list[Record]]:
        order = "event_index, id" if self._database.has("tool_result_events", "event_index") else "id"
        where = f"WHERE session_id = ? AND tool_call_message_ordinal = ? ORDER BY {order}"
        found: dict[int, list[Record]] = {}
        for event in records(self._database, "tool_result_events", EVENTS, where, self._session, ordinal):
            found.setdefault(number(event["call_index"]), []).append(event)
        return found


def _result(call: Record, events: list[Record]) -> Result | None:
    content, length = text(call["result_content"]), call["result_content_length"]
    said = content or _said(events)
    is_error = any(text(event["status"]).lower() in _FAILED for event in events) or _looks_failed(said)
    subagent = next((one for event in events if (one := text(event["subagent_session_id"]))), "")
    if not said and type(length) is not int and all(text(event["status"]).lower() in _BEGUN for event in events):
        return None
    return Result(said, is_error, number(length) if not said else 0, subagent)


def _looks_failed(said: str) -> bool:
    return _LOOKS_FAILED.match(said) is not None or _ENDS_FAILED.search(said[-100:]) is not None


def _said(events: list[Record]) -> str:
    """The last of what each agent said, as agentsview joins them."""
    last: dict[str, str] = {}
    for event in events:
        if text(event["content"]).strip():
            last[text(event["agent_id"]).strip()] = text(event["content"])
    nameless = last.pop("", "")
    named = list(last.values()) if len(last) == 1 else [f"{agent}:\n{said}" for agent, said in last.items()]
    return "\n\n".join([*named, *([nameless] if nameless else [])])
