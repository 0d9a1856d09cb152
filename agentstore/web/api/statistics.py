"""What it all comes to, over any span of time: each takes the same parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request
from litestar.params import QueryParameter

from agentstore.integrations.running import while_connected
from agentstore.models import (
    CostReport,
    DailyActivity,
    HeatmapCell,
    ModelTokenUsage,
    Summary,
    ToolUsageStat,
    UserUsage,
)
from agentstore.web.api.handlers import reads
from agentstore.web.api.parameters import Counted, Limit
from agentstore.web.handling import Store, Who

CostKey = Literal["model", "user", "project", "day", "agent", "session"]
Asking = Request[Any, Any, Any]


@reads("/statistics/usage", tags=["statistics"])
async def usage_by_user(request: Asking, store: Store, viewer: Who, counted: Counted) -> list[UserUsage]:
    """Sessions, messages, commits and tokens by user, agent and project."""
    return await while_connected(request.receive, store.usage_by_user(viewer.org, **counted))


@reads("/statistics/heatmap", tags=["statistics"])
async def activity_heatmap(request: Asking, store: Store, viewer: Who, counted: Counted) -> list[HeatmapCell]:
    """Sessions that began, by weekday and hour."""
    return await while_connected(request.receive, store.activity_heatmap(viewer.org, **counted))


@reads("/statistics/tools", tags=["statistics"])
async def tool_usage_distribution(request: Asking, store: Store, viewer: Who, counted: Counted) -> list[ToolUsageStat]:
    """The tools that were used most."""
    return await while_connected(request.receive, store.tool_usage_distribution(viewer.org, **counted))


@reads("/statistics/days", tags=["statistics"])
async def daily_activity(request: Asking, store: Store, viewer: Who, counted: Counted) -> list[DailyActivity]:
    """Sessions, messages and tokens by day."""
    return await while_connected(request.receive, store.daily_activity(viewer.org, **counted))


@reads("/statistics/models", tags=["statistics"])
async def token_usage_by_model(request: Asking, store: Store, viewer: Who, counted: Counted) -> list[ModelTokenUsage]:
    """Tokens by model."""
    return await while_connected(request.receive, store.token_usage_by_model(viewer.org, **counted))


@reads("/statistics/cost", tags=["statistics"])
async def cost_by(
    request: Asking,
    store: Store,
    viewer: Who,
    counted: Counted,
    key: Annotated[CostKey, QueryParameter(description="What there is a row for.")] = "model",
    limit: Limit = 100,
) -> CostReport:
    """What it cost at API prices, in billionths of a dollar, by model, user, project, day, agent or session."""
    return await while_connected(request.receive, store.cost_by(viewer.org, key, limit=limit, **counted))


@reads("/statistics/summary", tags=["statistics"])
async def summary(request: Asking, store: Store, viewer: Who, counted: Counted) -> Summary:
    """All of these at once, with totals."""
    return await while_connected(request.receive, store.summary(viewer.org, **counted))
