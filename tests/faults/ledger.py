"""What every call was told, and what a reader may therefore find. It knows the promises, not how they are kept.

Each key of each table is a register. A call that writes the key sets its text there; one that removes it (a delete, a
purge, a replace that does not mention it) sets nothing there. Every call writes a text of its own. Then:

* What is read of a key was set by a call that was not refused for certain, and that no acknowledged call *follows*:
  so what was acknowledged is read unless others wrote the key meanwhile, and nothing of a call that failed, nor of one
  that was overtaken by a removal, shows above what was accepted after it.
* Where only replaces and removals of a session are left that way, all acknowledged, the session is exactly as one of
  them made it.
* A session row that is seen is seen with its rows, as they were written with it or later.
* No row is stored twice.

A call follows another one if it began after that had ended, or after it had been submitted to the same store.
Between two stores this is promised as far as their clocks agree (``write/versions.py``): a store that asks a replica
whose clock is behind follows only what ended by so much earlier (``behind``). One whose clock has to be lifted above
stored rows, since the server's time does not, follows what was *stored* when it last looked (``looked``), and nothing
else is promised. A cancelled call ended at no moment that other stores could know: for them it never did.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agentstore import AgentStoreError, GitLink, Message, Session, StoreClosedError, ToolCall, WriteError
from agentstore.errors import SessionPurgedError

Key = tuple[Any, ...]
Place = tuple[str, Key]
Kind = Literal["write", "replace", "marked", "delete", "purge", "links"]
Fate = Literal["stored", "unknown", "refused"]
# What is read: for each table, the text of each key.
Seen = dict[str, dict[Key, str]]

NEVER = float("inf")
OTHERS = -1
# Tables whose rows a replace takes away where it does not mention them; a delete takes all.
CONTENT = ("messages", "tool_calls")


@dataclass
class Call:
    """One write: its rows by table and key, those of its floors included, when it ran, and how it ended.

    ``looked``: its store began a look after all calls before it had ended. ``known``: stored before stores were opened.
    A "marked" one replaces what is older than the mark that was asked for when it began, and not what came meanwhile.
    """

    number: int
    kind: Kind
    store: int
    session: str
    rows: dict[str, list[Key]]
    submitted: bool = False
    looked: bool = False
    known: bool = False
    began: float = 0.0
    ended_at: float = NEVER
    outcome: BaseException | str = "running"
    # Where the outcome is an error that names keys: those, and whether they are known not to be stored.
    named: dict[Place, Fate] = field(default_factory=dict)
    everything: Fate = "unknown"

    @property
    def text(self) -> str:
        """The text that only this call writes."""
        return f"call {self.number}"

    def ended(self, outcome: BaseException | None) -> None:
        """Note what the caller was told, and refuse what callers must not be told."""
        self.outcome, self.ended_at = outcome or "stored", time.monotonic()
        if outcome is None:
            self.everything = "stored"
        elif isinstance(outcome, asyncio.CancelledError) or self.kind == "purge":
            self.everything = "unknown"
        elif isinstance(outcome, StoreClosedError | SessionPurgedError):
            self.everything = "refused"
        else:
            assert isinstance(outcome, WriteError), f"{self.text} ended with {outcome!r}"
            if outcome.table:
                self.everything, self.named = "stored", dict(_named(outcome))
                places = {(table, key) for table, keys in self.rows.items() for key in keys}
                assert self.named.keys() <= places, f"an error names rows of others: {outcome}"

    def fate(self, place: Place) -> Fate:
        """What the caller knows of a row."""
        return self.named.get(place, self.everything)

    def effect(self, table: str, key: Key) -> tuple[str | None, Fate] | None:
        """What the call sets there and whether that is stored; None where it does not touch the key."""
        if key in self.rows.get(table, ()):
            removes = self.kind in ("delete", "purge")
            return (None if removes else self.text), self.fate((table, key))
        if key[1] != self.session:
            return None
        if table in CONTENT and self.kind in ("replace", "marked", "delete", "purge"):
            return None, self.fate(("session_floors", (key[0], "content", self.session)))
        if table == "git_links" and self.kind in ("delete", "purge"):
            return None, self.fate(("session_floors", (key[0], "marks", self.session)))
        return None

    @property
    def ended_for_others(self) -> float:
        """When other stores may rely on its being over."""
        return NEVER if isinstance(self.outcome, asyncio.CancelledError) else self.ended_at

    @property
    def left_nothing(self) -> bool:
        """Whether all of it was refused for certain."""
        return all(self.fate((table, key)) == "refused" for table, keys in self.rows.items() for key in keys)


def _named(error: WriteError) -> Iterator[tuple[Place, Fate]]:
    for part in (error, *error.others):
        fate: Fate = "refused" if "were not stored" in part.message else "unknown"
        for key in part.keys:
            yield (part.table, key), fate


class Ledger:
    """All calls of all writers of all stores, and the comparison with what is read.

    ``behind`` says for each store by how many seconds its clock may be behind the server's; infinite for one that has
    to be lifted by its looks. What others store by hand has the store ``OTHERS``.
    """

    def __init__(self, org: str, behind: Sequence[float]) -> None:
        self.org = org
        self.calls: list[Call] = []
        self._behind = [*behind, 0.0]

    # --- calls --------------------------------------------------------------------------------------------------

    def session_call(
        self,
        store: int,
        session: str,
        ordinals: Iterable[int],
        tool_calls: int,
        *,
        replace: bool = False,
        marked: bool = False,
    ) -> tuple[Call, tuple[Session, list[Message], list[ToolCall]]]:
        """A call that writes a session with messages and tool calls, and the arguments to make it with."""
        numbers = list(ordinals)
        rows: dict[str, list[Key]] = {
            "sessions": [(self.org, session)],
            "messages": [(self.org, session, n) for n in numbers],
            "tool_calls": [(self.org, session, 0, f"t{n}", 0) for n in range(tool_calls)],
        }
        if replace:
            rows["session_floors"] = [(self.org, "content", session)]
        kind: Kind = "marked" if marked else "replace" if replace else "write"
        call = self._add(kind, store, session, rows)
        messages = [Message(ordinal=n, role="user", content=call.text) for n in numbers]
        calls = [
            ToolCall(message_ordinal=0, tool_use_id=f"t{n}", tool_name="Bash", input_json=call.text)
            for n in range(tool_calls)
        ]
        return call, (Session(id=session, display_name=call.text, user_message_count=1), messages, calls)

    def links_call(self, store: int, session: str, count: int) -> tuple[Call, list[GitLink]]:
        """A call that writes links, and the links."""
        keys: list[Key] = [(self.org, session, f"sha{n}", "") for n in range(count)]
        call = self._add("links", store, session, {"git_links": keys})
        links = [
            GitLink(session_id=session, link_type="commit", confidence="high", commit_sha=f"sha{n}", user_id=call.text)
            for n in range(count)
        ]
        return call, links

    def removal(self, store: int, session: str, *, purge: bool = False) -> Call:
        """A call that deletes or purges a session."""
        scopes = ("content", "marks", *(("purged",) if purge else ()))
        rows: dict[str, list[Key]] = {
            "sessions": [(self.org, session)],
            "session_floors": [(self.org, scope, session) for scope in scopes],
            "session_deletes": [(self.org, session)],
        }
        return self._add("purge" if purge else "delete", store, session, rows)

    def _add(self, kind: Kind, store: int, session: str, rows: dict[str, list[Key]]) -> Call:
        call = Call(len(self.calls), kind, store, session, rows, began=time.monotonic())
        self.calls.append(call)
        return call

    # --- the comparison -----------------------------------------------------------------------------------------

    def check_stored(self, table: str, stored: Iterable[tuple[Key, str, int]]) -> None:
        """Every row that is physically there, by key and text with its number: once, and not if it was refused."""
        by_text = {call.text: call for call in self.calls}
        for key, text, count in stored:
            assert count == 1, f"{table} {key} {text!r} is stored {count} times"
            assert by_text[text].fate((table, key)) != "refused", f"{table} {key} {text!r} was refused, and is stored"

    def check_uncopied(self, table: str, rows: Iterable[tuple[Key, str]]) -> None:
        """None of these rows, by key and text, which are stored and not copied, was acknowledged."""
        by_text = {call.text: call for call in self.calls}
        for key, text in rows:
            fate = by_text[text].fate((table, key)) if text in by_text else ""
            assert fate != "stored", f"{table} {key} {text!r} was acknowledged, and is not copied"

    def check_seen(self, seen: Seen) -> None:
        """Compare with what a reader finds."""
        places = {(table, key) for call in self.calls for table, keys in call.rows.items() for key in keys}
        for table, key in sorted(place for place in places if place[0] in seen):
            allowed = self._allowed(table, key)
            found = seen[table].get(key)
            assert found in allowed, f"{table} {key}: found {found!r}, expected one of {allowed}"
        for table, rows in seen.items():
            assert {(table, key) for key in rows} <= places, f"rows of {table} that nobody wrote"
        for session in {call.session for call in self.calls}:
            self._check_whole(session, seen)
            self._check_publication(session, seen)

    def _allowed(self, table: str, key: Key) -> set[str | None]:
        effects = [(call, *effect) for call in self.calls if (effect := call.effect(table, key)) is not None]
        stored = [call for call, _, fate in effects if fate == "stored"]
        allowed: set[str | None] = set() if stored else {None}
        for call, value, fate in effects:
            if fate != "refused" and not any(self._follows(later, call, fate) for later in stored):
                allowed.add(value)
        return allowed

    def _follows(self, later: Call, earlier: Call, fate: Fate) -> bool:
        """Whether ``later`` began after ``earlier``, whose effect has this fate, was over, as far as is promised."""
        if later is earlier:
            return False
        if earlier.known:
            return True
        if later.store == earlier.store:
            queued = earlier.submitted and earlier.number < later.number
            return queued or earlier.ended_at < later.began
        behind = self._behind[later.store]
        if later.looked and fate == "stored":
            behind = 0.0
        return earlier.ended_for_others + behind < later.began

    def _check_whole(self, session: str, seen: Seen) -> None:
        """What is left of replaces and removals only is all of one of them."""
        calls = [one for one in self.calls if one.session == session and one.kind != "links"]
        calls = [one for one in calls if not one.left_nothing]
        whole = [one for one in calls if one.kind not in ("write", "marked") and one.outcome == "stored"]
        left = [one for one in calls if not any(self._follows(later, one, one.everything) for later in whole)]
        if not left or any(one not in whole for one in left):
            return
        found = _content(seen, session)
        made = [_made(one) for one in left]
        assert found in made, f"{session} is a mixture: {found}, not one of {made}"

    def _check_publication(self, session: str, seen: Seen) -> None:
        """What was written with the session row that is seen is seen too, unless something else was set there later."""
        text = seen["sessions"].get((self.org, session))
        writer = next((call for call in self.calls if call.text == text), None)
        for table, key in itertools.chain(*([(t, k) for k in writer.rows[t]] for t in CONTENT)) if writer else ():
            assert writer is not None
            value = seen[table].get(key)
            setters = [
                call
                for call in self.calls
                if (effect := call.effect(table, key)) is not None and effect[0] == value and effect[1] != "refused"
            ]
            ok = any(one is writer or not self._follows(writer, one, "unknown") for one in setters)
            assert ok, f"{text} is seen without {table} {key}: {value!r}"


def _content(seen: Seen, session: str) -> dict[Place, str]:
    tables = ("sessions", *CONTENT)
    return {(table, key): text for table in tables for key, text in seen[table].items() if key[1] == session}


def _made(call: Call) -> dict[Place, str]:
    if call.kind != "replace":
        return {}
    return {(table, key): call.text for table in ("sessions", *CONTENT) for key in call.rows[table]}


def outcome_of(task: asyncio.Task[Any]) -> BaseException | None:
    """How a task ended."""
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    assert error is None or isinstance(error, AgentStoreError), f"a foreign error escaped: {error!r}"
    return error
