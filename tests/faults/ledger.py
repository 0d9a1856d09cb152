"""What every call was told, and what must therefore be stored. Every call writes texts of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agentstore import AgentStoreError, GitLink, Message, Session, StoreClosedError, ToolCall, WriteError

Key = tuple[Any, ...]


@dataclass
class Call:
    """One write: its rows by table and key, in the order of acceptance, and how it ended.

    ``unknown`` are the keys that may be stored or not; None while nothing was told.
    """

    number: int
    text: str
    rows: dict[str, list[Key]]
    outcome: BaseException | str = "running"
    unknown: dict[str, set[Key]] = field(default_factory=dict)

    def ended(self, outcome: BaseException | None) -> None:
        """Note what the caller was told, and refuse what callers must not be told."""
        self.outcome = outcome or "stored"
        everything = {table: set(keys) for table, keys in self.rows.items()}
        if isinstance(outcome, asyncio.CancelledError):
            self.unknown = everything
        elif isinstance(outcome, StoreClosedError):
            self.unknown = {table: set() for table in self.rows}
        elif isinstance(outcome, WriteError):
            self.unknown = _named(outcome) if outcome.table else everything
            for table, keys in self.unknown.items():
                assert keys <= everything[table], f"an error names rows of others: {outcome}"
        else:
            assert outcome is None, f"{self.text} ended with {outcome!r}"

    def is_stored(self, table: str, key: Key) -> bool:
        """Whether the caller may rely on this row."""
        if self.outcome == "running" or isinstance(self.outcome, StoreClosedError):
            return False
        return key not in self.unknown.get(table, set())

    def may_be_stored(self, table: str, key: Key) -> bool:
        """Whether finding this row is no surprise. Only what was never accepted must not be there."""
        return not isinstance(self.outcome, StoreClosedError)


def _named(error: WriteError) -> dict[str, set[Key]]:
    return {part.table: set(part.keys) for part in (error, *error.others)}


class Ledger:
    """All calls of all writers; each key belongs to one writer, so the order of its calls is known."""

    def __init__(self, org: str) -> None:
        self.org = org
        self.calls: list[Call] = []

    def session_call(self, writer: int, session: int, ordinals: range, tool_calls: int) -> tuple[Call, Any]:
        """A call that writes a session with messages and tool calls, and the arguments to make it with."""
        id, text = f"w{writer}-s{session}", self._next_text()
        messages = [Message(ordinal=n, role="user", content=text) for n in ordinals]
        calls = [
            ToolCall(message_ordinal=0, tool_use_id=f"t{n}", tool_name="Bash", input_json=text)
            for n in range(tool_calls)
        ]
        rows: dict[str, list[Key]] = {
            "sessions": [(self.org, id)],
            "messages": [(self.org, id, n) for n in ordinals],
            "tool_calls": [(self.org, id, 0, f"t{n}", 0) for n in range(tool_calls)],
        }
        return self._add(text, rows), (Session(id=id, display_name=text, user_message_count=1), messages, calls)

    def links_call(self, writer: int, count: int) -> tuple[Call, list[GitLink]]:
        """A call that writes links, and the links."""
        id, text = f"w{writer}-s0", self._next_text()
        links = [
            GitLink(session_id=id, link_type="commit", confidence="high", commit_sha=f"sha{n}", user_id=text)
            for n in range(count)
        ]
        return self._add(text, {"git_links": [(self.org, id, f"sha{n}", "") for n in range(count)]}), links

    def check(self, table: str, versions: Iterable[tuple[Key, str, int]], newest: dict[Key, str]) -> None:
        """Compare with what is stored: each version of each key with its number, and what a reader sees."""
        by_text = {call.text: call for call in self.calls}
        for key, text, count in versions:
            assert count == 1, f"{table} {key} {text!r} is stored {count} times"
            assert by_text[text].may_be_stored(table, key), f"{table} {key} {text!r} was refused, and is stored"
        for key, calls in self._by_key(table).items():
            allowed = list(_allowed(table, key, calls))
            found = newest.get(key)
            assert found in allowed, f"{table} {key}: found {found!r}, expected one of {allowed}"

    def check_publication(self, sessions: dict[Key, str], messages: dict[Key, str], calls: dict[Key, str]) -> None:
        """What belongs to a session row that is seen is seen too, as it was written with it or later."""
        numbers = {call.text: call.number for call in self.calls}
        by_text = {call.text: call for call in self.calls}
        for text in sessions.values():
            for table, seen in (("messages", messages), ("tool_calls", calls)):
                for key in by_text[text].rows[table]:
                    assert numbers.get(seen.get(key, ""), -1) >= numbers[text], f"{text} is seen without {table} {key}"

    def _by_key(self, table: str) -> dict[Key, list[Call]]:
        found: dict[Key, list[Call]] = {}
        for call in self.calls:
            for key in call.rows.get(table, ()):
                found.setdefault(key, []).append(call)
        return found

    def _next_text(self) -> str:
        return f"call {len(self.calls)}"

    def _add(self, text: str, rows: dict[str, list[Key]]) -> Call:
        call = Call(len(self.calls), text, rows)
        self.calls.append(call)
        return call


def _allowed(table: str, key: Key, calls: list[Call]) -> Iterator[str | None]:
    """What may be seen of a key: the last text that was acknowledged, or one after it of which nobody knows."""
    for call in reversed(calls):
        if call.is_stored(table, key):
            yield call.text
            return
        if call.may_be_stored(table, key):
            yield call.text
    yield None


def outcome_of(task: asyncio.Task[Any]) -> BaseException | None:
    """How a task ended."""
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    assert error is None or isinstance(error, AgentStoreError), f"a foreign error escaped: {error!r}"
    return error
