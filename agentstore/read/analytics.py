"""Analytics over browsable sessions: who, when, with what, and how many tokens, each counted once."""

from __future__ import annotations

from typing import Unpack

from agentstore.connection.sql import Sql, join, sql
from agentstore.filters import AnalyticsFilter, AnalyticsKeywords, takes_analytics_keywords
from agentstore.models import DailyActivity, HeatmapCell, ModelTokenUsage, ToolUsageStat, UserUsage
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import session_conditions, text
from agentstore.read.dates import zone
from agentstore.read.decoding import build
from agentstore.read.floors import MARKS, above_floors
from agentstore.read.lanes import ReadLanes

TOP_TOOLS = 20

_STARTED = sql("started_at IS NOT NULL")


class AnalyticsReads(ReadLanes):
    """Reads that count."""

    @takes_analytics_keywords
    async def usage_by_user(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[UserUsage]:
        """Sessions, messages, git links and tokens by user, agent and project, most sessions first."""
        filter = AnalyticsFilter(**keywords)
        columns = await self._heavy.fetch(
            sql(
                "SELECT user_id, argMax(user_name, ifNull(started_at, toDateTime64('1900-01-01', 6, 'UTC'))),"
                " toString(agent_type) AS agent, project_name, count() AS session_count, sum(message_count),"
                " sum(links.links), sum(total_output_tokens), max(peak_context_tokens)"
                " FROM (SELECT * FROM sessions FINAL WHERE {where}) AS s LEFT JOIN"
                " (SELECT session_id, count() AS links FROM git_links FINAL WHERE org_id = {org_id} AND {seen}"
                " GROUP BY session_id) AS links ON links.session_id = s.id"
                " GROUP BY user_id, agent, project_name ORDER BY session_count DESC, user_id, agent, project_name",
                where=_where(org_id, filter),
                org_id=org_id,
                seen=above_floors(org_id, MARKS),
            )
        )
        return await build_in_slices(UserUsage, columns)

    @takes_analytics_keywords
    async def activity_heatmap(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[HeatmapCell]:
        """Session starts by weekday and hour in ``tz``: the non-empty cells, ordered."""
        filter = AnalyticsFilter(**keywords)
        columns = await self._heavy.fetch(
            sql(
                "SELECT toDayOfWeek({start}) AS day, toHour({start}) AS hour, count() FROM sessions FINAL WHERE {where}"
                " GROUP BY day, hour ORDER BY day, hour",
                start=_local_start(filter),
                where=_where(org_id, filter, _STARTED),
            )
        )
        return build(HeatmapCell, columns)

    @takes_analytics_keywords
    async def tool_usage_distribution(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[ToolUsageStat]:
        """The 20 most used tools, ties by name."""
        filter = AnalyticsFilter(**keywords)
        columns = await self._heavy.fetch(
            sql(
                "SELECT toString(tool_name) AS name, toString(tool_category) AS category, count() AS usage_count"
                " FROM tool_calls FINAL WHERE org_id = {org_id} AND {seen}"
                " AND session_id IN (SELECT id FROM sessions FINAL WHERE {where})"
                " GROUP BY name, category ORDER BY usage_count DESC, name, category LIMIT {top}",
                org_id=org_id,
                seen=above_floors(org_id),
                where=_where(org_id, filter),
                top=TOP_TOOLS,
            )
        )
        return build(ToolUsageStat, columns)

    @takes_analytics_keywords
    async def daily_activity(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[DailyActivity]:
        """Sessions, messages and output tokens per day in ``tz``, ascending."""
        filter = AnalyticsFilter(**keywords)
        columns = await self._heavy.fetch(
            sql(
                "SELECT toDate32({start}) AS day, count(), sum(message_count), sum(total_output_tokens)"
                " FROM sessions FINAL WHERE {where} GROUP BY day ORDER BY day",
                start=_local_start(filter),
                where=_where(org_id, filter, _STARTED),
            )
        )
        return build(DailyActivity, columns)

    @takes_analytics_keywords
    async def token_usage_by_model(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[ModelTokenUsage]:
        """Tokens by model with output, most output first; each API response (source_id) counted once."""
        filter = AnalyticsFilter(**keywords)
        columns = await self._heavy.fetch(
            sql(
                "SELECT m, sum(i), sum(cr), sum(cw), sum(o) AS output, sum(c), count() FROM ("
                # One number to compare by, for which argMax is compiled: of equal outputs the larger context decides.
                "WITH bitOr(bitShiftLeft(toUInt128(output_tokens), 64), toUInt128(context_tokens)) AS size"
                " SELECT argMax(input_tokens, size) AS i, argMax(cache_read_tokens, size) AS cr,"
                " argMax(cache_write_tokens, size) AS cw, max(output_tokens) AS o, argMax(context_tokens, size) AS c,"
                " argMax(model, size) AS m"
                " FROM messages FINAL WHERE org_id = {org_id} AND (output_tokens > 0 OR model != '') AND {seen}"
                " AND session_id IN (SELECT id FROM sessions FINAL WHERE {where})"
                " GROUP BY source_id, if(source_id = '', session_id, ''), if(source_id = '', ordinal, 0)"
                ") GROUP BY m HAVING output > 0 ORDER BY output DESC, m",
                org_id=org_id,
                seen=above_floors(org_id),
                where=_where(org_id, filter),
            )
        )
        return build(ModelTokenUsage, columns)


def _where(org_id: str, filter: AnalyticsFilter, *more: Sql) -> Sql:
    """The condition over ``sessions FINAL`` of those that are counted."""
    conditions = session_conditions(
        org_id,
        equal={"project_name": filter.project_name, "user_id": filter.user_id},
        date_from=filter.date_from,
        date_to=filter.date_to,
        tz=filter.tz,
    )
    return join(" AND ", [conditions, *more])


def _local_start(filter: AnalyticsFilter) -> Sql:
    """``started_at`` as the clock on the wall showed it."""
    return sql("toTimeZone(assumeNotNull(started_at), {tz})", tz=zone(text(filter.tz, "tz")).key)
