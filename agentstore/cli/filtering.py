"""The filter of the library that the options of a command stand for."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, cast

from agentstore.cli.failing import NothingFound
from agentstore.cli.options import Scope, Which
from agentstore.cli.resolving import project_known
from agentstore.faces.times import parse_when

if TYPE_CHECKING:
    from agentstore import SessionFilter
    from agentstore.cli.opening import Opened
    from agentstore.filters import AnalyticsKeywords


async def sessions_wanted(opened: Opened, which: Which, *, limit: int = 50) -> SessionFilter:
    """The sessions that ``which`` means: those that were going on at some moment of the time asked for."""
    from agentstore import SessionFilter

    since, until = dates_of(opened, which.since, which.until)
    return SessionFilter(
        user_id=which.user,
        agent_type=which.agent,
        git_branch=which.branch,
        title=which.title,
        starred_by=opened.settings["user"] if which.starred else "",
        with_commits=which.with_commits,
        include_subagents=which.subagents,
        active_from=since,
        active_to=until,
        limit=limit,
        **await project_known(opened.store, opened.org, which.project),
    )


def dates_of(opened: Opened, since: str, until: str) -> tuple[dt.datetime | None, dt.datetime | None]:
    """``--since`` and ``--until`` as moments."""
    return (
        parse_when(since, opened.zone, option="--since"),
        parse_when(until, opened.zone, option="--until", is_end=True),
    )


async def scope_wanted(opened: Opened, scope: Scope) -> dict[str, Any]:
    """The fields that a search has for this scope, and a filter of sessions."""
    since, until = dates_of(opened, scope.since, scope.until)
    return {
        "user_id": scope.user,
        "agent_type": scope.agent,
        "date_from": since,
        "date_to": until,
        **await project_known(opened.store, opened.org, scope.project),
    }


async def span_of(opened: Opened, scope: Scope) -> AnalyticsKeywords:
    """The arguments that a statistic has for this scope. It knows projects by their names alone."""
    asked = await scope_wanted(opened, scope)
    if id := asked.pop("project_id", ""):
        names = [one.name for one in await opened.store.list_projects(opened.org) if one.id == id]
        if not names:
            raise NothingFound(f"no session is of the repository {scope.project}", hint="agentstore projects")
        asked["project_name"] = names[0]
    asked["tz"] = opened.zone.key
    return cast("AnalyticsKeywords", asked)
