"""Analytics over browsable sessions: who, when, with what, and how many tokens, each counted once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentstore.connection.sql import Sql, sql
from agentstore.models import DailyActivity, HeatmapCell, ModelTokenUsage, ToolUsageStat, UserUsage
from agentstore.protocols import Executor
from agentstore.read.building import built
from agentstore.read.dates import zone
from agentstore.read.decoding import build
from agentstore.read.floors import MARKS, above_floors
from agentstore.read.scope import session_conditions, text

TOP_TOOLS = 20


@dataclass(frozen=True, slots=True)
class Scope:
    """The sessions that are counted: of one organisation, in one project or all, started in a span of dates."""

    org_id: str
    project_name: str = ""
    date_from: Any = None
    date_to: Any = None
    tz: str = "UTC"

    def where(self, *more: Sql) -> Sql:
        """The condition over ``sessions FINAL``."""
        conditions = session_conditions(
            self.org_id,
            equal={"project_name": self.project_name},
            date_from=self.date_from,
            date_to=self.date_to,
            tz=self.tz,
        )
        return sql("{conditions}{more}", conditions=conditions, more=Sql("".join(f" AND {part}" for part in more)))

    @property
    def local_start(self) -> Sql:
        """``started_at`` as the clock on the wall showed it."""
        return sql("toTimeZone(assumeNotNull(started_at), {tz})", tz=zone(text(self.tz, "tz")).key)


_STARTED = Sql("started_at IS NOT NULL")


async def usage_by_user(executor: Executor, scope: Scope) -> list[UserUsage]:
    """Sessions, messages, git links and tokens by user, agent and project; session_count descending, then keys."""
    columns = await executor.fetch(
        sql(
            "SELECT user_id, argMax(user_name, ifNull(started_at, toDateTime64('1900-01-01', 6, 'UTC'))),"
            " toString(agent_type) AS agent, project_name, count() AS session_count, sum(message_count),"
            " sum(links.links), sum(total_output_tokens), max(peak_context_tokens)"
            " FROM (SELECT * FROM sessions FINAL WHERE {where}) AS s LEFT JOIN"
            " (SELECT session_id, count() AS links FROM git_links FINAL WHERE org_id = {org_id} AND {seen}"
            " GROUP BY session_id) AS links ON links.session_id = s.id"
            " GROUP BY user_id, agent, project_name ORDER BY session_count DESC, user_id, agent, project_name",
            where=scope.where(),
            org_id=scope.org_id,
            seen=above_floors(scope.org_id, MARKS),
        )
    )
    return await built(UserUsage, columns)


async def activity_heatmap(executor: Executor, scope: Scope) -> list[HeatmapCell]:
    """Session starts by weekday (1 = Monday) and hour, the non-empty cells in that order."""
    columns = await executor.fetch(
        sql(
            "SELECT toDayOfWeek({start}) AS day, toHour({start}) AS hour, count() FROM sessions FINAL WHERE {where}"
            " GROUP BY day, hour ORDER BY day, hour",
            start=scope.local_start,
            where=scope.where(_STARTED),
        )
    )
    return build(HeatmapCell, columns)


async def tool_usage_distribution(executor: Executor, scope: Scope) -> list[ToolUsageStat]:
    """The most used tools, usage_count descending, ties by name."""
    columns = await executor.fetch(
        sql(
            "SELECT toString(tool_name) AS name, toString(tool_category) AS category, count() AS usage_count"
            " FROM tool_calls FINAL WHERE org_id = {org_id} AND {seen}"
            " AND session_id IN (SELECT id FROM sessions FINAL WHERE {where})"
            " GROUP BY name, category ORDER BY usage_count DESC, name, category LIMIT {top}",
            org_id=scope.org_id,
            seen=above_floors(scope.org_id),
            where=scope.where(),
            top=TOP_TOOLS,
        )
    )
    return build(ToolUsageStat, columns)


async def daily_activity(executor: Executor, scope: Scope) -> list[DailyActivity]:
    """Sessions, messages and tokens per day, ascending; sessions without started_at belong to no day."""
    columns = await executor.fetch(
        sql(
            "SELECT toDate32({start}) AS day, count(), sum(message_count), sum(total_output_tokens)"
            " FROM sessions FINAL WHERE {where} GROUP BY day ORDER BY day",
            start=scope.local_start,
            where=scope.where(_STARTED),
        )
    )
    return build(DailyActivity, columns)


async def token_usage_by_model(executor: Executor, scope: Scope) -> list[ModelTokenUsage]:
    """Tokens by model with output, descending.

    An API response (source_id) is counted once, with its largest output, however many sessions hold a copy of it; a
    message without source_id is a response of its own.
    """
    columns = await executor.fetch(
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
            org_id=scope.org_id,
            seen=above_floors(scope.org_id),
            where=scope.where(),
        )
    )
    return build(ModelTokenUsage, columns)
