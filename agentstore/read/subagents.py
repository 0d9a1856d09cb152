"""What totals have beside the sessions themselves: their subagents, less what was copied. Pure.

What a subagent spends counts on its own day, for user and project of its root session. All that is asked for here is
repeated in ``session_floors`` when sessions are written (``write/families.py``): a statistic reads all sessions once,
and corrects what it finds by these few rows. A deletion mark on a subagent hides it alone, one on its root all of them.
"""

from __future__ import annotations

from agentstore.connection.sql import Sql, join, sql
from agentstore.filters import AnalyticsFilter
from agentstore.read.conditions import named, session_conditions, text
from agentstore.read.dates import date_conditions, zone
from agentstore.read.floors import COPIES, SUBAGENTS


def counted_sessions(org_id: str, filter: AnalyticsFilter, *more: Sql) -> Sql:
    """The condition over ``sessions FINAL`` on the browsable sessions that are counted."""
    zone(filter.tz)
    sessions = session_conditions(org_id, equal=_equal(filter))
    return join(" AND ", [sessions, *date_conditions(filter.date_from, filter.date_to, filter.tz), *more])


def is_narrow(filter: AnalyticsFilter) -> bool:
    """Whether the filter leaves only some sessions."""
    return filter != AnalyticsFilter(tz=filter.tz)


def spending_sessions(org_id: str, filter: AnalyticsFilter) -> Sql:
    """The ``id`` of all sessions whose tokens and tools are counted: browsable ones, and subagents."""
    return sql(
        "SELECT id FROM sessions FINAL WHERE {sessions} UNION ALL"
        " SELECT session_id FROM session_floors FINAL WHERE scope = {scope} AND {counted}",
        sessions=counted_sessions(org_id, filter),
        scope=SUBAGENTS,
        counted=_counted(org_id, filter),
    )


def corrections(org_id: str, filter: AnalyticsFilter, columns: Sql, *more: Sql) -> Sql:
    """These columns of the rows that correct the totals, and by what: ``more_tokens``, ``less_tokens``,
    ``less_messages``."""
    return sql(
        "SELECT {columns}, if(scope = {subagents}, total_output_tokens, 0) AS more_tokens,"
        " copied_output_tokens AS less_tokens, toUInt64(copied_in_totals) AS less_messages"
        " FROM session_floors FINAL WHERE scope IN ({copies}, {subagents}) AND {counted}",
        columns=columns,
        subagents=SUBAGENTS,
        copies=COPIES,
        counted=join(" AND ", [_counted(org_id, filter), *more]),
    )


def _counted(org_id: str, filter: AnalyticsFilter) -> Sql:
    conditions = [sql("org_id = {org_id} AND counts", org_id=text(org_id, "org_id")), *named(_equal(filter))]
    return join(" AND ", [*conditions, *date_conditions(filter.date_from, filter.date_to, filter.tz)])


def _equal(filter: AnalyticsFilter) -> dict[str, str]:
    return {"project_name": filter.project_name, "user_id": filter.user_id}
