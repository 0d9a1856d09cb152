"""Sessions, and what is in them."""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Iterable
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from agentstore.errors import InvalidCursorError
from agentstore.models import (
    GitLink,
    Message,
    MessageOutline,
    Session,
    SessionFile,
    SessionPage,
    ToolCall,
)
from agentstore.models.record import Record
from agentstore.store import AsyncClickHouseStore
from agentstore.web.api.handlers import reads, reads_one
from agentstore.web.api.parameters import Cursor, Filter, Id
from agentstore.web.handling import Store, Who
from agentstore.web.marking import LARGEST_ORDINAL
from agentstore.web.there import of_session

# Of one answer: what a session holds may be of any size, and an answer is made in memory.
_CHARACTERS = 8_000_000
Some = Annotated[int, QueryParameter(ge=1, le=500, description="How many at most; fewer where they are long.")]
After = Annotated[
    int | None,
    QueryParameter(ge=0, le=LARGEST_ORDINAL, description="Only those with a larger ordinal, the first of them."),
]
Before = Annotated[
    int | None,
    QueryParameter(ge=0, le=LARGEST_ORDINAL, description="Only those with a smaller ordinal, the last of them."),
]
_Key = tuple[Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ORDINAL)], str, Annotated[int, msgspec.Meta(ge=0)]]


class ToolCallPage(Record, frozen=True):
    """One page of tool calls; ``next_cursor`` is "" on the last one."""

    tool_calls: list[ToolCall] = msgspec.field(default_factory=list)
    next_cursor: str = ""


@reads("/sessions", tags=["sessions"])
async def list_sessions(store: Store, viewer: Who, filter: Filter) -> SessionPage:
    """One page of sessions, the latest first. The next one is that of `next_cursor`, which is empty on the last.

    Without `include_subagents` and `include_deleted`, those that a person has begun and nobody has hidden.
    """
    return await store.list_sessions(viewer.org, filter)


@reads_one("/sessions/{session_id:str}", tags=["sessions"])
async def get_session(store: Store, viewer: Who, id: Id) -> Session:
    """A session, also a hidden one."""
    return await store.get_session(viewer.org, id)


@reads_one("/sessions/{session_id:str}/messages", tags=["sessions"])
async def get_session_messages(
    store: Store, viewer: Who, id: Id, after: After = None, before: Before = None, limit: Some = 100
) -> list[Message]:
    """Messages in their order. Of very long ones fewer than `limit`: one has all when nothing more comes."""
    outline = await _outline(store, viewer.org, id)
    wanted = [one for one in outline if (after is None or one.ordinal > after)]
    wanted = [one for one in wanted if (before is None or one.ordinal < before)]
    # From the side that the limit counts from.
    sizes = (one.content_length for one in (reversed(wanted) if before is not None else wanted))
    fitting = _fitting(sizes, limit)
    return await store.get_session_messages(viewer.org, id, after_ordinal=after, before_ordinal=before, limit=fitting)


@reads_one("/sessions/{session_id:str}/outline", tags=["sessions"])
async def session_outline(store: Store, viewer: Who, id: Id) -> list[MessageOutline]:
    """All messages without their texts, and what their tool calls come to."""
    return await _outline(store, viewer.org, id)


@reads_one("/sessions/{session_id:str}/tool-calls", tags=["sessions"])
async def get_session_tool_calls(
    store: Store, viewer: Who, id: Id, cursor: Cursor = "", limit: Some = 100
) -> ToolCallPage:
    """One page of tool calls in their order, with what they were given and gave back."""
    after = _key(cursor)
    outline = await _outline(store, viewer.org, id)
    sizes = [
        one.result_length // one.call_count
        for one in outline
        if one.call_count and (after is None or one.ordinal >= after[0])
        for _ in range(one.call_count)
    ]
    fitting = _fitting(sizes, limit)
    calls = await store.get_session_tool_calls(viewer.org, id, after=after, limit=fitting + 1)
    if len(calls) <= fitting:
        return ToolCallPage(calls)
    last = calls[fitting - 1]
    return ToolCallPage(calls[:fitting], _cursor((last.message_ordinal, last.tool_use_id, last.call_index)))


@reads_one("/sessions/{session_id:str}/git-links", tags=["sessions"])
async def get_session_git_links(store: Store, viewer: Who, id: Id) -> list[GitLink]:
    """Commits and pull requests that were made in it."""
    return await of_session(store, viewer.org, id, store.get_session_git_links(viewer.org, id))


@reads_one("/sessions/{session_id:str}/files", tags=["sessions"])
async def session_files(store: Store, viewer: Who, id: Id) -> list[SessionFile]:
    """The files that it did something with."""
    return await of_session(store, viewer.org, id, store.session_files(viewer.org, id))


@reads_one("/sessions/{session_id:str}/children", tags=["sessions"])
async def list_children(store: Store, viewer: Who, id: Id) -> list[Session]:
    """Its subagents, continuations and forks."""
    return await of_session(store, viewer.org, id, store.list_children(viewer.org, [id]))


async def _outline(store: AsyncClickHouseStore, org: str, id: str) -> list[MessageOutline]:
    return await of_session(store, org, id, store.session_outline(org, id))


def _fitting(sizes: Iterable[int], limit: int) -> int:
    """How many of the first fit into one answer, and one of them at least."""
    room = _CHARACTERS
    for number, size in enumerate(itertools.islice(sizes, limit)):
        room -= size
        if number and room < 0:
            return number
    return limit


def _cursor(key: tuple[int, str, int]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _key(cursor: str) -> tuple[int, str, int] | None:
    if not cursor:
        return None
    try:
        data = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=_Key)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise InvalidCursorError("cursor: not one of these tool calls", field="cursor") from None
