"""Analytics over browsable sessions: who, when, with what, and how many tokens, each counted once.

Sessions and messages are those of browsable sessions. Tokens and tools are theirs and their subagents'
(``subagents``). What a fork or a resume copied counts in one session (``copies``, ``floors.owned``).
"""

from __future__ import annotations

from typing import Unpack

from agentstore.connection.sql import Sql, sql
from agentstore.filters import AnalyticsFilter, AnalyticsKeywords, takes_analytics_keywords
from agentstore.models import DailyActivity, HeatmapCell, ModelTokenUsage, ToolUsageStat, UserUsage
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import EVERYTHING, text
from agentstore.read.copies import own_links
from agentstore.read.dates import zone
from agentstore.read.decoding import build
from agentstore.read.floors import MARKS, above_floors, owned, with_floors
from agentstore.read.lanes import ReadLanes
from agentstore.read.subagents import corrections, counted_sessions, is_narrow, spending_sessions

TOP_TOOLS = 20

_STARTED = sql("started_at IS NOT NULL")
_NEVER = sql("toDateTime64('1900-01-01', 6, 'UTC')")
# Totals are the writers' word. Where they say less than what is to be taken away, nothing is left.
_TOKENS = sql("if(sum(more_tokens) > sum(less_tokens), sum(more_tokens) - sum(less_tokens), 0)")
_MESSAGES = sql("if(sum(messages) > sum(less_messages), sum(messages) - sum(less_messages), 0)")


class AnalyticsReads(ReadLanes):
    """Reads that count."""

    @takes_analytics_keywords
    async def usage_by_user(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[UserUsage]:
        """Sessions, messages, git links and tokens by user, agent and project, most sessions first."""
        filter = AnalyticsFilter(**keywords)
        whose = sql("user_id, user_name, toString(agent_type) AS agent, project_name")
        columns = await self._heavy.fetch(
            sql(
                "SELECT user_id, argMax(user_name, (sessions, ifNull(started_at, {never}))),"
                " agent, project_name, sum(sessions) AS session_count, {messages}, sum(links), {tokens}, max(peak)"
                " FROM ("
                "SELECT {whose}, started_at, 1 AS sessions, links.links AS links, peak_context_tokens AS peak,"
                " toUInt64(message_count) AS messages, total_output_tokens AS more_tokens, toUInt64(0) AS less_tokens,"
                " toUInt64(0) AS less_messages FROM (SELECT * FROM sessions FINAL WHERE {where}) AS s LEFT JOIN"
                " (SELECT session_id, count() AS links FROM git_links FINAL"
                " WHERE org_id = {org_id} AND {seen} AND {own} GROUP BY session_id) AS links"
                " ON links.session_id = s.id UNION ALL {corrections})"
                " GROUP BY user_id, agent, project_name ORDER BY session_count DESC, user_id, agent, project_name",
                never=_NEVER,
                messages=_MESSAGES,
                tokens=_TOKENS,
                whose=whose,
                where=counted_sessions(org_id, filter),
                org_id=org_id,
                seen=above_floors(org_id, MARKS),
                own=own_links(org_id),
                corrections=corrections(
                    org_id,
                    filter,
                    sql("{whose}, started_at, 0, toUInt64(0), toUInt64(0), toUInt64(0) AS messages", whose=whose),
                ),
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
                where=counted_sessions(org_id, filter, _STARTED),
            )
        )
        return build(HeatmapCell, columns)

    @takes_analytics_keywords
    async def tool_usage_distribution(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[ToolUsageStat]:
        """The 20 most used tools, ties by name, subagents' calls among them."""
        filter = AnalyticsFilter(**keywords)
        calls = sql("session_id, message_ordinal AS position, tool_name, tool_category")
        columns = await self._heavy.fetch(
            sql(
                "SELECT toString(tool_name) AS name, toString(tool_category) AS category, count() AS usage_count"
                " FROM ({rows}) GROUP BY name, category ORDER BY usage_count DESC, name, category LIMIT {top}",
                rows=_spent_rows(org_id, filter, sql("tool_calls"), calls),
                top=TOP_TOOLS,
            )
        )
        return build(ToolUsageStat, columns)

    @takes_analytics_keywords
    async def daily_activity(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[DailyActivity]:
        """Sessions, messages and output tokens per day in ``tz``, ascending."""
        filter = AnalyticsFilter(**keywords)
        start = _local_start(filter)
        columns = await self._heavy.fetch(
            sql(
                "SELECT day, sum(sessions), {messages}, {tokens} FROM ("
                "SELECT toDate32({start}) AS day, 1 AS sessions, toUInt64(message_count) AS messages,"
                " total_output_tokens AS more_tokens, toUInt64(0) AS less_tokens, toUInt64(0) AS less_messages"
                " FROM sessions FINAL WHERE {where} UNION ALL {corrections}) GROUP BY day ORDER BY day",
                messages=_MESSAGES,
                tokens=_TOKENS,
                start=start,
                where=counted_sessions(org_id, filter, _STARTED),
                corrections=corrections(
                    org_id, filter, sql("toDate32({start}), 0, toUInt64(0)", start=start), _STARTED
                ),
            )
        )
        return build(DailyActivity, columns)

    @takes_analytics_keywords
    async def token_usage_by_model(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[ModelTokenUsage]:
        """Tokens by model with output, most output first; each API response (source_id) counted once."""
        filter = AnalyticsFilter(**keywords)
        messages = sql(
            "session_id, ordinal AS position, source_id, model, input_tokens, cache_read_tokens, cache_write_tokens,"
            " output_tokens, context_tokens"
        )
        columns = await self._heavy.fetch(
            sql(
                "SELECT m, sum(i), sum(cr), sum(cw), sum(o) AS output, sum(c), count() FROM ("
                # One number to compare by, for which argMax is compiled: of equal outputs the larger context decides.
                "WITH bitOr(bitShiftLeft(toUInt128(output_tokens), 64), toUInt128(context_tokens)) AS size"
                " SELECT argMax(input_tokens, size) AS i, argMax(cache_read_tokens, size) AS cr,"
                " argMax(cache_write_tokens, size) AS cw, max(output_tokens) AS o, argMax(context_tokens, size) AS c,"
                " argMax(model, size) AS m"
                " FROM ({rows})"
                " GROUP BY source_id, if(source_id = '', session_id, ''), if(source_id = '', position, 0)"
                ") GROUP BY m HAVING output > 0 ORDER BY output DESC, m",
                rows=_spent_rows(org_id, filter, sql("messages"), messages, sql("(output_tokens > 0 OR model != '')")),
            )
        )
        return build(ModelTokenUsage, columns)


def _spent_rows(org_id: str, filter: AnalyticsFilter, table: Sql, columns: Sql, condition: Sql = EVERYTHING) -> Sql:
    """These columns, with ``position``, of the rows that count: of the sessions and their subagents, each once."""
    sessions = spending_sessions(org_id, filter)
    # A join reads all rows of the organisation; by their ids, rows of few sessions are found in the sort key.
    among = sql("session_id IN ({sessions})", sessions=sessions) if is_narrow(filter) else EVERYTHING
    return sql(
        "SELECT r.* FROM (SELECT {columns}, _version FROM {table} FINAL"
        " WHERE org_id = {org_id} AND {condition} AND {among}) AS r"
        " INNER JOIN ({sessions}) AS s ON s.id = r.session_id WHERE _version >= floor AND {owned}",
        columns=columns,
        table=table,
        org_id=text(org_id, "org_id"),
        condition=condition,
        among=among,
        sessions=with_floors(org_id, sessions),
        owned=owned(sql("position")),
    )


def _local_start(filter: AnalyticsFilter) -> Sql:
    """``started_at`` as the clock on the wall showed it."""
    return sql("toTimeZone(assumeNotNull(started_at), {tz})", tz=zone(text(filter.tz, "tz")).key)
