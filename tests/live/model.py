"""The store as plain dictionaries: the meaning of writes and reads, without a database."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import msgspec

from agentstore import Message, SearchResult, Session, ToolCall
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
        for message in messages:
            self.messages[message.session_id, message.ordinal] = msgspec.structs.replace(message, org_id=self.org)
        for call in calls:
            key = (call.session_id, call.message_ordinal, call.tool_use_id, call.call_index)
            self.calls[key] = msgspec.structs.replace(call, org_id=self.org)

    def delete_sessions(self, ids: list[str]) -> None:
        for id in ids:
            self.sessions.pop(id, None)
            self.marked.discard(id)
            self._forget(id)

    def list_sessions(self, *, include_subagents: bool = False, include_deleted: bool = False) -> list[Session]:
        return [
            session
            for session in sorted(self.sessions.values(), key=_newest, reverse=True)
            if session.user_message_count > 0
            and (include_subagents or not _is_subagent(session))
            and (include_deleted or session.id not in self.marked)
        ]

    def get_session_messages(self, id: str) -> list[Message]:
        return [self.messages[key] for key in sorted(self.messages) if key[0] == id]

    def get_session_tool_calls(self, id: str) -> list[ToolCall]:
        return [self.calls[key] for key in sorted(self.calls) if key[0] == id]

    def search(self, needle: str) -> list[SearchResult]:
        found = []
        for session in self.list_sessions():
            rows = [(one.ordinal, 0, "", 0, one.role, [one.content]) for one in self.get_session_messages(session.id)]
            rows += [
                (one.message_ordinal, 1, one.tool_use_id, one.call_index, "tool", [one.input_json, one.result_content])
                for one in self.get_session_tool_calls(session.id)
            ]
            for ordinal, _, _, _, role, texts in sorted(rows):
                text = reference.first_containing(texts, needle)
                if text is not None:
                    source = self.messages.get((session.id, ordinal))
                    result = _result(session, ordinal, role, text, needle)
                    found.append(msgspec.structs.replace(result, source_id=source.source_id if source else ""))
        return found

    def _forget(self, id: str) -> None:
        self.messages = {key: message for key, message in self.messages.items() if key[0] != id}
        self.calls = {key: call for key, call in self.calls.items() if key[0] != id}


def _newest(session: Session) -> tuple[bool, dt.datetime, str]:
    return session.started_at is not None, session.started_at or LONG_AGO, session.id


def _is_subagent(session: Session) -> bool:
    if session.relationship_type == "":
        return session.parent_session_id != ""
    return session.relationship_type == "subagent"


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
