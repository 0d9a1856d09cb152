"""``agentstore cost``: what it cost, at list prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, NOTHING, CommandError, NothingFound
from agentstore.cli.options import Common, Scope, Shown

if TYPE_CHECKING:
    from agentstore import CostReport
    from agentstore.cli.opening import Opened
    from agentstore.filters import AnalyticsKeywords

By = Literal["model", "user", "project", "day", "agent", "session", "agent-model"]
_LARGEST_PAGE = 1000


def cost(
    *,
    by: Annotated[By, Parameter(help="a line for each of these")] = "model",
    limit: Annotated[
        int, Parameter(name=("--limit", "-n"), help="of sessions so many, the most expensive: 1 to 1000")
    ] = 50,
    scope: Scope = Scope(),
    shown: Shown = Shown(),
    common: Common = Common(),
) -> int:
    """Show what it cost at API prices, and of which models no price is known.

    What subagents spend is their session's. What agents themselves say that it cost stands beside. --by agent-model
    asks for each agent by itself: with --json that is a line for each, {"agent_type": …, "report": …}.
    """
    from agentstore.cli.opening import run

    if not 1 <= limit <= _LARGEST_PAGE:
        raise CommandError(f"--limit: {limit} is not between 1 and {_LARGEST_PAGE}")

    async def told(opened: Opened) -> int:
        from agentstore.cli.filtering import span_of

        span = await span_of(opened, scope)
        if by == "agent-model":
            return await _of_agents(opened, span)
        report = await opened.store.cost_by(opened.org, by, limit=limit, **span)
        if opened.shown.json:
            return _json(opened, report, report)
        _expect_some(report)
        from agentstore.cli.costs import show_costs
        from agentstore.cli.resolving import titles_of

        titles = await titles_of(opened, [row.key for row in report.rows]) if by == "session" else {}
        show_costs(opened.screen, by, report, titles)
        return FOUND

    return run(told, common, shown, pages=True)


async def _of_agents(opened: Opened, span: AnalyticsKeywords) -> int:
    """By agent and model: a question for each agent. What no agent is known of stays one line."""
    from agentstore import CostReport
    from agentstore.cli.costs import show_costs_of_agents

    whole = await opened.store.cost_by(opened.org, "agent", **span)
    reports: list[tuple[str, CostReport]] = []
    for row in whole.rows:
        if row.key:
            span["agent_type"] = row.key
            reports.append((row.key, await opened.store.cost_by(opened.org, "model", **span)))
        else:
            reports.append(("", CostReport(rows=[row], total=row)))
    if opened.shown.json:
        code = NOTHING
        for agent, report in reports:
            code = _json(opened, {"agent_type": agent, "report": report}, report)
        return code
    _expect_some(whole)
    show_costs_of_agents(opened.screen, reports, whole)
    return FOUND


def _json(opened: Opened, record: object, report: CostReport) -> int:
    from agentstore.cli.terminal.jsons import print_json

    print_json(opened.screen, record)
    return FOUND if report.rows else NOTHING


def _expect_some(report: CostReport) -> None:
    if not report.rows:
        raise NothingFound("there is nothing of these sessions that has a price", hint="without filters it is of all")
