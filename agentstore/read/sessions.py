"""Sessions, their messages and tool calls, and the users, projects and agents they come from."""

from __future__ import annotations

import datetime as dt

from agentstore.connection.sql import Sql, join, sql, valid_text
from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.models import Message, ProjectInfo, Session, SessionFilter, SessionPage, ToolCall, UserInfo
from agentstore.protocols import Executor
from agentstore.read.cursor import decode_session_cursor, encode_session_cursor
from agentstore.read.decoding import build
from agentstore.read.scope import expect, page_limit, session_conditions, text

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
# org_id and session_id are known: they need not travel with every row.
_MESSAGE_COLUMNS, _MESSAGE_TIMES = selection(Message.__struct_fields__, "org_id", "session_id")
_TOOL_CALL_COLUMNS, _TOOL_CALL_TIMES = selection(ToolCall.__struct_fields__, "org_id", "session_id")


# Where a session has no started_at, any other is later.
_NEVER = Sql("toDateTime64('1900-01-01', 6, 'UTC')")

# A session cannot hold more messages: a larger limit is no limit, and one beyond 64 bits the server would refuse.
_ORDINALS = 2**32


async def list_sessions(executor: Executor, org_id: str, filter: SessionFilter) -> SessionPage:
    """One page, started_at descending, id descending, sessions without started_at last."""
    expect(filter, SessionFilter, "filter")
    limit = page_limit(filter.limit)
    start = after_cursor(filter.cursor)
    where = filter_conditions(org_id, filter)
    # Narrow first: the page's ids and the total in one pass, then the wide rows of the page only.
    keys = await executor.fetch(
        sql(
            "SELECT id, total FROM (SELECT id, started_at, count() OVER () AS total FROM sessions FINAL WHERE {where})"
            " WHERE {after} ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {limit}",
            where=where,
            after=start,
            limit=limit + 1,
        )
    )
    if not keys:
        counted = await executor.fetch(sql("SELECT count() FROM sessions FINAL WHERE {where}", where=where))
        return SessionPage(total=counted[0][0])
    ids, totals = keys
    rows = {session.id: session for session in await by_ids(executor, org_id, ids[:limit])}
    page = [rows[id] for id in ids[:limit] if id in rows]  # one may have been deleted in between
    cursor = encode_session_cursor(page[-1].started_at, page[-1].id) if page and len(ids) > limit else ""
    return SessionPage(sessions=page, next_cursor=cursor, total=totals[0])


async def get_session(executor: Executor, org_id: str, id: str) -> Session:
    """Any session by its id, or ``NotFoundError``."""
    found = await by_ids(executor, text(org_id, "org_id"), (text(id, "id"),))
    if not found:
        raise NotFoundError(f"no session {id!r} in organisation {org_id!r}")
    return found[0]


async def get_session_messages(
    executor: Executor, org_id: str, session_id: str, *, after_ordinal: int | None, limit: int | None
) -> list[Message]:
    """The messages of a session by ordinal."""
    condition = sql("ordinal > {ordinal}", ordinal=_ordinal(after_ordinal)) if after_ordinal is not None else sql("1")
    columns = await executor.fetch(
        sql(
            "SELECT {columns} FROM messages FINAL WHERE org_id = {org_id} AND session_id = {session_id} AND {condition}"
            " ORDER BY ordinal {limit}",
            columns=_MESSAGE_COLUMNS,
            org_id=text(org_id, "org_id"),
            session_id=text(session_id, "session_id"),
            condition=condition,
            limit=_limit(limit),
        )
    )
    return build(Message, columns, time_columns=_MESSAGE_TIMES, constants=_known(Message, org_id, session_id))


async def get_session_tool_calls(executor: Executor, org_id: str, session_id: str) -> list[ToolCall]:
    """The tool calls of a session by message_ordinal, tool_use_id, call_index."""
    columns = await executor.fetch(
        sql(
            "SELECT {columns} FROM tool_calls FINAL WHERE org_id = {org_id} AND session_id = {session_id}"
            " ORDER BY message_ordinal, tool_use_id, call_index",
            columns=_TOOL_CALL_COLUMNS,
            org_id=text(org_id, "org_id"),
            session_id=text(session_id, "session_id"),
        )
    )
    return build(ToolCall, columns, time_columns=_TOOL_CALL_TIMES, constants=_known(ToolCall, org_id, session_id))


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
    return build(UserInfo, columns)


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
    return build(ProjectInfo, columns)


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


async def by_ids(executor: Executor, org_id: str, ids: tuple[str, ...]) -> list[Session]:
    """Whole sessions, in no order, with the git links of these sessions counted, not those of the organisation."""
    columns = await executor.fetch(
        sql(
            "SELECT {columns}, links FROM (SELECT * FROM sessions FINAL WHERE org_id = {org_id} AND id IN {ids}) AS s"
            " LEFT JOIN (SELECT session_id, count() AS links FROM git_links FINAL"
            " WHERE org_id = {org_id} AND session_id IN {ids} GROUP BY session_id) AS l ON l.session_id = s.id",
            columns=_SESSION_COLUMNS,
            org_id=org_id,
            ids=ids,
        )
    )
    return build(Session, columns, time_columns=_SESSION_TIMES)


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


def _ordinal(value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgumentError(f"after_ordinal: expected int, got {type(value).__name__}", field="after_ordinal")
    return value


def _limit(limit: int | None) -> Sql:
    if limit is None:
        return sql("")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise InvalidArgumentError(f"limit: expected a number of messages, got {limit!r}", field="limit")
    return sql("LIMIT {limit}", limit=min(limit, _ORDINALS))
