"""What is counted: ``agentstore usage``, ``days``, ``heatmap``, ``tools``, ``models``, ``users``, ``projects``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentstore.cli.failing import FOUND, NOTHING, NothingFound
from agentstore.cli.options import Common, Scope, Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from agentstore import ProjectUsage, UserUsage
    from agentstore.cli.opening import Opened
    from agentstore.filters import AnalyticsKeywords

    Ask = Callable[[Opened, AnalyticsKeywords], Awaitable[Sequence[Any]]]
    Show = Callable[[Opened, Sequence[Any]], None]


def usage(*, scope: Scope = Scope(), shown: Shown = Shown(), common: Common = Common()) -> int:
    """Count sessions, messages, commits and tokens by user, agent and project."""

    def show(opened: Opened, rows: Sequence[Any]) -> None:
        from agentstore.cli.figures import show_usage

        show_usage(opened.screen, rows)

    return _tell(lambda opened, span: opened.store.usage_by_user(opened.org, **span), show, scope, shown, common)


def days(*, scope: Scope = Scope(), shown: Shown = Shown(), common: Common = Common()) -> int:
    """Show what happened day by day."""

    def show(opened: Opened, rows: Sequence[Any]) -> None:
        from agentstore.cli.figures import show_days

        show_days(opened.screen, rows, opened.zone)

    return _tell(lambda opened, span: opened.store.daily_activity(opened.org, **span), show, scope, shown, common)


def heatmap(*, scope: Scope = Scope(), shown: Shown = Shown(), common: Common = Common()) -> int:
    """Show when sessions begin, by weekday and hour."""

    def show(opened: Opened, rows: Sequence[Any]) -> None:
        from agentstore.cli.figures import show_heatmap

        show_heatmap(opened.screen, rows, opened.zone)

    return _tell(lambda opened, span: opened.store.activity_heatmap(opened.org, **span), show, scope, shown, common)


def tools(*, scope: Scope = Scope(), shown: Shown = Shown(), common: Common = Common()) -> int:
    """Show the 20 tools that were called most, and how often they failed."""

    def show(opened: Opened, rows: Sequence[Any]) -> None:
        from agentstore.cli.figures import show_tools

        show_tools(opened.screen, rows)

    return _tell(
        lambda opened, span: opened.store.tool_usage_distribution(opened.org, **span), show, scope, shown, common
    )


def models(*, scope: Scope = Scope(), shown: Shown = Shown(), common: Common = Common()) -> int:
    """Show the tokens of each model, subagents' among them."""

    def show(opened: Opened, rows: Sequence[Any]) -> None:
        from agentstore.cli.figures import show_models

        show_models(opened.screen, rows)

    return _tell(lambda opened, span: opened.store.token_usage_by_model(opened.org, **span), show, scope, shown, common)


def users(*, scope: Scope = Scope(), shown: Shown = Shown(), common: Common = Common()) -> int:
    """List users, those with the most sessions first."""

    async def ask(opened: Opened, span: AnalyticsKeywords) -> Sequence[UserUsage]:
        from agentstore import UserUsage
        from agentstore.cli.adding import totals_by

        names = {one.id: one.name for one in await opened.store.list_users(opened.org)}
        found = totals_by(await opened.store.usage_by_user(opened.org, **span), lambda one: one.user_id)
        return [UserUsage(user_id=id, user_name=names.get(id, ""), **vars(sums)) for id, sums in found]

    def show(opened: Opened, rows: Sequence[Any]) -> None:
        from agentstore.cli.figures import show_users

        show_users(opened.screen, rows)

    return _tell(ask, show, scope, shown, common)


def projects(*, scope: Scope = Scope(), shown: Shown = Shown(), common: Common = Common()) -> int:
    """List projects, those with the most sessions first."""

    async def ask(opened: Opened, span: AnalyticsKeywords) -> Sequence[ProjectUsage]:
        from agentstore import ProjectUsage
        from agentstore.cli.adding import totals_by

        found = totals_by(await opened.store.usage_by_user(opened.org, **span), lambda one: one.project_name)
        return [
            ProjectUsage(
                project_name=name,
                session_count=sums.session_count,
                message_count=sums.message_count,
                commit_count=sums.commit_count,
                total_output_tokens=sums.total_output_tokens,
            )
            for name, sums in found
        ]

    def show(opened: Opened, rows: Sequence[Any]) -> None:
        from agentstore.cli.figures import show_projects

        show_projects(opened.screen, rows)

    return _tell(ask, show, scope, shown, common)


def _tell(ask: Ask, show: Show, scope: Scope, shown: Shown, common: Common) -> int:
    """Ask for the rows of a statistic and print them: each as a line of JSON, or all as ``show`` does."""
    from agentstore.cli.opening import run

    async def told(opened: Opened) -> int:
        from agentstore.cli.filtering import span_of
        from agentstore.cli.terminal.jsons import print_json

        rows = await ask(opened, await span_of(opened, scope))
        if shown.json:
            for row in rows:
                print_json(opened.screen, row)
            return FOUND if rows else NOTHING
        if not rows:
            raise NothingFound("there is nothing of these sessions to count", hint="without filters it is of all")
        show(opened, rows)
        return FOUND

    return run(told, common, shown, pages=True)
