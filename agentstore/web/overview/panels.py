"""The panels: each asks the store for what it shows, and for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from agentstore.faces.money import count, dollars, short_count
from agentstore.models import CostRow
from agentstore.store import AsyncClickHouseStore
from agentstore.web.charts.heatmap import HOURS, WEEKDAYS, heatmap, hours_of
from agentstore.web.charts.scales import percent
from agentstore.web.choices import Choices
from agentstore.web.overview.days import days
from agentstore.web.overview.rows import Row, bars, is_spent, ranking, together
from agentstore.web.overview.scope import Scope


class Question(NamedTuple):
    """What a panel is asked: ``show`` is one of its ways to show it."""

    store: AsyncClickHouseStore
    org: str
    scope: Scope
    choices: Choices
    show: str


class Panel(NamedTuple):
    """A panel: its title, its template, the ways it can be shown (the first is usual), and what it asks."""

    title: str
    template: str
    shows: tuple[tuple[str, str], ...]
    ask: Callable[[Question], Awaitable[dict[str, Any]]]
    is_wide: bool = False


async def _totals(it: Question) -> dict[str, Any]:
    usage, cost = await asyncio.gather(
        it.store.usage_by_user(it.org, **it.scope.keywords), it.store.cost_by(it.org, "agent", **it.scope.keywords)
    )
    all = together(usage, lambda _: ("", ""))
    return {
        "all": all[0] if all else None,
        "users": len({one.user_id for one in usage}),
        "projects": len({one.project_name for one in usage if one.project_name}),
        "cost": cost.total,
    }


async def _days(it: Question) -> dict[str, Any]:
    activity = await it.store.daily_activity(it.org, **it.scope.keywords)
    cost = await it.store.cost_by(it.org, "day", **it.scope.keywords) if it.show == "cost" else None
    return {"chart": days(activity, cost, it.scope, it.show), "has_cost": cost is not None}


async def _hours(it: Question) -> dict[str, Any]:
    cells = await it.store.activity_heatmap(it.org, **it.scope.keywords)
    rows = heatmap(cells, lambda day, hour: it.scope.sessions(weekday=str(day), hour=str(hour)))
    return {"rows": rows, "hours": HOURS, "weekdays": WEEKDAYS, "hours_of": hours_of, "is_empty": not cells}


async def _models(it: Question) -> dict[str, Any]:
    found = await it.store.token_usage_by_model(it.org, **it.scope.keywords)
    rows = [
        Row(
            one.model or "Unknown model",
            it.scope.sessions_with(model=one.model),
            bar,
            short_count(one.output_tokens),
            (
                short_count(one.input_tokens),
                short_count(one.cache_read_tokens),
                short_count(one.cache_write_tokens) if one.cache_write_tokens else "",
                count(one.message_count),
            ),
        )
        for one, bar in bars(found, lambda one: one.output_tokens)
    ]
    columns = ("Model", "Output", "Input", "Cache read", "Cache write", "Responses")
    return {"ranking": ranking("Tokens by model", "output tokens", columns, rows)}


async def _tools(it: Question) -> dict[str, Any]:
    found = await it.store.tool_usage_distribution(it.org, **it.scope.keywords)
    rows = [
        Row(
            one.tool_name or "Unnamed tool",
            it.scope.sessions_with(tool=one.tool_name),
            bar,
            count(one.usage_count),
            (_errors(one.error_count, one.usage_count), count(one.session_count)),
            _part(bar, one.error_count, one.usage_count),
        )
        for one, bar in bars(found, lambda one: one.usage_count)
    ]
    columns = ("Tool", "Calls", "Failed", "Sessions")
    return {"ranking": ranking("Calls by tool, the 20 most used", "calls", columns, rows)}


def _errors(errors: int, calls: int) -> str:
    return f"{count(errors)} ({100 * errors / calls:.0f}%)" if errors else ""


def _part(bar: str, errors: int, calls: int) -> str:
    """How long the failed part of a bar is."""
    return percent(float(bar.rstrip("%")) * errors / calls, 100) if errors and calls else ""


async def _projects(it: Question) -> dict[str, Any]:
    usage = await it.store.usage_by_user(it.org, **it.scope.keywords)
    found = together(usage, lambda one: (one.project_name, one.project_name))
    rows = [
        Row(
            one.name or "No project",
            it.scope.sessions_with(project_name=one.key),
            bar,
            count(one.sessions),
            (count(one.messages), count(one.commits) if one.commits else "", short_count(one.tokens)),
        )
        for one, bar in bars(found, lambda one: one.sessions)
    ]
    columns = ("Project", "Sessions", "Messages", "Commits", "Output tokens")
    return {"ranking": ranking("Sessions by project", "sessions", columns, rows)}


async def _users(it: Question) -> dict[str, Any]:
    usage = await it.store.usage_by_user(it.org, **it.scope.keywords)
    found = together(usage, lambda one: (one.user_id, it.choices.user_named(one.user_id)))
    rows = [
        Row(
            one.name or "Unknown user",
            it.scope.sessions_with(user=one.key),
            bar,
            count(one.sessions),
            (count(one.messages), count(one.commits) if one.commits else "", short_count(one.tokens)),
        )
        for one, bar in bars(found, lambda one: one.sessions)
    ]
    columns = ("User", "Sessions", "Messages", "Commits", "Output tokens")
    return {"ranking": ranking("Sessions by user", "sessions", columns, rows)}


async def _cost(it: Question) -> dict[str, Any]:
    report = await it.store.cost_by(it.org, it.show, **it.scope.keywords)
    found = [row for row in report.rows if is_spent(row)]
    rows = [
        Row(
            _cost_name(it, row),
            _cost_link(it, row),
            bar,
            dollars(row.cost_nanodollars),
            (
                short_count(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens),
                short_count(row.output_tokens),
                short_count(row.unpriced_tokens) if row.unpriced_tokens else "",
            ),
        )
        for row, bar in bars(found, lambda row: row.cost_nanodollars)
    ]
    title = dict(PANELS["cost"].shows)[it.show]
    columns = (title, "Cost", "Tokens in", "Tokens out", "Without a price")
    return {"ranking": ranking(f"Cost by {title.lower()}", "at API prices", columns, rows), "report": report}


def _cost_name(it: Question, row: CostRow) -> str:
    if it.show == "user":
        return it.choices.user_named(row.key) or row.name or "Unknown user"
    return row.key or f"No {it.show}"


def _cost_link(it: Question, row: CostRow) -> str:
    field = {"model": "model", "project": "project_name", "agent": "agent", "user": "user"}[it.show]
    return it.scope.sessions_with(**{field: row.key})


_MEASURES = (("sessions", "Sessions"), ("messages", "Messages"), ("tokens", "Output tokens"), ("cost", "Cost"))
_SPENDERS = (("model", "Model"), ("project", "Project"), ("user", "User"), ("agent", "Agent"))

PANELS: dict[str, Panel] = {
    "totals": Panel("In total", "overview_totals.html", (), _totals, is_wide=True),
    "days": Panel("Over time", "overview_days.html", _MEASURES, _days, is_wide=True),
    "hours": Panel("When sessions begin", "overview_hours.html", (), _hours, is_wide=True),
    "projects": Panel("Projects", "overview_ranking.html", (), _projects),
    "tools": Panel("Tools", "overview_ranking.html", (), _tools),
    "models": Panel("Models", "overview_ranking.html", (), _models),
    "users": Panel("Users", "overview_ranking.html", (), _users),
    "cost": Panel("Cost", "overview_cost.html", _SPENDERS, _cost, is_wide=True),
}
