"""All that an overview shows, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Unpack

from agentstore.errors import PoolTimeoutError
from agentstore.filters import AnalyticsKeywords, takes_analytics_keywords
from agentstore.models import (
    CostReport,
    DailyActivity,
    HeatmapCell,
    ModelTokenUsage,
    ProjectUsage,
    Summary,
    SummaryTotals,
    UserInfo,
    UserUsage,
)
from agentstore.read.analytics import AnalyticsReads, ToolTotals
from agentstore.read.concurrent import gather_both
from agentstore.read.costs import CostReads
from agentstore.read.sessions import SessionReads


class SummaryReads(AnalyticsReads, CostReads, SessionReads):
    """The read that puts the others together."""

    @takes_analytics_keywords
    async def summary(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> Summary:
        """Totals, days, heatmap, tools, models, users, projects and cost over one span, for a page that shows them all.

        Each part is what its own method answers; users are named as by ``list_users``. They are read one after the
        other, two at a time: what is written meanwhile may be in one and not yet in another.
        """

        async def sessions() -> tuple[list[UserUsage], list[DailyActivity], list[HeatmapCell], CostReport]:
            return (
                await self.usage_by_user(org_id, **keywords),
                await self.daily_activity(org_id, **keywords),
                await self.activity_heatmap(org_id, **keywords),
                await self.cost_by(org_id, "model", **keywords),
            )

        async def rows() -> tuple[ToolTotals, list[ModelTokenUsage], list[UserInfo]]:
            return (
                await self._tools(org_id, **keywords),
                await self.token_usage_by_model(org_id, **keywords),
                await self.list_users(org_id),
            )

        try:
            (usage, days, heatmap, cost), (tools, models, named) = await gather_both(sessions, rows)
        except PoolTimeoutError:
            # Where there is a turn for one only, it must not fail because it waited for itself.
            usage, days, heatmap, cost = await sessions()
            tools, models, named = await rows()
        names = {one.id: one.name for one in named}
        users = _together(usage, lambda one: one.user_id)
        projects = _together(usage, lambda one: one.project_name)
        return Summary(
            totals=_totals(usage, tools, len(users), len(projects)),
            days=days,
            heatmap=heatmap,
            tools=tools.most_used,
            models=models,
            users=[
                UserUsage(id, names.get(id, rows[0].user_name), "", "", *_sums(rows), _peak(rows)) for id, rows in users
            ],
            projects=[ProjectUsage(name, *_sums(rows)) for name, rows in projects],
            cost=cost,
        )


def _together(usage: Iterable[UserUsage], key: Callable[[UserUsage], str]) -> list[tuple[str, list[UserUsage]]]:
    """The rows of each, the most sessions first."""
    found: dict[str, list[UserUsage]] = {}
    for one in usage:
        found.setdefault(key(one), []).append(one)
    return sorted(found.items(), key=lambda item: (-sum(one.session_count for one in item[1]), item[0]))


def _sums(usage: Iterable[UserUsage]) -> tuple[int, int, int, int]:
    """Sessions, messages, commits, output tokens."""
    sessions = messages = commits = tokens = 0
    for one in usage:
        sessions += one.session_count
        messages += one.message_count
        commits += one.commit_count
        tokens += one.total_output_tokens
    return sessions, messages, commits, tokens


def _peak(usage: Iterable[UserUsage]) -> int:
    return max((one.peak_context_tokens for one in usage), default=0)


def _totals(usage: list[UserUsage], tools: ToolTotals, users: int, projects: int) -> SummaryTotals:
    sessions, messages, commits, tokens = _sums(usage)
    return SummaryTotals(
        session_count=sessions,
        message_count=messages,
        commit_count=commits,
        tool_call_count=tools.calls,
        tool_error_count=tools.errors,
        total_output_tokens=tokens,
        peak_context_tokens=_peak(usage),
        user_count=users,
        project_count=projects,
    )
