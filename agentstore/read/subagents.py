"""Subagents in totals: what they spend counts on their own day, for user and project of their root session. Pure."""

from __future__ import annotations

from agentstore.connection.sql import Sql, join, sql
from agentstore.filters import AnalyticsFilter
from agentstore.read.conditions import session_conditions, text
from agentstore.read.dates import date_conditions, zone

# A subagent of a subagent … of a session: parents are followed this far.
DEEPEST = 8


def counted_sessions(org_id: str, filter: AnalyticsFilter, *more: Sql) -> Sql:
    """The condition over ``sessions FINAL`` on the browsable sessions that are counted."""
    return join(" AND ", [_without_dates(org_id, filter), *_dates(filter), *more])


def possible_roots(org_id: str, filter: AnalyticsFilter) -> Sql:
    """The same whenever they started: a subagent's day is its own."""
    return _without_dates(org_id, filter)


def is_counted_itself(filter: AnalyticsFilter) -> Sql:
    """Whether one of those is also counted as a session: it started in the span of dates."""
    return sql("ifNull({dates}, 0)", dates=join(" AND ", [sql("1"), *_dates(filter)]))


def spending_sessions(org_id: str, filter: AnalyticsFilter) -> Sql:
    """The ``id`` of all sessions whose tokens and tools are counted: browsable ones, and subagents."""
    return sql(
        "SELECT id FROM sessions FINAL WHERE {sessions} UNION ALL SELECT id FROM ({subagents})",
        sessions=counted_sessions(org_id, filter),
        subagents=subagents(org_id, filter, sql("id")),
    )


def subagents(org_id: str, filter: AnalyticsFilter, columns: Sql, *more: Sql) -> Sql:
    """These columns of the subagents that are counted, and ``root``, the session that they worked for."""
    roots = possible_roots(org_id, filter)
    return sql(
        "SELECT * FROM (SELECT {columns}, {root} AS root FROM sessions FINAL WHERE {conditions})"
        " WHERE root IN (SELECT id FROM sessions FINAL WHERE {roots})",
        columns=columns,
        root=_root(org_id),
        conditions=join(" AND ", [_shown_subagents(org_id), *_dates(filter), *more]),
        roots=roots,
    )


def is_narrow(filter: AnalyticsFilter) -> bool:
    """Whether the filter leaves only some sessions."""
    return filter != AnalyticsFilter(tz=filter.tz)


def _root(org_id: str) -> Sql:
    """Who the parent is, or the parent's parent where that is a subagent itself, and so on."""
    # Few subagents have subagents, so these arrays are short. One that is hidden leads nowhere, nor do those below it.
    nested = sql(
        "(SELECT (groupArray(id), groupArray(parent_session_id)) FROM sessions FINAL WHERE {shown}"
        " AND id IN (SELECT parent_session_id FROM sessions FINAL WHERE org_id = {org_id} AND subagent))",
        shown=_shown_subagents(org_id),
        org_id=org_id,
    )
    root = sql("parent_session_id")
    for _ in range(DEEPEST - 1):
        root = sql("transform({root}, {nested}.1, {nested}.2, {root})", root=root, nested=nested)
    return root


def _shown_subagents(org_id: str) -> Sql:
    return sql(
        "org_id = {org_id} AND subagent"
        " AND id NOT IN (SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id})",
        org_id=text(org_id, "org_id"),
    )


def _without_dates(org_id: str, filter: AnalyticsFilter) -> Sql:
    zone(filter.tz)
    return session_conditions(org_id, equal={"project_name": filter.project_name, "user_id": filter.user_id})


def _dates(filter: AnalyticsFilter) -> list[Sql]:
    return date_conditions(filter.date_from, filter.date_to, filter.tz)
