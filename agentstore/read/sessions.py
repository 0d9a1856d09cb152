"""Sessions, and the users, projects and agents they come from."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterable

from agentstore.connection.sql import Sql, sql, valid_text
from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.models import ProjectInfo, Session, SessionFilter, SessionPage, UserInfo
from agentstore.protocols import Columns, Executor
from agentstore.read.building import build_in_slices
from agentstore.read.concurrent import gather_both
from agentstore.read.conditions import expect, page_limit, session_conditions, text
from agentstore.read.cursor import decode_session_cursor, encode_session_cursor
from agentstore.read.decoding import build, selection
from agentstore.read.lanes import ReadLanes
from agentstore.read.session_counts import Derived, derived
from agentstore.read.session_filter import filter_conditions

# What is derived comes last among the fields, in this order.
_DERIVED = ("commit_count", "tool_call_count", "copied_message_count", "origin_session_id")
_COLUMNS, _TIMES = selection(Session.__struct_fields__, *_DERIVED)
_ID = Session.__struct_fields__.index("id")

# Where a session has no started_at, any other is later.
_NEVER = sql("toDateTime64('1900-01-01', 6, 'UTC')")

# What an iterator fetches at a time.
_SESSIONS_AT_ONCE = 500


class SessionReads(ReadLanes):
    """Reads about sessions as a whole."""

    async def list_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> SessionPage:
        """One page of browsable sessions, started_at descending, id descending, those without started_at last.

        ``total`` counts what the filter matches, whatever cursor and limit. Walking the cursors yields every session
        exactly once. A cursor of another kind is ``InvalidCursorError``.
        """
        pool = self._open_pool
        expect(filter, SessionFilter, "filter")
        limit = page_limit(filter.limit)
        start = _after_cursor(filter.cursor)
        where = filter_conditions(org_id, filter)
        counted, found = await gather_both(
            lambda: pool.fetch(sql("SELECT count() FROM sessions FINAL WHERE {where}", where=where)),
            lambda: _in_order(pool, org_id, sql("{where} AND {start}", where=where, start=start), count=limit + 1),
        )
        page = found[:limit]
        cursor = encode_session_cursor(page[-1].started_at, page[-1].id) if len(found) > limit else ""
        # Counted beside the page: a session written in between may be on the page only.
        return SessionPage(sessions=page, next_cursor=cursor, total=max(counted[0][0], len(found)))

    def iter_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> AsyncIterator[Session]:
        """All sessions that ``list_sessions`` would page through, in its order, in bounded memory.

        ``filter.cursor`` says where to begin, its limit does not matter. What is written meanwhile may be seen or not.
        """
        return _all_in_order(self._heavy, org_id, filter)

    async def get_session(self, org_id: str, id: str) -> Session:
        """Any session by its id, or ``NotFoundError``."""
        found = await _with_ids(self._open_pool, text(org_id, "org_id"), (text(id, "id"),))
        if not found:
            raise NotFoundError(f"no session {id!r} in organisation {org_id!r}")
        return found[0]

    async def get_sessions(self, org_id: str, ids: Iterable[str]) -> list[Session]:
        """Those of these sessions that there are, each once, by id."""
        if isinstance(ids, str):  # each of its characters would pass for an id
            raise InvalidArgumentError("ids: expected several ids, got one str", field="ids")
        pool, organisation = self._open_pool, text(org_id, "org_id")
        wanted = sorted({valid_text(text(id, "ids")) for id in ids})
        sessions: list[Session] = []
        for start in range(0, len(wanted), _SESSIONS_AT_ONCE):
            sessions += await _with_ids(pool, organisation, tuple(wanted[start : start + _SESSIONS_AT_ONCE]))
        return sessions

    async def list_users(self, org_id: str) -> list[UserInfo]:
        """The users of browsable sessions, one per id, named by their latest session, ordered by name and id."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT user_id, argMax(user_name, (ifNull(started_at, {never}), id)) AS name"
                " FROM sessions FINAL WHERE {where} GROUP BY user_id ORDER BY name, user_id",
                never=_NEVER,
                where=session_conditions(org_id),
            )
        )
        return await build_in_slices(UserInfo, columns)

    async def list_projects(self, org_id: str) -> list[ProjectInfo]:
        """The projects with a name, one per (id, name), with the path of the latest session, ordered by name and id."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT project_id, project_name, argMax(project_path, (ifNull(started_at, {never}), id))"
                " FROM sessions FINAL WHERE {where} AND project_name != ''"
                " GROUP BY project_id, project_name ORDER BY project_name, project_id",
                never=_NEVER,
                where=session_conditions(org_id),
            )
        )
        return await build_in_slices(ProjectInfo, columns)

    async def list_agents(self, org_id: str) -> list[str]:
        """The distinct agent types, ordered."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT DISTINCT toString(agent_type) AS agent FROM sessions FINAL"
                " WHERE {where} AND agent_type != '' ORDER BY agent",
                where=session_conditions(org_id),
            )
        )
        return list(columns[0]) if columns else []


async def _with_ids(pool: Executor, org_id: str, ids: tuple[str, ...]) -> list[Session]:
    where = sql("org_id = {org_id} AND id IN {ids}", org_id=org_id, ids=ids)
    columns, found = await gather_both(
        lambda: pool.fetch(
            sql("SELECT {all} FROM sessions FINAL WHERE {where} ORDER BY id", all=_COLUMNS, where=where)
        ),
        lambda: derived(pool, org_id, ids),
    )
    return _with_derived(columns, found) if columns else []


async def _all_in_order(executor: Executor, org_id: str, filter: SessionFilter) -> AsyncIterator[Session]:
    where = filter_conditions(org_id, filter)
    after = _after_cursor(filter.cursor)
    while True:
        found = await _in_order(
            executor, org_id, sql("{where} AND {after}", where=where, after=after), count=_SESSIONS_AT_ONCE
        )
        for session in found:
            yield session
        if len(found) < _SESSIONS_AT_ONCE:
            return
        after = _after(found[-1].started_at, found[-1].id)


async def _in_order(executor: Executor, org_id: str, where: Sql, *, count: int) -> list[Session]:
    """The first ``count`` sessions that satisfy ``where``: started_at descending, id descending, without one last.

    The server sorts keys and then reads the other columns of these rows only (lazy materialization). Git links
    and tool calls are counted for these sessions, not for the organisation.
    """
    columns = await executor.fetch(
        sql(
            "SELECT {columns} FROM sessions FINAL WHERE {where}"
            " ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}",
            columns=_COLUMNS,
            where=where,
            count=count,
        )
    )
    if not columns:
        return []
    return _with_derived(columns, await derived(executor, org_id, columns[_ID]))


def _with_derived(columns: Columns, found: Derived) -> list[Session]:
    ids = columns[_ID]
    more = [
        *(tuple(count.get(id, 0) for id in ids) for count in found[:3]),
        tuple(found.origins.get(id, "") for id in ids),
    ]
    return build(Session, [*columns, *more], time_columns=_TIMES)


def _after_cursor(cursor: str) -> Sql:
    """The condition that a session comes after the cursor; "" is before all."""
    return sql("1") if cursor == "" else _after(*decode_session_cursor(cursor))


def _after(started_at: dt.datetime | None, session_id: str) -> Sql:
    """The condition that a session comes after this one."""
    if started_at is None:
        return sql("(started_at IS NULL AND id < {id})", id=session_id)
    return sql(
        "(started_at IS NULL OR started_at < {moment} OR (started_at = {moment} AND id < {id}))",
        moment=started_at,
        id=session_id,
    )
