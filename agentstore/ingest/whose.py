"""Whose a session is, and what it and its messages are known by. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from agentstore.models import Message, Session


def in_order(sessions: Iterable[Session]) -> list[Session]:
    """Subagents first, so that who sees a session in a list sees all of it."""
    return sorted(sessions, key=lambda session: session.relationship_type != "subagent")


def source_of(message: Message) -> str:
    """What a message is known by; "" where its agent gives it no id."""
    return message.source_id


def said_by(message: Message) -> str:
    """What a message without an id is known by."""
    return f"{message.role} {message.content}"


def claimed_by(session: Session) -> set[str]:
    """The parents that a session may have had under an id that an earlier version gave it."""
    if session.relationship_type == "subagent":
        return {session.parent_session_id} - {""}
    return {session.id.partition("~")[0], session.parent_session_id} - {""}


def is_anothers(stored: Session, session: Session) -> bool:
    """Whether a session is stored for another owner; one that nobody named is nobody's."""
    pairs = ((stored.user_id, session.user_id), (stored.machine, session.machine))
    return any(one and other and one != other for one, other in pairs)
