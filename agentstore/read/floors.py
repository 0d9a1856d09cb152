"""Which rows of a session a replace or a removal took away: those older than the session's floor. Pure.

The condition is asked of the newest version of each row (``FINAL``) and needs no text. Floors rest after a while
(``write/sweep.py``), so there are few.
"""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.read.scope import text

CONTENT, MARKS = "content", "marks"


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
    floors = sql(
        "(SELECT (groupArray(session_id), groupArray(_version)) FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id}{among})",
        scope=scope,
        org_id=text(org_id, "org_id"),
        among=sql(" AND {among}", among=among) if among else sql(""),
    )
    # The subquery is written twice and run once: the server keeps its result for the statement.
    return sql("_version >= transform(session_id, {floors}.1, {floors}.2, toUInt64(0))", floors=floors)
