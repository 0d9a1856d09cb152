"""The store as plain dictionaries: the meaning of writes and reads, without a database."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agentstore import FileTouch, Message, SearchResult, Session, SessionFilter, ToolCall
from tests import reference

CallKey = tuple[str, int, str, int]
LONG_AGO = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


@dataclass
class Model:
    """One organisation. Its methods are those of the store, with lists for pages."""

    org: str
    sessions: dict[str, Session] = field(default_factory=dict)
    messages: dict[tuple[str, int], Message] = field(default_factory=dict)
    calls: dict[CallKey, ToolCall] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    stars: set[tuple[str, str]] = field(default_factory=set)
    commits: set[tuple[str, str]] = field(default_factory=set)
    touches: dict[tuple[str, int, str], FileTouch] = field(default_factory=dict)
    """By session, ordinal and path."""
    gone: set[str] = field(default_factory=set)
    """Sessions that were deleted and not written since."""
    told: set[str] = field(default_factory=set)
    """Sessions of which something was written since this was cleared: what ``changes`` has to tell."""

    def write_session(self, session: Session, messages: list[Message], calls: list[ToolCall], *, replace: bool) -> None:
        if replace:
            self._forget(session.id)
        self.write_batch(
            [session],
            [msgspec.structs.replace(message, session_id=session.id) for message in messages],
            [msgspec.structs.replace(call, session_id=session.id) for call in calls],
        )

    def write_batch(self, sessions: list[Session], messages: list[Message], calls: list[ToolCall]) -> None:
        for session in sessions:
            self.sessions[session.id] = msgspec.structs.replace(session, org_id=self.org)
            self.told.add(session.id)
            self.gone.discard(session.id)
        for message in messages:
            self.messages[message.session_id, message.ordinal] = msgspec.structs.replace(message, org_id=self.org)
            self.told.add(message.session_id)
        for call in calls:
            key = (call.session_id, call.message_ordinal, call.tool_use_id, call.call_index)
            self.calls[key] = msgspec.structs.replace(call, org_id=self.org)
            self.told.add(call.session_id)

    def write_file_touches(self, touches: list[FileTouch]) -> None:
        for one in touches:
            self.touches[one.session_id, one.message_ordinal, one.path] = one
            self.told.add(one.session_id)

    def delete_sessions(self, ids: list[str]) -> None:
        for id in ids:
            self.sessions.pop(id, None)
            self.marked.discard(id)
            self.told.add(id)
            self.gone.add(id)
            self._forget(id)
            self.stars = {star for star in self.stars if star[0] != id}
            self.commits = {commit for commit in self.commits if commit[0] != id}

    def set(self, kind: str, key: str | tuple[str, str], *, there: bool = True) -> None:
        """A mark (by session id), a star (by session and user) or a commit (by session and SHA), set or taken away."""
        sets: dict[str, set[Any]] = {"marked": self.marked, "stars": self.stars, "commits": self.commits}
        (sets[kind].add if there else sets[kind].discard)(key)
        self.told.add(key if isinstance(key, str) else key[0])

    def list_sessions(self, **asked: Any) -> list[Session]:
        """All that the filter matches, in order."""
        filter = SessionFilter(**asked)
        found, owners = [], self._owners()
        for session in sorted(self.sessions.values(), key=_newest, reverse=True):
            commits = sum(id == session.id for id, _ in self.commits)
            copied = sorted((key for key in owners if key[0] == session.id), key=lambda key: key[1])
            derived = {
                "commit_count": commits,
                "tool_call_count": sum(key[0] == session.id for key in self.calls),
                "copied_message_count": len(copied),
                "origin_session_id": owners[copied[0]] if copied else "",
            }
            starred_by = {user for id, user in self.stars if id == session.id}
            marked = session.id in self.marked
            if reference.matches(session, filter, starred_by=starred_by, commits=commits, marked=marked):
                found.append(msgspec.structs.replace(session, **derived))
        return found

    def get_session_messages(self, id: str) -> list[Message]:
        return [self.messages[key] for key in sorted(self.messages) if key[0] == id]

    def get_session_tool_calls(self, id: str) -> list[ToolCall]:
        return [self.calls[key] for key in sorted(self.calls) if key[0] == id]

    def file_history(self, path: str, *, project_id: str = "") -> list[tuple[str, int, str, str]]:
        """Session, ordinal, path and operation of each touch, newest first."""
        owners, found = self._owners(), []
        for (id, ordinal, touched), one in self.touches.items():
            below = path.endswith("/") and touched.startswith(path)
            project = self.sessions[id].project_id if id in self.sessions else ""
            is_shown = id not in self.marked and (id, ordinal) not in owners
            if (touched == path or below) and is_shown and project_id in ("", project):
                found.append((one.touched_at or LONG_AGO, id, ordinal, touched, one.operation))
        return [row[1:] for row in sorted(found, reverse=True)]

    def search(self, needle: str) -> list[SearchResult]:
        found, owners = [], self._owners()
        for session in self.list_sessions():
            rows = [(one.ordinal, 0, "", 0, one.role, [one.content]) for one in self.get_session_messages(session.id)]
            rows += [
                (one.message_ordinal, 1, one.tool_use_id, one.call_index, "tool", [one.input_json, one.result_content])
                for one in self.get_session_tool_calls(session.id)
            ]
            for ordinal, _, _, _, role, texts in sorted(rows):
                text = reference.first_containing(texts, needle)
                if text is not None and (session.id, ordinal) not in owners:
                    source = self.messages.get((session.id, ordinal))
                    result = _result(session, ordinal, role, text, needle)
                    of_message = {"source_id": source.source_id, "version": reference.version(source)} if source else {}
                    found.append(msgspec.structs.replace(result, **of_message))
        return found

    def _owners(self) -> dict[tuple[str, int], str]:
        return reference.owners(self.sessions, self.messages, self.marked, self.calls.values())

    def _forget(self, id: str) -> None:
        self.messages = {key: message for key, message in self.messages.items() if key[0] != id}
        self.calls = {key: call for key, call in self.calls.items() if key[0] != id}
        self.touches = {key: touch for key, touch in self.touches.items() if key[0] != id}


def _newest(session: Session) -> tuple[bool, dt.datetime, str]:
    return session.started_at is not None, session.started_at or LONG_AGO, session.id


def _result(session: Session, ordinal: int, role: str, text: str, needle: str) -> SearchResult:
    snippet, highlights = reference.snippet(text, needle)
    return SearchResult(
        session_id=session.id,
        ordinal=ordinal,
        role=role,
        user_id=session.user_id,
        user_name=session.user_name,
        project_name=session.project_name,
        agent_type=session.agent_type,
        started_at=session.started_at,
        first_message=session.first_message,
        snippet=snippet,
        highlights=highlights,
    )
