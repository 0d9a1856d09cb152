"""The keys of the narrow copies (ddl/0011): hashes in place of ids, so that numbers are compared and joined. Pure."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import text
from agentstore.read.floors import CONTENT, COPIES


def session_key(column: Sql) -> Sql:
    """The ``session`` of a narrow copy that belongs to the session with this id."""
    return sql("reinterpretAsUInt128(sipHash128({column}))", column=column)


SESSION_KEY = session_key(sql("session_id"))


def keys_above_floors(org_id: str, scope: str) -> Sql:
    """``floors.above_floors`` for a narrow copy: its rows are not older than their session's floor."""
    return sql(
        "_version >= {floor}",
        floor=_said_of_row(org_id, sql("_version"), sql("scope = {scope}", scope=scope), otherwise=sql("toUInt64(0)")),
    )


def own_keys(org_id: str, ordinal: Sql) -> Sql:
    """``copies.own_rows`` for a narrow copy: its rows are their session's own, and no copies of another's."""
    begins = sql("scope = {scope} AND own_from > 0", scope=COPIES)
    return sql(
        "{ordinal} >= {begin} AND (session, {ordinal}) NOT IN ("
        "SELECT {key}, arrayJoin(copied_ordinals) FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND notEmpty(copied_ordinals))",
        ordinal=ordinal,
        begin=_said_of_row(org_id, sql("own_from"), begins, otherwise=sql("toUInt32(0)")),
        key=SESSION_KEY,
        scope=COPIES,
        org_id=text(org_id, "org_id"),
    )


def cut_keys(org_id: str) -> Sql:
    """The keys of sessions of which not all rows count: see ``keys_above_floors`` and ``own_keys``."""
    return sql(
        "SELECT {key} FROM session_floors FINAL WHERE org_id = {org_id}"
        " AND (scope = {content} OR scope = {copies} AND copied_messages > 0)",
        key=SESSION_KEY,
        org_id=text(org_id, "org_id"),
        content=CONTENT,
        copies=COPIES,
    )


def _said_of_row(org_id: str, value: Sql, where: Sql, *, otherwise: Sql) -> Sql:
    """The ``value`` that a row ``where`` of ``session_floors`` has for the session of a narrow copy's row, if any."""
    found = sql(
        "(SELECT (groupArray({key}), groupArray({value})) FROM session_floors FINAL"
        " WHERE org_id = {org_id} AND {where})",
        key=SESSION_KEY,
        value=value,
        org_id=text(org_id, "org_id"),
        where=where,
    )
    # The subquery is written twice and run once: the server keeps its result for the statement.
    return sql("transform(session, {found}.1, {found}.2, {otherwise})", found=found, otherwise=otherwise)
