"""Sessions, and the users, projects and agents they come from."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any

from agentstore.connection.sql import Sql, from_ticks, sql, valid_text
from agentstore.errors import NotFoundError
from agentstore.models import ProjectInfo, Session, SessionFilter, SessionPage, UserInfo
from agentstore.protocols import Executor
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import (
    FILLED,
    SEVERAL_AT_ONCE,
    expect,
    page_limit,
    session_conditions,
    several_ids,
    text,
)
from agentstore.read.cursor import decode_session_cursor, encode_session_cursor
from agentstore.read.keys import known_keys
from agentstore.read.lanes import ReadLanes
from agentstore.read.session_filter import matching
from agentstore.read.session_rows import session_values, sessions_of

_NOTHING = sql("")

# Where a session has no started_at, any other is later.
_NEVER = sql("toDateTime64('1900-01-01', 6, 'UTC')")


class SessionReads(ReadLanes):
    """Reads about sessions as a whole."""

    async def list_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> SessionPage:
        """One page of browsable sessions, started_at descending, id descending, those without started_at last.

        ``total`` counts what the filter matches, whatever cursor and limit. Walking the cursors yields every session
        exactly once; one that is removed while its page is read is left out. A cursor of another kind is
        ``InvalidCursorError``.
        """
        pool = self._open_pool
        expect(filter, SessionFilter, "filter")
        limit = page_limit(filter.limit)
        after = _after_cursor(filter.cursor)
        counted = matching(org_id, filter, sql(", count() OVER () AS total"))
        columns = await pool.fetch(_first_keys(counted, after, limit + 1, sql(", total")))
        if not columns:
            # Behind the last one, if there is any: nothing tells how many there are.
            return SessionPage([], "", await _count(pool, org_id, filter) if filter.cursor else 0)
        ids, moments, keys, totals = columns
        sessions = await sessions_of(pool, org_id, ids[:limit], known_keys(keys[:limit]))
        # From the keys: where the page's last session has gone since, the next page begins where that one was.
        more = len(ids) > limit
        cursor = encode_session_cursor(from_ticks(moments[limit - 1]), ids[limit - 1]) if more else ""
        return SessionPage(sessions, cursor, totals[0])

    def iter_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> AsyncIterator[Session]:
        """All sessions that ``list_sessions`` would page through, in its order, in bounded memory.

        ``filter.cursor`` says where to begin, its limit does not matter. What is written meanwhile may be seen or not.
        """
        return _all_in_order(self._heavy, org_id, filter)

    async def get_session(self, org_id: str, id: str) -> Session:
        """Any session by its id, or ``NotFoundError``."""
        found = await sessions_of(self._open_pool, text(org_id, "org_id"), (valid_text(text(id, "id")),))
        if not found:
            raise NotFoundError(f"no session {id!r} in organisation {org_id!r}")
        return found[0]

    async def get_sessions(self, org_id: str, ids: Iterable[str]) -> list[Session]:
        """Those of these sessions that there are, each once, by id."""
        pool, organisation = self._open_pool, text(org_id, "org_id")
        wanted = several_ids(ids, "ids")
        sessions: list[Session] = []
        for start in range(0, len(wanted), SEVERAL_AT_ONCE):
            sessions += await sessions_of(pool, organisation, wanted[start : start + SEVERAL_AT_ONCE])
        return sessions

    async def list_users(self, org_id: str) -> list[UserInfo]:
        """The users of browsable sessions, one per id, named by their latest session, ordered by name and id."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT toString(user_id), argMax(toString(user_name), (ifNull(started_at, {never}), id)) AS name"
                " FROM session_facts FINAL WHERE {where} GROUP BY user_id ORDER BY name, user_id",
                never=_NEVER,
                where=_of_the_organisation(org_id),
            )
        )
        return await build_in_slices(UserInfo, columns)

    async def list_projects(self, org_id: str) -> list[ProjectInfo]:
        """The projects with a name, one per (id, name), with the path of the latest session, ordered by name and id."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT toString(project_id), toString(project_name),"
                " argMax(toString(project_path), (ifNull(started_at, {never}), id))"
                " FROM session_facts FINAL WHERE {where} AND project_name != ''"
                " GROUP BY project_id, project_name ORDER BY project_name, project_id",
                never=_NEVER,
                where=_of_the_organisation(org_id),
            )
        )
        return await build_in_slices(ProjectInfo, columns)

    async def list_agents(self, org_id: str) -> list[str]:
        """The distinct agent types, ordered."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT DISTINCT toString(agent_type) AS agent FROM session_facts FINAL"
                " WHERE {where} AND agent_type != '' ORDER BY agent",
                where=_of_the_organisation(org_id),
            )
        )
        return list(columns[0]) if columns else []


def _of_the_organisation(org_id: str) -> Sql:
    return sql("{sessions} AND {filled}", sessions=session_conditions(org_id), filled=FILLED)


async def _count(executor: Executor, org_id: str, filter: SessionFilter) -> int:
    columns = await executor.fetch(sql("SELECT count() FROM ({sessions})", sessions=matching(org_id, filter)))
    return int(columns[0][0])


async def _all_in_order(executor: Executor, org_id: str, filter: SessionFilter) -> AsyncIterator[Session]:
    async with aclosing(all_values(executor, org_id, filter)) as found:
        async for some in found:
            for values in some:
                yield Session(*values)


async def all_values(executor: Executor, org_id: str, filter: SessionFilter) -> AsyncGenerator[list[list[Any]], None]:
    """The values of the fields of all sessions that match, in the order of a list, some hundreds at a time."""
    sessions = matching(org_id, filter)
    after = _after_cursor(filter.cursor)
    while True:
        columns = await executor.fetch(_first_keys(sessions, after, SEVERAL_AT_ONCE))
        if not columns:
            return
        ids, moments, keys = columns
        yield await session_values(executor, org_id, ids, known_keys(keys))
        if len(ids) < SEVERAL_AT_ONCE:
            return
        after = _after(from_ticks(moments[-1]), ids[-1])


def _first_keys(sessions: Sql, after: Sql, count: int, also: Sql = _NOTHING) -> Sql:
    """Id, start in microseconds, key and ``also`` of the first of the sessions that come after."""
    return sql(
        "SELECT id, toUnixTimestamp64Micro(started_at), session{also} FROM ({sessions}) WHERE {after}"
        " ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}",
        also=also,
        sessions=sessions,
        after=after,
        count=count,
    )


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
