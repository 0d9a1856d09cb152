"""The SQL of a search for a substring: which rows hold it, in their order. Pure."""

from __future__ import annotations

from agentstore.connection.sql import Sql, join, sql
from agentstore.read.cursor import SearchKey
from agentstore.read.floors import moments
from agentstore.read.search import candidates, terms
from agentstore.read.search.candidates import Narrowed, Target
from agentstore.read.search.rows import COLUMNS, ORDER, Searched, after_key


def hits(
    target: Target,
    sessions: Sql,
    after: SearchKey | None,
    *,
    count: int | None,
    narrowed: Narrowed | None = None,
) -> Sql:
    """The keys, in order, of the hits in the sessions that also satisfy ``sessions``: all, or the first so many."""
    scope = sql("{own} AND {more}", own=target.sessions, more=sessions)
    return sql(
        "SELECT {columns} FROM ({rows}) AS h INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {after} ORDER BY {order}{limit}",
        columns=COLUMNS,
        rows=join(" UNION ALL ", [_holding(target, one, scope, narrowed) for one in target.tables]),
        sessions=moments(target.org_id, scope),
        after=after_key(after),
        order=ORDER,
        limit=Sql("") if count is None else sql(" LIMIT {count}", count=count),
    )


def _holding(target: Target, searched: Searched, scope: Sql, narrowed: Narrowed | None) -> Sql:
    # PREWHERE holds sort key columns only, which all versions of a row share: texts of other rows are not read.
    return sql(
        "SELECT {key}, _version FROM {table} FINAL PREWHERE org_id = {org_id} AND {among} WHERE {rows} AND {held}",
        key=searched.texts.key,
        table=searched.texts.table,
        org_id=target.org_id,
        among=candidates.among(target, searched, scope, narrowed),
        rows=searched.rows,
        held=terms.may_hold(searched.texts.columns, target.terms),
    )
