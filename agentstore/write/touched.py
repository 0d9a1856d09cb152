"""What calls write that may change what counts in which session: noted while they are encoded, chunk by chunk. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agentstore.connection.sql import valid_text
from agentstore.models import GitLink, Message, Session, SessionDelete, ToolCall
from agentstore.write.rows import (
    GIT_LINKS,
    MESSAGES,
    SESSION_DELETES,
    SESSIONS,
    TOOL_CALLS,
    Table,
)
from agentstore.write.sources import source_of

_NO_ORDINAL = 1 << 32
# As many are asked for by themselves; of more the server reads what was written.
MOST_SOURCES = 2000

# A table and the key of one of its rows.
Place = tuple[str, tuple[Any, ...]]


@dataclass(slots=True)
class Touched:
    """Of one organisation, and of calls with these ``versions``.

    lowest    the first ordinal of each session of which messages with source ids are written
    nameless  likewise of messages without, which may take the place of some that others have, too
    sources   numbers of these ids: the first ``MOST_SOURCES``, and one more if there are more
    written   sessions of which the row itself is written
    parents   of subagents among them: their parents
    altered   sessions of which rows are replaced, or tool calls or links are written
    emptied   sessions of which all older rows are taken away
    hidden    sessions that a mark hides or shows again
    removed   sessions that are gone
    doubted   sessions of which it is not known whether it was ever decided what they own
    named     of each session a row that a call writes, the session's own if it does, for an error to name

    The methods pass records on, and take note of them. What is no record is passed, too: it is refused elsewhere.
    """

    org_id: str
    versions: set[int] = field(default_factory=set)
    lowest: dict[str, int] = field(default_factory=dict)
    nameless: dict[str, int] = field(default_factory=dict)
    sources: set[int] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    parents: dict[str, str] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    doubted: set[str] = field(default_factory=set)
    named: dict[str, Place] = field(default_factory=dict)
    _held: list[Message] = field(default_factory=list)

    def messages(self, chunks: Iterable[list[Message]]) -> Iterator[list[Message]]:
        """Messages to write."""
        lowest: dict[str, int] = {}
        nameless: dict[str, int] = {}
        for chunk in chunks:
            yield chunk  # encoded, and so checked, before it is looked at
            held = [one for one in chunk if one.source_id]
            self._held += held
            for one in chunk:
                found = lowest if one.source_id else nameless
                if one.ordinal < found.get(one.session_id, _NO_ORDINAL):
                    found[one.session_id] = one.ordinal
            for one in held:
                if len(self.sources) <= MOST_SOURCES:
                    self.sources.add(source_of(one.source_id))
        self.lowest |= {valid_text(id): ordinal for id, ordinal in lowest.items()}
        self.nameless |= {valid_text(id): ordinal for id, ordinal in nameless.items()}
        for id, ordinal in (self.nameless | self.lowest).items():
            self.named.setdefault(id, (MESSAGES.name, (self.org_id, id, ordinal)))

    def take_held(self) -> list[Message]:
        """Messages with source ids among those so far."""
        held, self._held = self._held, []
        return held

    def sessions(self, chunks: Iterable[list[Session]]) -> Iterator[list[Session]]:
        """Session rows to write."""
        for chunk in chunks:
            yield chunk
            for one in chunk:
                self._note(one)

    def _note(self, one: Session) -> None:
        id, parent, linked = valid_text(one.id), valid_text(one.parent_session_id), one.relationship_type
        self.written.add(id)
        self.named[id] = SESSIONS.name, (self.org_id, id)
        if linked == "subagent" or (linked == "" and parent != ""):
            self.parents[id] = parent
        else:
            self.parents.pop(id, None)

    def calls(self, chunks: Iterable[list[ToolCall]]) -> Iterator[list[ToolCall]]:
        """Tool calls to write: of two copies of a message, the one with more of them is the whole one."""
        for chunk in chunks:
            yield chunk
            self.altered |= self._name(TOOL_CALLS, chunk)

    def links(self, chunks: Iterable[list[GitLink]]) -> Iterator[list[GitLink]]:
        """Links to write or to remove."""
        for chunk in chunks:
            yield chunk
            self.altered |= self._name(GIT_LINKS, chunk)

    def marks(self, chunks: Iterable[list[SessionDelete]]) -> Iterator[list[SessionDelete]]:
        """Deletion marks to write or to remove."""
        for chunk in chunks:
            yield chunk
            self.hidden |= self._name(SESSION_DELETES, chunk)

    def empty(self, session_id: str) -> None:
        """Of this session all is taken away that is not written now."""
        self.altered.add(valid_text(session_id))
        self.emptied.add(valid_text(session_id))

    def removal(self, session_ids: Iterable[str]) -> Touched:
        """Sessions that are taken away; itself."""
        self.removed |= set(map(valid_text, session_ids))
        self.named |= {id: (SESSIONS.name, (self.org_id, id)) for id in self.removed}
        return self

    def _name(self, table: Table, records: Iterable[Any]) -> set[str]:
        found = {valid_text(one.session_id): one for one in records}
        for id, one in found.items():
            if id not in self.named:
                self.named[id] = table.name, table.key_of(self.org_id, one)
        return set(found)

    def merge(self, other: Touched) -> None:
        """Take in what another call of the organisation touches."""
        self.versions |= other.versions
        for id, ordinal in other.lowest.items():
            self.lowest[id] = min(ordinal, self.lowest.get(id, ordinal))
        for id, ordinal in other.nameless.items():
            self.nameless[id] = min(ordinal, self.nameless.get(id, ordinal))
        if len(self.sources) <= MOST_SOURCES:
            self.sources |= other.sources
        self.written |= other.written
        self.parents = {id: one for id, one in self.parents.items() if id not in other.written} | other.parents
        self.altered |= other.altered
        self.emptied |= other.emptied
        self.hidden |= other.hidden
        self.removed |= other.removed
        self.doubted |= other.doubted
        self.named = other.named | self.named

    @property
    def first(self) -> dict[str, int]:
        """The first ordinal of each session of which messages are written."""
        both = self.nameless | self.lowest
        return {id: min(ordinal, self.nameless.get(id, ordinal)) for id, ordinal in both.items()}

    @property
    def heads(self) -> set[str]:
        """Sessions that are written, hidden, shown or removed as a whole: their subagents with them."""
        return self.written | self.hidden | self.removed

    @property
    def ids(self) -> set[str]:
        """All sessions that are touched."""
        return {*self.lowest, *self.nameless, *self.written, *self.altered, *self.hidden, *self.removed, *self.doubted}
