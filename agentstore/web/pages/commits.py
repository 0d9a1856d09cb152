"""Commits and pull requests, and the sessions that they were made in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get

from agentstore.faces.addresses import is_sha, plain_request
from agentstore.integrations.running import while_connected
from agentstore.models import GitLinkEntry, GitLinkResult, SessionFilter
from agentstore.store import AsyncClickHouseStore
from agentstore.web.filters import Asked
from agentstore.web.handling import AskedFor, Choices_, Store, Text, Who
from agentstore.web.links import COMMITS
from agentstore.web.templating import page

PAGE = 50
_LONGEST = 2000
# A commit may be in many sessions only where its SHA was cut to a few digits.
_MOST_FOUND = 200


@get(COMMITS)
async def commits(
    request: Request[Any, Any, Any],
    store: Store,
    viewer: Who,
    choices: Choices_,
    asked: AskedFor,
    q: Text = "",
    cursor: Text = "",
) -> Response[str]:
    """The sessions of what was pasted, or without anything the latest commits."""
    wanted = q.strip()
    wrong = _wrong(wanted)
    links: Sequence[GitLinkEntry] = []
    next_cursor = ""
    if wanted and not wrong:
        links = await while_connected(request.receive, looked_up(store, viewer.org, wanted))
    elif not wanted:
        found = await while_connected(
            request.receive, store.list_git_links(viewer.org, _filter(asked), limit=PAGE, cursor=cursor)
        )
        links, next_cursor = found.links, found.next_cursor
    return page(
        "commits.html",
        request,
        status=400 if wrong else 200,
        asked=_kept(asked),
        choices=await choices.of(viewer.org),
        q=wanted,
        wrong=wrong,
        links=links[:_MOST_FOUND],
        left_out=max(0, len(links) - _MOST_FOUND),
        cursor=cursor,
        next_cursor=next_cursor,
    )


def _wrong(wanted: str) -> str:
    """Why nothing can be looked up; "" where it can."""
    if len(wanted) > _LONGEST:
        return f"This is longer than {_LONGEST} characters."
    if wanted and not is_sha(wanted) and "://" not in wanted:
        return "This is neither a SHA nor an address: 4 or more hexadecimal digits, or https://…/pull/17."
    return ""


def _kept(asked: Asked) -> Asked:
    """What the latest can be narrowed to. They are the latest of all time."""
    return Asked(project=asked.project, user=asked.user, agent=asked.agent)


def _filter(asked: Asked) -> SessionFilter | None:
    kept = _kept(asked)
    if not kept.in_address:
        return None
    return SessionFilter(
        project_id=kept.project, user_id=kept.user, agent_type=kept.agent, include_subagents=True, with_commits=True
    )


async def looked_up(store: AsyncClickHouseStore, org: str, wanted: str) -> list[GitLinkEntry]:
    """The links of one commit or pull request; what was copied from its address is not all taken literally."""
    if is_sha(wanted):
        found = await store.lookup_git_links(org, sha=wanted)
    else:
        found = await store.lookup_git_links(org, pr_url=wanted)
        plain = plain_request(wanted)
        if not found and plain and plain != wanted:
            found = await store.lookup_git_links(org, pr_url=plain)
    return await _titled(store, org, found)


async def _titled(store: AsyncClickHouseStore, org: str, links: Sequence[GitLinkResult]) -> list[GitLinkEntry]:
    """The same with what their sessions are called."""
    sessions = {one.id: one for one in await store.get_sessions(org, {link.session_id for link in links})}
    found = []
    for link in links:
        session = sessions.get(link.session_id)
        fields = {name: getattr(link, name) for name in link.__struct_fields__}
        found.append(GitLinkEntry(**fields, display_name=session.display_name if session else ""))
    return found
