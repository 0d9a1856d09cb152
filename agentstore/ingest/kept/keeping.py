"""What the store knows of a session better than its original tells: it stays where the session is read again.

Beside the originals of files there are none of databases, of indexes of titles, of git directories: what was read from
those once is in the store alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentstore.importers.projects import project_of
from agentstore.importers.results import ImportResult
from agentstore.models import Message, Session

_TEXTS = ("display_name", "git_branch", "source_created_at")
_TIMES = ("started_at", "ended_at")
_USAGE = (
    "model",
    "token_usage",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "context_tokens",
    "reported_cost_nanodollars",
)


def merged(new: Session, stored: Session) -> Session:
    """The session as it was read again, with what only the store knows.

    That is: what is empty in the new one; and the project, where both are about one directory. A new one that is known
    by its path alone says nothing, and one that is known by a repository comes from git itself only where the directory
    was at hand: so one that is stored stays, unless it is known by the path alone.
    """
    changes: dict[str, object] = {}
    for name in (*_TEXTS, *_TIMES):
        if getattr(new, name) in ("", None):
            changes[name] = getattr(stored, name)
    is_same_place = new.project_path in ("", stored.project_path)
    if is_same_place and stored.project_id not in ("", project_of(stored.project_path).id):
        for name in ("project_id", "project_name", "project_path"):
            changes[name] = getattr(stored, name)
    if not new.parent_session_id and new.id == stored.id:
        changes["parent_session_id"] = stored.parent_session_id
        changes["relationship_type"] = stored.relationship_type
    if lacks_usage(new, stored):
        changes["total_output_tokens"] = stored.total_output_tokens
        changes["peak_context_tokens"] = stored.peak_context_tokens
    return msgspec.structs.replace(new, **changes)


def lacks_usage(new: Session, stored: Session) -> bool:
    """Whether tokens were counted from elsewhere: the original has none."""
    return not (new.total_output_tokens or new.peak_context_tokens) and bool(
        stored.total_output_tokens or stored.peak_context_tokens
    )


def with_usage(messages: Sequence[Message], stored: Sequence[Message]) -> list[Message]:
    """The messages with the stored usage of those that are the same."""
    known = {(one.ordinal, one.role): one for one in stored if one.token_usage or one.context_tokens}
    return [
        msgspec.structs.replace(one, **{name: getattr(had, name) for name in _USAGE})
        if (had := known.get((one.ordinal, one.role))) and not one.token_usage
        else one
        for one in messages
    ]


def renamed(result: ImportResult, ids: dict[str, str]) -> ImportResult:
    """The result with other ids of sessions: some are digests of what a file holds, with secrets in it or without."""
    if not ids:
        return result
    replace = msgspec.structs.replace

    def own(id: str) -> str:
        return ids.get(id, id)

    def source(id: str) -> str:
        # Where responses have no ids, they are numbered in their session.
        session, colon, number = id.rpartition(":")
        return f"{own(session)}{colon}{number}"

    return replace(
        result,
        sessions=[
            replace(one, id=own(one.id), parent_session_id=own(one.parent_session_id)) for one in result.sessions
        ],
        messages=[
            replace(one, session_id=own(one.session_id), source_id=source(one.source_id)) for one in result.messages
        ],
        tool_calls=[
            replace(one, session_id=own(one.session_id), subagent_session_id=own(one.subagent_session_id))
            for one in result.tool_calls
        ],
        git_links=[replace(one, session_id=own(one.session_id)) for one in result.git_links],
        file_touches=[replace(one, session_id=own(one.session_id)) for one in result.file_touches],
    )


def as_stored(read: Sequence[str], stored: Sequence[str]) -> dict[str, str]:
    """Which ids that were read are which ids that are stored, where they have other ones, and as many of them."""
    known = set(stored)
    missing = [id for id in stored if id not in read]
    new = [id for id in read if id not in known]
    return dict(zip(new, missing, strict=True)) if new and len(new) == len(missing) else {}


def base_of(id: str) -> str:
    """The id that a session has in its file, of a fork."""
    return id.partition("~")[0]
