"""What grew out of sessions: their subagents, continuations and forks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from agentstore.connection.sql import Sql, sql
from agentstore.models import Session
from agentstore.read.conditions import FILLED, SEVERAL_AT_ONCE, several_ids, text
from agentstore.read.floors import above_floors
from agentstore.read.lanes import ReadLanes
from agentstore.read.session_rows import known_keys, sessions_of

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
        wanted = several_ids(session_ids, "session_ids")
        found: dict[str, Session] = {}
        for start in range(0, len(wanted), SEVERAL_AT_ONCE):
            columns = await pool.fetch(_children(organisation, wanted[start : start + SEVERAL_AT_ONCE]))
            if not columns:
                continue
            ids, keys, callers = columns
            called_by = dict(zip(ids, callers, strict=True))
            for place in range(0, len(ids), SEVERAL_AT_ONCE):
                part = slice(place, place + SEVERAL_AT_ONCE)
                for one in await sessions_of(pool, organisation, ids[part], known_keys(keys[part])):
                    if one.parent_session_id:
                        found[one.id] = one
                    elif one.relationship_type == "subagent":
                        found.setdefault(one.id, replace(one, parent_session_id=called_by[one.id]))
        return sorted(found.values(), key=lambda one: (one.started_at or _NEVER, one.id))


def _children(org_id: str, ids: Sequence[str]) -> Sql:
    """Id, key and, where its row names no parent, the session that called it."""
    named = tuple(ids)
    calls = sql(
        "SELECT subagent_session_id AS called, min(session_id) AS caller FROM tool_calls FINAL"
        " WHERE org_id = {org_id} AND session_id IN {ids} AND {seen}"
        " AND subagent_session_id NOT IN ('', session_id) GROUP BY called",
        org_id=org_id,
        ids=named,
        seen=above_floors(org_id, among=sql("session_id IN {ids}", ids=named)),
    )
    return sql(
        "SELECT id, session, caller FROM (SELECT id, session, parent_session_id FROM session_facts FINAL"
        " WHERE org_id = {org_id} AND (parent_session_id = '' OR parent_session_id IN {ids})"
        " AND parent_session_id != id AND {filled}"
        " AND id NOT IN (SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id})) AS s"
        " LEFT ANY JOIN ({calls}) AS c ON c.called = s.id WHERE parent_session_id != '' OR caller != ''",
        org_id=org_id,
        ids=named,
        filled=FILLED,
        calls=calls,
    )
