"""``agentstore summary``: all at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentstore.cli.failing import FOUND, NOTHING, NothingFound
from agentstore.cli.options import Common, Scope, Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentstore import Summary
    from agentstore.cli.opening import Opened
    from agentstore.cli.terminal.screen import Screen

# Of each list: what is beyond has a command of its own.
_MOST = 10
_DAYS = 14


def summary(*, scope: Scope = Scope(), shown: Shown = Shown(), common: Common = Common()) -> int:
    """Show all at a glance: how much, when, by whom, with what, and what it cost."""
    from agentstore.cli.opening import run

    async def told(opened: Opened) -> int:
        from agentstore.cli.filtering import span_of
        from agentstore.cli.terminal.jsons import print_json

        found = await opened.store.summary(opened.org, **await span_of(opened, scope))
        if shown.json:
            print_json(opened.screen, found)
            return FOUND if found.totals.session_count else NOTHING
        if not found.totals.session_count:
            raise NothingFound("no session matches", hint="without filters it is about all")
        _show(opened, found)
        return FOUND

    return run(told, common, shown, pages=True)


def _show(opened: Opened, found: Summary) -> None:
    from agentstore.cli import figures
    from agentstore.cli.costs import show_costs

    screen, zone = opened.screen, opened.zone
    _show_totals(screen, found)
    parts: list[tuple[str, int, int, Callable[[], None]]] = [
        ("days", len(found.days), _DAYS, lambda: figures.show_days(screen, found.days[-_DAYS:], zone)),
        ("heatmap", len(found.heatmap), 0, lambda: figures.show_heatmap(screen, found.heatmap, zone)),
        ("users", len(found.users), _MOST, lambda: figures.show_users(screen, found.users[:_MOST])),
        ("projects", len(found.projects), _MOST, lambda: figures.show_projects(screen, found.projects[:_MOST])),
        ("tools", len(found.tools), _MOST, lambda: figures.show_tools(screen, found.tools[:_MOST])),
        ("cost", len(found.cost.rows), 0, lambda: show_costs(screen, "model", found.cost)),
    ]
    for name, length, most, show in parts:
        if length:
            more = f"  {most} of {length}: agentstore {name}" if 0 < most < length else ""
            _head(screen, name, more)
            show()


def _head(screen: Screen, name: str, more: str) -> None:
    from agentstore.cli.terminal.screen import Piece

    screen.line()
    screen.line(Piece(name, "head"), Piece(more, "dim"))


def _show_totals(screen: Screen, found: Summary) -> None:
    from agentstore.faces.money import count, dollars

    totals = found.totals
    failed = f" ({count(totals.tool_error_count)} failed)" if totals.tool_error_count else ""
    cost = dollars(found.cost.total.cost_nanodollars) if found.cost.total.cost_nanodollars else ""
    parts = [
        _counted(totals.session_count, "session"),
        _counted(totals.message_count, "message"),
        _counted(totals.tool_call_count, "tool call") + failed,
        _counted(totals.commit_count, "commit"),
        f"{count(totals.total_output_tokens)} tokens of output",
        _counted(totals.user_count, "user"),
        _counted(totals.project_count, "project"),
        f"{cost} at API prices" if cost else "",
    ]
    screen.fold(" · ".join(filter(None, parts)), style="bold")


def _counted(number: int, name: str) -> str:
    from agentstore.faces.money import count

    return f"{count(number)} {name if number == 1 else name + 's'}"
