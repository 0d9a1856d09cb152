"""Any number of rows in bounded memory: sessions and messages one after the other, fetched some megabytes at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from agentstore.connection.sql import Sql, sql, valid_text
from agentstore.models import Message, Session, SessionFilter
from agentstore.protocols import Executor
from agentstore.read import sessions
from agentstore.read.building import built
from agentstore.read.floors import above_floor, above_floors
from agentstore.read.scope import text

# Rows whose sizes are looked at together, and text that is fetched together: what a caller's memory has to hold.
_PLANNED_ROWS = 5000
_FETCHED_BYTES = 4 * 1024 * 1024
_SESSIONS_AT_ONCE = 500

_COLUMNS, _TIMES = sessions.selection(Message.__struct_fields__, "org_id")


class Key(NamedTuple):
    """Where a message stands in its organisation."""

    session_id: str
    ordinal: int


async def iter_sessions(executor: Executor, org_id: str, filter: SessionFilter) -> AsyncIterator[Session]:
    """The sessions of ``list_sessions`` in its order, from the filter's cursor on; its limit does not matter."""
    where = sessions.filter_conditions(org_id, filter)
    after = sessions.after_cursor(filter.cursor)
    while True:
        found = await sessions.in_order(
            executor, org_id, sql("{where} AND {after}", where=where, after=after), count=_SESSIONS_AT_ONCE
        )
        for session in found:
            yield session
        if len(found) < _SESSIONS_AT_ONCE:
            return
        after = sessions.after(found[-1].started_at, found[-1].id)


async def iter_messages(executor: Executor, org_id: str, session_id: str) -> AsyncIterator[Message]:
    """Messages by session and ordinal, of one session or ("") of the whole organisation."""
    text(org_id, "org_id")
    scope = (
        sql("session_id = {id} AND {seen}", id=session_id, seen=above_floor(org_id, session_id))
        if text(session_id, "session_id")
        else above_floors(org_id)
    )
    last: Key | None = None
    while True:
        stops = await _stops(executor, org_id, scope, last)
        for stop in stops:
            for message in await _between(executor, org_id, scope, last, stop):
                yield message
            last = stop
        if not stops:
            return


async def _stops(executor: Executor, org_id: str, scope: Sql, last: Key | None) -> list[Key]:
    """Keys up to which the next rows can be fetched, each time some megabytes. Sizes travel, texts do not."""
    columns = await executor.fetch(
        sql(
            "SELECT session_id, ordinal, length(content) + length(token_usage) FROM messages FINAL"
            " WHERE org_id = {org_id} AND {scope} AND {after} ORDER BY session_id, ordinal LIMIT {count}",
            org_id=org_id,
            scope=scope,
            after=_after(last),
            count=_PLANNED_ROWS,
        )
    )
    stops: list[Key] = []
    size, key = 0, None
    for session_id, ordinal, byte_count in zip(*columns, strict=True):
        if key is not None and size + byte_count > _FETCHED_BYTES:
            stops.append(key)
            size = 0
        size += byte_count
        key = Key(session_id, ordinal)
    return stops if key is None else [*stops, key]


async def _between(executor: Executor, org_id: str, scope: Sql, last: Key | None, stop: Key) -> list[Message]:
    columns = await executor.fetch(
        sql(
            "SELECT {columns} FROM messages FINAL WHERE org_id = {org_id} AND {scope} AND {after}"
            " AND session_id <= {id} AND (session_id < {id} OR ordinal <= {ordinal}) ORDER BY session_id, ordinal",
            columns=_COLUMNS,
            org_id=org_id,
            scope=scope,
            after=_after(last),
            id=stop.session_id,
            ordinal=stop.ordinal,
        )
    )
    position = Message.__struct_fields__.index("org_id")
    return await built(Message, columns, time_columns=_TIMES, constants={position: valid_text(org_id)})


def _after(key: Key | None) -> Sql:
    if key is None:
        return sql("1")
    return sql(
        "session_id >= {id} AND (session_id > {id} OR ordinal > {ordinal})", id=key.session_id, ordinal=key.ordinal
    )
