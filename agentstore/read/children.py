"""What grew out of sessions: their subagents, continuations and forks.

Most sessions have none. So the first statement looks for what may be a child, among all versions of the rows, which is
quick; what is true of it is asked of the few that it finds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from agentstore.connection.sql import Sql, sql
from agentstore.models import Session
from agentstore.protocols import Executor
from agentstore.read.concurrent import gather_both
from agentstore.read.conditions import FILLED, SEVERAL_AT_ONCE, several_ids, text
from agentstore.read.floors import above_floors
from agentstore.read.lanes import ReadLanes
from agentstore.read.session_rows import sessions_of
from agentstore.read.threads import ONE_THREAD

_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)


class ChildReads(ReadLanes):
    """The read about what grew out of sessions."""

    async def list_children(self, org_id: str, session_ids: Iterable[str]) -> list[Session]:
        """The subagents, continuations and forks whose ``parent_session_id`` is one of these, of any number of ids.

        By started_at and id, those without started_at last. Sessions that nobody wrote a prompt in are among them,
        deleted ones are not, nor is a session its own child. A subagent whose row names no parent is told where a tool
        call of one of these sessions names it, with that session as its ``parent_session_id``.
        """
        pool, organisation = self._open_pool, text(org_id, "org_id")
        # No row that names "" names a parent.
        wanted = [id for id in several_ids(session_ids, "session_ids") if id]
        own: dict[str, Session] = {}
        called: dict[str, Session] = {}
        for start in range(0, len(wanted), SEVERAL_AT_ONCE):
            parents = wanted[start : start + SEVERAL_AT_ONCE]
            named, orphans = {*parents}, list[Session]()
            for one in await _candidates(pool, organisation, parents):
                if one.parent_session_id in named and one.parent_session_id != one.id:
                    own[one.id] = one
                elif not one.parent_session_id and one.relationship_type == "subagent":
                    orphans.append(one)
            callers = await _callers(pool, organisation, parents, orphans)
            for one in orphans:
                if one.id in callers:
                    called.setdefault(one.id, replace(one, parent_session_id=callers[one.id]))
        return sorted((called | own).values(), key=lambda one: (one.started_at or _NEVER, one.id))


async def _candidates(executor: Executor, org_id: str, parents: Sequence[str]) -> list[Session]:
    """The sessions that are children of these, and some that are not, any more or at all; none that is deleted."""
    columns = await executor.fetch(_maybe_children(org_id, parents))
    ids = columns[0] if columns else []
    found: list[Session] = []
    for start in range(0, len(ids), SEVERAL_AT_ONCE):
        found += await _not_deleted(executor, org_id, ids[start : start + SEVERAL_AT_ONCE])
    return found


async def _not_deleted(executor: Executor, org_id: str, ids: Sequence[str]) -> list[Session]:
    sessions, deleted = await gather_both(
        lambda: sessions_of(executor, org_id, ids), lambda: executor.fetch(_deleted(org_id, ids), ONE_THREAD)
    )
    gone = {*deleted[0]} if deleted else set()
    return [one for one in sessions if one.id not in gone]


async def _callers(
    executor: Executor, org_id: str, parents: Sequence[str], children: Sequence[Session]
) -> dict[str, str]:
    """By child, the first of the sessions that has a tool call which names it."""
    if not children:
        return {}
    columns = await executor.fetch(_calls(org_id, parents, [one.id for one in children]))
    return dict(zip(*columns, strict=True)) if columns else {}


def _maybe_children(org_id: str, parents: Sequence[str]) -> Sql:
    """The ids that any version of a row tells of. No FINAL: it would read all rows, and sort them, for nothing."""
    return sql(
        "SELECT DISTINCT id FROM (SELECT id FROM session_facts"
        " WHERE org_id = {org_id} AND parent_session_id IN {parents} AND {filled} UNION ALL"
        " SELECT subagent_session_id FROM tool_calls"
        " WHERE org_id = {org_id} AND session_id IN {parents} AND subagent_session_id NOT IN ('', session_id))",
        org_id=org_id,
        parents=tuple(parents),
        filled=FILLED,
    )


def _deleted(org_id: str, ids: Sequence[str]) -> Sql:
    return sql(
        "SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id} AND session_id IN {ids}",
        org_id=org_id,
        ids=tuple(ids),
    )


def _calls(org_id: str, callers: Sequence[str], called: Sequence[str]) -> Sql:
    """Which of these are called by which of those."""
    return sql(
        "SELECT subagent_session_id, min(session_id) FROM tool_calls FINAL WHERE org_id = {org_id}"
        " AND session_id IN {callers} AND {seen} AND subagent_session_id IN {called}"
        " AND subagent_session_id != session_id GROUP BY subagent_session_id",
        org_id=org_id,
        callers=tuple(callers),
        called=tuple(called),
        seen=above_floors(org_id, among=sql("session_id IN {callers}", callers=tuple(callers))),
    )
