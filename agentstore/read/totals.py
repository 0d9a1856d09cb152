"""What totals have beside the sessions themselves: their subagents, less what was copied. Pure.

What a subagent spends counts on its own day, for user and project of its root session. All that is asked for here is
repeated in ``session_floors`` when sessions are written (``write/families.py``): a statistic sums up the sessions, and
corrects that by these few rows. A deletion mark on a subagent hides it alone, one on its root all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def spending_sessions(org_id: str, filter: AnalyticsFilter) -> Sql:
    """The ``id`` of all sessions whose tokens and tools are counted: browsable ones, and subagents."""
    return sql(
        "SELECT id FROM sessions FINAL WHERE {sessions} UNION ALL"
        " SELECT session_id FROM session_floors FINAL WHERE scope = {scope} AND {counted}",
        sessions=counted_sessions(org_id, filter),
        scope=SUBAGENTS,
        counted=_counted(org_id, filter),
    )


def payers(org_id: str, filter: AnalyticsFilter, *more: Sql) -> Sql:
    """The same sessions, with who pays for them: ``id``, ``root``, ``title``, ``user_id``, ``user_name``,
    ``project_name``, ``agent_type`` and ``started_at``.

    What a subagent spends is its root's, on its own day. It has no title.
    """
    columns = sql("user_id, user_name, project_name, toString(agent_type) AS agent_type, started_at")
    return sql(
        "SELECT id, id AS root, display_name AS title, {columns} FROM sessions FINAL WHERE {sessions} UNION ALL"
        " SELECT session_id, origin_session_id, '', {columns} FROM session_floors FINAL"
        " WHERE scope = {scope} AND {counted}",
        columns=columns,
        sessions=counted_sessions(org_id, filter, *more),
        scope=SUBAGENTS,
        counted=join(" AND ", [_counted(org_id, filter), *more]),
    )


def corrections(org_id: str, filter: AnalyticsFilter, by: Sql, *more: Sql) -> Sql:
    """By these columns, what corrects the totals of the sessions: tokens to add; messages, links and tokens to take
    away."""
    return sql(
        "SELECT {by}, sumIf(total_output_tokens, scope = {subagents}), sumIf(copied_messages, is_root),"
        " sumIf(length(copied_links), is_root), sum(copied_output_tokens) FROM session_floors FINAL"
        " WHERE scope IN ({copies}, {subagents}) AND {counted} GROUP BY {by}",
        by=by,
        subagents=SUBAGENTS,
        copies=COPIES,
        counted=join(" AND ", [_counted(org_id, filter), *more]),
    )


def corrected(totals: tuple[int, int, int], amounts: Sequence[int]) -> tuple[int, int, int]:
    """Messages, tokens and links, corrected by a row of ``corrections``.

    Totals of sessions are the writer's word: where they say less than is to be taken away, nothing is left.
    """
    messages, tokens, links = totals
    more_tokens, less_messages, less_links, less_tokens = amounts
    return max(0, messages - less_messages), max(0, tokens + more_tokens - less_tokens), max(0, links - less_links)


def _counted(org_id: str, filter: AnalyticsFilter) -> Sql:
    conditions = [sql("org_id = {org_id} AND counts", org_id=text(org_id, "org_id")), *named(_equal(filter))]
    return join(" AND ", [*conditions, *date_conditions(filter.date_from, filter.date_to, filter.tz)])


def _equal(filter: AnalyticsFilter) -> dict[str, str]:
    return {"project_name": filter.project_name, "user_id": filter.user_id}
