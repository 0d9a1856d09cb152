"""Which rows of a session are seen: not those that a replace or a removal took away, older than its floor. Pure.

And, for who counts and searches, not those that another session owns (``owned``).

The condition is asked of the newest version of each row (``FINAL``) and needs no text. Floors rest after a while
(``write/sweep.py``), so there are few.
"""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import text

CONTENT, MARKS, COPIES, SUBAGENTS = "content", "marks", "copies", "subagents"
_NOTHING = sql("")


def above_floor(org_id: str, session_id: str, scope: str = CONTENT) -> Sql:
    """The condition on rows of one session, that they are not older than its floor."""
    return sql(
        "_version >= (SELECT max(_version) FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND session_id = {session_id})",
        scope=scope,
        org_id=text(org_id, "org_id"),
        session_id=session_id,
    )


def above_floors(org_id: str, scope: str = CONTENT, among: Sql | None = None) -> Sql:
    """The condition on rows of an organisation; ``among`` on their sessions' ids, where only some can be met."""
    return sql("_version >= {floor}", floor=floor_of_row(org_id, scope, among))


def floor_of_row(org_id: str, scope: str = CONTENT, among: Sql | None = None) -> Sql:
    """The floor of a row's session, 0 without one. All are read before any row of the statement is."""
    floors = sql(
        "(SELECT (groupArray(session_id), groupArray(_version)) FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id}{among})",
        scope=scope,
        org_id=text(org_id, "org_id"),
        among=_and(among),
    )
    # The subquery is written twice and run once: the server keeps its result for the statement.
    return sql("transform(session_id, {floors}.1, {floors}.2, toUInt64(0))", floors=floors)


def moments(org_id: str, sessions: Sql, also: Sql = _NOTHING, ids: tuple[str, ...] | None = None) -> Sql:
    """``id``, ``moment`` (its start, in microseconds), ``floor`` (0 without one), what ``owned`` asks for, and
    ``also``, of the sessions; ``ids`` where only these are asked for.

    For statements that join them anyway: few rows are left by then, and the floor costs them next to nothing.
    """
    return with_floors(
        org_id,
        sql(
            "SELECT id, toUnixTimestamp64Micro(started_at) AS moment{also} FROM sessions FINAL{key} WHERE {sessions}",
            sessions=sessions,
            # By the key first: the texts of other sessions are not read.
            key=_NOTHING if ids is None else sql(" PREWHERE org_id = {org_id} AND id IN {ids}", org_id=org_id, ids=ids),
            also=sql(", {also}", also=also) if also.text else also,
        ),
    )


def with_floors(org_id: str, sessions: Sql) -> Sql:
    """The rows of ``sessions``, which have an ``id``, with their ``floor`` and what ``owned`` asks for."""
    return sql(
        "SELECT own.*, ifNull(f.floor, 0) AS floor, ifNull(f.own_from, 0) AS own_from, f.copied_ordinals"
        " FROM ({sessions}) AS own LEFT ANY JOIN ("
        "SELECT session_id, maxIf(_version, scope = {content}) AS floor, maxIf(own_from, scope = {copies}) AS own_from,"
        " anyIf(copied_ordinals, scope = {copies}) AS copied_ordinals FROM session_floors FINAL"
        " WHERE scope IN ({content}, {copies}) AND org_id = {org_id} GROUP BY session_id) AS f"
        " ON f.session_id = own.id",
        sessions=sessions,
        content=CONTENT,
        copies=COPIES,
        org_id=text(org_id, "org_id"),
    )


def owned(ordinal: Sql) -> Sql:
    """The condition on rows joined with ``with_floors`` that no other session owns them: they are no copies."""
    return sql("{ordinal} >= own_from AND NOT has(copied_ordinals, {ordinal})", ordinal=ordinal)


def _and(condition: Sql | None) -> Sql:
    return sql(" AND {condition}", condition=condition) if condition else sql("")
