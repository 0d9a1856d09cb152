"""The keys of the narrow copies (ddl/0011): hashes in place of ids, so that numbers are compared and joined. Pure."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import text


def session_key(column: Sql) -> Sql:
    """The ``session`` of a narrow copy that belongs to the session with this id."""
    return sql("reinterpretAsUInt128(sipHash128({column}))", column=column)


SESSION_KEY = session_key(sql("session_id"))


def keys_above_floors(org_id: str, scope: str) -> Sql:
    """``floors.above_floors`` for a narrow copy: its rows are not older than their session's floor."""
    floors = sql(
        "(SELECT (groupArray({key}), groupArray(_version)) FROM session_floors FINAL"
        " WHERE org_id = {org_id} AND scope = {scope})",
        key=SESSION_KEY,
        org_id=text(org_id, "org_id"),
        scope=scope,
    )
    # The subquery is written twice and run once: the server keeps its result for the statement.
    return sql("_version >= transform(session, {floors}.1, {floors}.2, toUInt64(0))", floors=floors)
