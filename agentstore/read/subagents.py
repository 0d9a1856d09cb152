"""What counts beside the sessions themselves: subagents, and copies that another session owns. Pure.

What a subagent spends counts on its own day, for user and project of its root session. What is asked for here is
repeated in ``session_floors`` when sessions are written (``write/families.py``): a statistic reads the sessions once,
and some rows beside them. A deletion mark on a subagent hides it alone, one on its root all of them.
"""

from __future__ import annotations

from agentstore.connection.sql import Sql, join, sql
from agentstore.filters import AnalyticsFilter
from agentstore.read.conditions import session_conditions, text
from agentstore.read.dates import date_conditions, zone
from agentstore.read.floors import COPIES, SUBAGENTS


def possible_roots(org_id: str, filter: AnalyticsFilter) -> Sql:
    """The condition over ``sessions FINAL`` on the browsable sessions that the filter is about, whenever they started:
    a subagent's day is its own."""
    zone(filter.tz)
    return session_conditions(org_id, equal={"project_name": filter.project_name, "user_id": filter.user_id})


def is_counted(filter: AnalyticsFilter) -> Sql:
    """Whether one of those is counted itself: it started in the span of dates."""
    return sql("ifNull({dates}, 0)", dates=join(" AND ", [sql("1"), *_dates(filter)]))


def counted_sessions(org_id: str, filter: AnalyticsFilter, *more: Sql) -> Sql:
    """The condition over ``sessions FINAL`` on the sessions that are counted themselves."""
    return join(" AND ", [possible_roots(org_id, filter), *_dates(filter), *more])


def is_narrow(filter: AnalyticsFilter) -> bool:
    """Whether the filter leaves only some sessions."""
    return filter != AnalyticsFilter(tz=filter.tz)


def spending_sessions(org_id: str, filter: AnalyticsFilter) -> Sql:
    """The ``id`` of all sessions whose tokens and tools are counted: browsable ones, and subagents."""
    return sql(
        "SELECT arrayJoin(arrayConcat(if({counted}, [id], []), subagents)) AS id"
        " FROM (SELECT id, started_at FROM sessions FINAL WHERE {roots}) AS s LEFT JOIN ("
        "SELECT origin_session_id AS root, groupArray(session_id) AS subagents FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND {shown} GROUP BY root) AS t ON t.root = s.id",
        counted=is_counted(filter),
        roots=possible_roots(org_id, filter),
        scope=SUBAGENTS,
        org_id=text(org_id, "org_id"),
        shown=join(" AND ", [_is_shown(org_id), *_dates(filter)]),
    )


def with_own_totals(org_id: str, filter: AnalyticsFilter, columns: Sql) -> Sql:
    """Of the possible roots these columns, ``counted``, ``own_messages`` and ``own_tokens``: their totals less what are
    copies; and ``spent`` of their subagents, an array of start and tokens.

    As totals are the writer's word, they may be less than what is to be taken away; then they are 0.
    """
    # Of each session first, for what a subagent copied stands in another row than itself.
    single = sql(
        "SELECT session_id, anyIf(origin_session_id, scope = {subagents}) AS root,"
        " anyIf(f.started_at, scope = {subagents}) AS started_at,"
        " sumIf(total_output_tokens, scope = {subagents}) AS total,"
        " sumIf(copied_messages, scope = {copies}) AS messages_copied,"
        " sumIf(copied_output_tokens, scope = {copies}) AS tokens_copied"
        " FROM session_floors AS f FINAL WHERE scope IN ({copies}, {subagents}) AND org_id = {org_id} AND {shown}"
        " GROUP BY session_id",
        copies=COPIES,
        subagents=SUBAGENTS,
        org_id=text(org_id, "org_id"),
        shown=_is_shown(org_id),
    )
    beside = sql(
        "SELECT if(root = '', session_id, root) AS root_id, sumIf(messages_copied, root = '') AS messages,"
        " sumIf(tokens_copied, root = '') AS tokens, groupArrayIf((started_at,"
        " if(total > tokens_copied, total - tokens_copied, 0)), root != '' AND {dates}) AS spent"
        " FROM ({single}) GROUP BY root_id",
        single=single,
        dates=is_counted(filter),
    )
    return sql(
        "SELECT s.*, if(message_count > b.messages, message_count - b.messages, 0) AS own_messages,"
        " if(total_output_tokens > b.tokens, total_output_tokens - b.tokens, 0) AS own_tokens, b.spent AS spent"
        " FROM (SELECT id, started_at, message_count, total_output_tokens, {columns}, {counted} AS counted"
        " FROM sessions FINAL WHERE {roots}) AS s LEFT ANY JOIN ({beside}) AS b ON b.root_id = s.id",
        columns=columns,
        counted=is_counted(filter),
        roots=possible_roots(org_id, filter),
        beside=beside,
    )


def _is_shown(org_id: str) -> Sql:
    return sql(
        "session_id NOT IN (SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id})",
        org_id=text(org_id, "org_id"),
    )


def _dates(filter: AnalyticsFilter) -> list[Sql]:
    return date_conditions(filter.date_from, filter.date_to, filter.tz)
