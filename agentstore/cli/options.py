"""Options that many commands share: annotated fields that the command line fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

_TARGET = "clickhouse://user@host/database or local:PATH [AGENTSTORE_DSN, else the configured one, else yours]"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """What every command takes."""

    store: Annotated[str | None, Parameter(help=_TARGET)] = None
    org: Annotated[str | None, Parameter(help="the organisation [AGENTSTORE_ORG]")] = None
    debug: Annotated[bool, Parameter(help="show where an error comes from")] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Shown:
    """How a command that reads shows what it has read."""

    json: Annotated[bool, Parameter(help="as JSON, with the names of the library's records")] = False
    utc: Annotated[bool, Parameter(help="times in UTC")] = False
    tz: Annotated[str | None, Parameter(help="times in this zone, like Europe/Berlin [AGENTSTORE_TZ]")] = None
    pager: Annotated[bool, Parameter(negative="--no-pager", help="long output goes through a pager")] = True


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Which:
    """Which sessions: all conditions hold."""

    since: Annotated[str, Parameter(help="active then or later: 2w, 3d, 12h, yesterday, 2026-11-01")] = ""
    until: Annotated[str, Parameter(help="active then or earlier")] = ""
    project: Annotated[
        str, Parameter(name=("--project", "-p"), help="of this project; . is the repository you are in")
    ] = ""
    branch: Annotated[str, Parameter(name=("--branch", "-b"), help="on this branch of git")] = ""
    user: Annotated[str, Parameter(name=("--user", "-u"), help="of this user's id")] = ""
    agent: Annotated[str, Parameter(name=("--agent", "-a"), help="of this agent")] = ""
    title: Annotated[str, Parameter(help="with this text in the title or the first message")] = ""
    starred: Annotated[bool, Parameter(help="with your star")] = False
    with_commits: Annotated[bool, Parameter(help="that made commits or pull requests")] = False
    subagents: Annotated[bool, Parameter(help="also those of subagents")] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a search or a statistic is about."""

    since: Annotated[str, Parameter(help="of sessions begun then or later: 2w, 3d, 12h, yesterday, 2026-11-01")] = ""
    until: Annotated[str, Parameter(help="of sessions begun then or earlier")] = ""
    project: Annotated[
        str, Parameter(name=("--project", "-p"), help="of projects with this name; . is the repository here")
    ] = ""
    user: Annotated[str, Parameter(name=("--user", "-u"), help="of this user's id")] = ""
    agent: Annotated[str, Parameter(name=("--agent", "-a"), help="of this agent")] = ""
