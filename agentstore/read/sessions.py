"""Sessions, their messages and tool calls, and the users, projects and agents they come from."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import LiteralString

from agentstore.connection.sql import Sql, join, sql, valid_text
from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.models import Message, ProjectInfo, Session, SessionFilter, SessionPage, ToolCall, UserInfo
from agentstore.protocols import Columns, Executor
from agentstore.read.building import built
from agentstore.read.cursor import decode_session_cursor, encode_session_cursor
from agentstore.read.decoding import build
from agentstore.read.floors import above_floor, versions_of_links
from agentstore.read.scope import expect, page_limit, session_conditions, text
from agentstore.read.together import together

# Where a tool call stands in its session: message_ordinal, tool_use_id, call_index.
ToolCallKey = tuple[int, str, int]

_TIME_FIELDS = frozenset({"started_at", "ended_at", "timestamp"})


def selection(fields: tuple[str, ...], *without: str) -> tuple[Sql, list[int]]:
    """The columns to select, and the positions of times among the fields (they travel as microseconds)."""
    columns = [
        Sql(f"toUnixTimestamp64Micro({name})") if name in _TIME_FIELDS else Sql(name)
        for name in fields
        if name not in without
    ]
    return join(", ", columns), [index for index, name in enumerate(fields) if name in _TIME_FIELDS]


_SESSION_COLUMNS, _SESSION_TIMES = selection(Session.__struct_fields__, "commit_count")
_SESSION_ID = Session.__struct_fields__.index("id")
# org_id and session_id are known: they need not travel with every row.
_MESSAGE_COLUMNS, _MESSAGE_TIMES = selection(Message.__struct_fields__, "org_id", "session_id")
_TOOL_CALL_COLUMNS, _TOOL_CALL_TIMES = selection(ToolCall.__struct_fields__, "org_id", "session_id")


# Where a session has no started_at, any other is later.
_NEVER = Sql("toDateTime64('1900-01-01', 6, 'UTC')")

# A block is decoded column by column; of smaller ones none holds the loop for long, and a large session is read faster.
_IN_BLOCKS = {"max_block_size": 8192}

# A session cannot hold more messages: a larger limit is no limit, and one beyond 64 bits the server would refuse.
_ORDINALS = 2**32


async def list_sessions(executor: Executor, org_id: str, filter: SessionFilter) -> SessionPage:
    """One page, started_at descending, id descending, sessions without started_at last."""
    expect(filter, SessionFilter, "filter")
    limit = page_limit(filter.limit)
    start = after_cursor(filter.cursor)
    where = filter_conditions(org_id, filter)
    counted, found = await together(
        executor.fetch(sql("SELECT count() FROM sessions FINAL WHERE {where}", where=where)),
        in_order(executor, org_id, sql("{where} AND {start}", where=where, start=start), count=limit + 1),
    )
    page = found[:limit]
    cursor = encode_session_cursor(page[-1].started_at, page[-1].id) if len(found) > limit else ""
    # Counted beside the page: a session written in between may be on the page only.
    return SessionPage(sessions=page, next_cursor=cursor, total=max(counted[0][0], len(found)))


async def get_session(executor: Executor, org_id: str, id: str) -> Session:
    """Any session by its id, or ``NotFoundError``."""
    where = sql("org_id = {org_id} AND id = {id}", org_id=text(org_id, "org_id"), id=text(id, "id"))
    columns, links = await together(
        executor.fetch(sql("SELECT {all} FROM sessions FINAL WHERE {where}", all=_SESSION_COLUMNS, where=where)),
        _link_counts(executor, org_id, (id,)),
    )
    if not columns:
        raise NotFoundError(f"no session {id!r} in organisation {org_id!r}")
    return _with_links(columns, links)[0]


async def in_order(executor: Executor, org_id: str, where: Sql, *, count: int) -> list[Session]:
    """The first ``count`` sessions that satisfy ``where``: started_at descending, id descending, without one last.

    The server sorts keys and then reads the other columns of these rows only (lazy materialization). Git links are
    counted for these sessions, not for the organisation.
    """
    columns = await executor.fetch(
        sql(
            "SELECT {columns} FROM sessions FINAL WHERE {where}"
            " ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}",
            columns=_SESSION_COLUMNS,
            where=where,
            count=count,
        )
    )
    if not columns:
        return []
    return _with_links(columns, await _link_counts(executor, org_id, columns[_SESSION_ID]))


async def _link_counts(executor: Executor, org_id: str, ids: tuple[str, ...]) -> dict[str, int]:
    floors: dict[str, int] = {}
    links: list[tuple[str, int]] = []
    for id, version, is_link in zip(*await executor.fetch(versions_of_links(org_id, ids)), strict=True):
        if is_link:
            links.append((id, version))
        else:
            floors[id] = version
    return Counter(id for id, version in links if version >= floors.get(id, 0))


def _with_links(columns: Columns, links: dict[str, int]) -> list[Session]:
    counts = tuple(links.get(id, 0) for id in columns[_SESSION_ID])
    return build(Session, [*columns, counts], time_columns=_SESSION_TIMES)


async def get_session_messages(
    executor: Executor,
    org_id: str,
    session_id: str,
    *,
    after_ordinal: int | None = None,
    before_ordinal: int | None = None,
    limit: int | None = None,
) -> list[Message]:
    """The messages of a session by ordinal, between two ordinals that are not among them.

    A limit takes the first ones, or with ``before_ordinal`` the last ones.
    """
    backwards = before_ordinal is not None
    columns = await executor.fetch(
        sql(
            "SELECT {columns} FROM messages FINAL WHERE org_id = {org_id} AND session_id = {session_id} AND {after}"
            " AND {before} AND {seen} ORDER BY ordinal {direction} {limit}",
            columns=_MESSAGE_COLUMNS,
            org_id=text(org_id, "org_id"),
            session_id=text(session_id, "session_id"),
            after=_bound("ordinal > {value}", after_ordinal, "after_ordinal"),
            before=_bound("ordinal < {value}", before_ordinal, "before_ordinal"),
            seen=above_floor(org_id, session_id),
            direction=Sql("DESC" if backwards else "ASC"),
            limit=_limit(limit, "messages"),
        ),
        _IN_BLOCKS,
    )
    if backwards:
        columns = [column[::-1] for column in columns]
    return await built(Message, columns, time_columns=_MESSAGE_TIMES, constants=_known(Message, org_id, session_id))


async def get_session_tool_calls(
    executor: Executor, org_id: str, session_id: str, *, after: ToolCallKey | None = None, limit: int | None = None
) -> list[ToolCall]:
    """The tool calls of a session by message_ordinal, tool_use_id, call_index: the first ones after the key."""
    columns = await executor.fetch(
        sql(
            "SELECT {columns} FROM tool_calls FINAL WHERE org_id = {org_id} AND session_id = {session_id} AND {after}"
            " AND {seen} ORDER BY message_ordinal, tool_use_id, call_index {limit}",
            columns=_TOOL_CALL_COLUMNS,
            org_id=text(org_id, "org_id"),
            session_id=text(session_id, "session_id"),
            after=_after_call(after),
            seen=above_floor(org_id, session_id),
            limit=_limit(limit, "tool calls"),
        ),
        _IN_BLOCKS,
    )
    return await built(ToolCall, columns, time_columns=_TOOL_CALL_TIMES, constants=_known(ToolCall, org_id, session_id))


async def list_users(executor: Executor, org_id: str) -> list[UserInfo]:
    """Users by id, named by their latest session, ordered by name and id."""
    columns = await executor.fetch(
        sql(
            "SELECT user_id, argMax(user_name, (ifNull(started_at, {never}), id)) AS name"
            " FROM sessions FINAL WHERE {where} GROUP BY user_id ORDER BY name, user_id",
            never=_NEVER,
            where=session_conditions(org_id),
        )
    )
    return await built(UserInfo, columns)


async def list_projects(executor: Executor, org_id: str) -> list[ProjectInfo]:
    """Projects by id and name, with the path of their latest session, ordered by name and id."""
    columns = await executor.fetch(
        sql(
            "SELECT project_id, project_name, argMax(project_path, (ifNull(started_at, {never}), id))"
            " FROM sessions FINAL WHERE {where} AND project_name != ''"
            " GROUP BY project_id, project_name ORDER BY project_name, project_id",
            never=_NEVER,
            where=session_conditions(org_id),
        )
    )
    return await built(ProjectInfo, columns)


async def list_agents(executor: Executor, org_id: str) -> list[str]:
    """The distinct agent types, ordered."""
    columns = await executor.fetch(
        sql(
            "SELECT DISTINCT toString(agent_type) AS agent FROM sessions FINAL"
            " WHERE {where} AND agent_type != '' ORDER BY agent",
            where=session_conditions(org_id),
        )
    )
    return list(columns[0]) if columns else []


def _known(record: type[Message] | type[ToolCall], org_id: str, session_id: str) -> dict[int, str]:
    fields = record.__struct_fields__
    return {fields.index("org_id"): valid_text(org_id), fields.index("session_id"): valid_text(session_id)}


def filter_conditions(org_id: str, filter: SessionFilter) -> Sql:
    """The WHERE clause over ``sessions FINAL`` of a filter."""
    expect(filter, SessionFilter, "filter")
    return session_conditions(
        org_id,
        equal={name: getattr(filter, name) for name in ("user_id", "project_id", "project_name", "agent_type")},
        date_from=filter.date_from,
        date_to=filter.date_to,
        include_subagents=filter.include_subagents,
        include_deleted=filter.include_deleted,
    )


def after_cursor(cursor: str) -> Sql:
    """The condition that a session comes after the cursor; "" is before all."""
    return sql("1") if cursor == "" else after(*decode_session_cursor(cursor))


def after(started_at: dt.datetime | None, session_id: str) -> Sql:
    """The condition that a session comes after this one."""
    if started_at is None:
        return sql("(started_at IS NULL AND id < {id})", id=session_id)
    return sql(
        "(started_at IS NULL OR started_at < {moment} OR (started_at = {moment} AND id < {id}))",
        moment=started_at,
        id=session_id,
    )


def _bound(condition: LiteralString, ordinal: int | None, name: str) -> Sql:
    return sql("1") if ordinal is None else sql(condition, value=_whole(ordinal, name))


def _after_call(key: ToolCallKey | None) -> Sql:
    if key is None:
        return sql("1")
    if not isinstance(key, tuple | list) or len(key) != 3:
        raise InvalidArgumentError(
            f"after: expected (message_ordinal, tool_use_id, call_index), got {type(key).__name__}", field="after"
        )
    # Not as one comparison of tuples: that would not use the sort key.
    return sql(
        "message_ordinal >= {ordinal} AND (message_ordinal > {ordinal} OR tool_use_id > {id}"
        " OR (tool_use_id = {id} AND call_index > {index}))",
        ordinal=_whole(key[0], "after"),
        id=text(key[1], "after"),
        index=_whole(key[2], "after"),
    )


def _whole(value: int, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgumentError(f"{name}: expected int, got {type(value).__name__}", field=name)
    return value


def _limit(limit: int | None, what: str) -> Sql:
    if limit is None:
        return sql("")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise InvalidArgumentError(f"limit: expected a number of {what}, got {limit!r}", field="limit")
    return sql("LIMIT {limit}", limit=min(limit, _ORDINALS))
