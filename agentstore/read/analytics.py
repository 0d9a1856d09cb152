"""Analytics over browsable sessions: who, when, with what, and how many tokens, each counted once.

Sessions and messages are those of browsable sessions. Tokens and tools are theirs and their subagents'
(``subagents``). What a fork or a resume copied counts in one session (``copies``, ``floors.owned``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString, NamedTuple, Unpack

from msgspec.structs import replace

from agentstore.connection.sql import Sql, sql
from agentstore.filters import AnalyticsFilter, AnalyticsKeywords, takes_analytics_keywords
from agentstore.models import DailyActivity, HeatmapCell, ModelTokenUsage, ToolUsageStat, UserUsage
from agentstore.protocols import Columns
from agentstore.read import totals
from agentstore.read.building import build_in_slices
from agentstore.read.concurrent import gather_both
from agentstore.read.conditions import text
from agentstore.read.dates import zone
from agentstore.read.decoding import build
from agentstore.read.floors import MARKS
from agentstore.read.keys import keys_above_floors
from agentstore.read.lanes import ReadLanes
from agentstore.read.responses import of_rows_or_largest, several
from agentstore.read.totals import OF_MANY_SESSIONS, corrections, counted_sessions, spent_rows

TOP_TOOLS = 20

_STARTED = sql("started_at IS NOT NULL")
_AMOUNTS: dict[str, LiteralString] = {
    "i": "input_tokens",
    "cr": "cache_read_tokens",
    "cw": "cache_write_tokens",
    "o": "output_tokens",
    "c": "context_tokens",
}


class ToolTotals(NamedTuple):
    """The most used tools, and how many calls all of them had, and failed ones among these."""

    most_used: list[ToolUsageStat]
    calls: int
    errors: int


class AnalyticsReads(ReadLanes):
    """Reads that count."""

    @takes_analytics_keywords
    async def usage_by_user(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[UserUsage]:
        """Sessions, messages, git links and tokens by user, agent and project, most sessions first."""
        filter = AnalyticsFilter(**keywords)
        sessions = sql(
            "SELECT user_id, argMax(user_name, ifNull(started_at, toDateTime64('1900-01-01', 6, 'UTC'))),"
            " toString(agent_type) AS agent, project_name, count(), sum(message_count),"
            " sum(links.links), sum(total_output_tokens), max(peak_context_tokens)"
            " FROM (SELECT * FROM session_facts FINAL WHERE {where}) AS s LEFT ANY JOIN"
            " (SELECT session, count() AS links FROM git_link_facts FINAL WHERE org_id = {org_id} AND {seen}"
            " GROUP BY session) AS links ON links.session = s.session"
            " GROUP BY user_id, agent, project_name",
            where=counted_sessions(org_id, filter),
            org_id=text(org_id, "org_id"),
            seen=keys_above_floors(org_id, MARKS),
        )
        whose = sql("user_id, user_name, toString(agent_type) AS agent, project_name")
        found, corrected = await self._both(sessions, corrections(org_id, filter, whose))
        used = {(one.user_id, one.agent_type, one.project_name): one for one in await build_in_slices(UserUsage, found)}
        names: dict[tuple[str, str, str], str] = {}
        changes: dict[tuple[str, str, str], list[int]] = {}
        for user_id, user_name, agent, project, *amounts in _that_change_something(corrected, 4):
            key = user_id, agent, project
            names[key] = user_name
            # A user may have had several names: first all of it together, since nothing gets below 0.
            changes[key] = [sum(pair) for pair in zip(changes.get(key, [0] * len(amounts)), amounts, strict=True)]
        for key, amounts in changes.items():
            user_id, agent, project = key
            known = used.get(key) or UserUsage(user_id, names[key], agent, project)
            messages, tokens, links = totals.corrected(
                (known.message_count, known.total_output_tokens, known.commit_count), amounts
            )
            used[key] = replace(known, message_count=messages, total_output_tokens=tokens, commit_count=links)
        return sorted(
            used.values(), key=lambda one: (-one.session_count, one.user_id, one.agent_type, one.project_name)
        )

    @takes_analytics_keywords
    async def activity_heatmap(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[HeatmapCell]:
        """Session starts by weekday and hour in ``tz``: the non-empty cells, ordered."""
        filter = AnalyticsFilter(**keywords)
        columns = await self._heavy.fetch(
            sql(
                "SELECT toDayOfWeek({start}) AS day, toHour({start}) AS hour, count() FROM session_facts FINAL"
                " WHERE {where} GROUP BY day, hour ORDER BY day, hour",
                start=_local_start(filter),
                where=counted_sessions(org_id, filter, _STARTED),
            )
        )
        return build(HeatmapCell, columns)

    @takes_analytics_keywords
    async def tool_usage_distribution(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[ToolUsageStat]:
        """The 20 most used tools, ties by name, subagents' calls among them."""
        return (await self._tools(org_id, **keywords)).most_used

    async def _tools(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> ToolTotals:
        filter = AnalyticsFilter(**keywords)
        columns = await self._heavy.fetch(
            sql(
                "SELECT toString(tool_name) AS name, toString(tool_category) AS category, count() AS usage_count,"
                " countIf(is_error) AS error_count, uniqExact(root),"
                " sum(usage_count) OVER (), sum(error_count) OVER () FROM ({rows})"
                " GROUP BY name, category ORDER BY usage_count DESC, name, category LIMIT {most}",
                rows=spent_rows(org_id, filter, sql("tool_call_facts"), sql("message_ordinal")),
                most=TOP_TOOLS,
            ),
            OF_MANY_SESSIONS,
        )
        if not columns:
            return ToolTotals([], 0, 0)
        *tools, calls, errors = columns
        return ToolTotals(build(ToolUsageStat, tools), calls[0], errors[0])

    @takes_analytics_keywords
    async def daily_activity(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[DailyActivity]:
        """Sessions, messages and output tokens per day in ``tz``, ascending."""
        filter = AnalyticsFilter(**keywords)
        day = sql("toDate32({start}) AS day", start=_local_start(filter))
        sessions = sql(
            "SELECT {day}, count(), sum(message_count), sum(total_output_tokens)"
            " FROM session_facts FINAL WHERE {where} GROUP BY day",
            day=day,
            where=counted_sessions(org_id, filter, _STARTED),
        )
        found, corrected = await self._both(sessions, corrections(org_id, filter, day, _STARTED))
        days = {one.date: one for one in build(DailyActivity, found)}
        for date, *amounts in _that_change_something(corrected, 1):
            known = days.get(date) or DailyActivity(date)
            messages, tokens, _ = totals.corrected((known.message_count, known.total_output_tokens, 0), amounts)
            days[date] = replace(known, message_count=messages, total_output_tokens=tokens)
        return [days[date] for date in sorted(days)]

    @takes_analytics_keywords
    async def token_usage_by_model(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[ModelTokenUsage]:
        """Tokens by model with output, most output first; each API response (source_id) counted once."""
        filter = AnalyticsFilter(**keywords)
        amounts = {name: of_rows_or_largest(sql(column), sql("size")) for name, column in _AMOUNTS.items()}
        columns = await self._heavy.fetch(
            sql(
                "SELECT m, sum(i), sum(cr), sum(cw), sum(o) AS said, sum(c), sum(responses) FROM ("
                "SELECT {i} AS i, {cr} AS cr, {cw} AS cw, {o} AS o, {c} AS c,"
                " if(several = 0, one_model, argMaxIf(model, size, several != 0)) AS m,"
                " if(several = 0, count(), 1) AS responses FROM ("
                # One number to compare by, for which argMax is compiled: of equal outputs the larger context decides.
                "SELECT *, bitOr(bitShiftLeft(toUInt128(output_tokens), 64), toUInt128(context_tokens)) AS size,"
                " {several} AS several, if(several = 0, model, '') AS one_model"
                " FROM ({rows}) WHERE output_tokens > 0 OR model != ''"
                ") GROUP BY several, one_model) GROUP BY m HAVING said > 0 ORDER BY said DESC, m",
                several=several(org_id),
                rows=spent_rows(org_id, filter, sql("message_facts"), sql("ordinal")),
                **amounts,
            ),
            OF_MANY_SESSIONS,
        )
        return build(ModelTokenUsage, columns)

    async def _both(self, first: Sql, second: Sql) -> tuple[Columns, Columns]:
        """Two statements at once: the second is about few rows, and is done before the first one is."""
        return await gather_both(lambda: self._heavy.fetch(first), lambda: self._heavy.fetch(second))


def _that_change_something(corrections: Columns, keys: int) -> Iterator[tuple[Any, ...]]:
    """The rows with an amount in a column after the first ``keys``."""
    return (row for row in zip(*corrections, strict=True) if any(row[keys:]))


def _local_start(filter: AnalyticsFilter) -> Sql:
    """``started_at`` as the clock on the wall showed it."""
    return sql("toTimeZone(assumeNotNull(started_at), {tz})", tz=zone(text(filter.tz, "tz")).key)
