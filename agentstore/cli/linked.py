"""Commits and pull requests with the sessions that they were made in."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from agentstore.cli.failing import CommandError
from agentstore.cli.filtering import scope_wanted
from agentstore.cli.options import Scope
from agentstore.cli.resolving import titles_of
from agentstore.faces.addresses import is_sha, plain_request
from agentstore.faces.titles import title_of

if TYPE_CHECKING:
    from agentstore import GitLink, GitLinkResult, Session
    from agentstore.cli.opening import Opened

_AT_ONCE = 8
_NEVER = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


class Linked(NamedTuple):
    """A link as the library tells it; when it was made, as far as that is known, and the title of its session."""

    link: GitLinkResult
    when: dt.datetime | None
    title: str = ""


async def looked_up(opened: Opened, what: str) -> list[Linked]:
    """The links of one commit or pull request; what was copied from its address is not all taken literally."""
    what = what.strip()
    if is_sha(what):
        found = await opened.store.lookup_git_links(opened.org, sha=what)
    elif "://" in what:
        found = await opened.store.lookup_git_links(opened.org, pr_url=what)
        plain = plain_request(what)
        if not found and plain and plain != what:
            found = await opened.store.lookup_git_links(opened.org, pr_url=plain)
    else:
        raise CommandError(
            f"{what!r} is neither a SHA nor an address",
            hint="4 or more hexadecimal digits, or https://…/pull/17",
        )
    titles = await titles_of(opened, [one.session_id for one in found])
    return [Linked(one, one.started_at, titles.get(one.session_id, "")) for one in found]


async def latest(opened: Opened, scope: Scope, limit: int) -> tuple[list[Linked], bool]:
    """The links of the latest sessions, the newest first, and whether there are more. Subagents' are among them."""
    from agentstore import SessionFilter

    wanted = SessionFilter(with_commits=True, include_subagents=True, **await scope_wanted(opened, scope))
    found: list[Linked] = []
    waiting: list[Session] = []
    async for session in opened.store.iter_sessions(opened.org, wanted):
        waiting.append(session)
        if len(waiting) == _AT_ONCE:
            found += await _links_of(opened, waiting)
            waiting = []
            if 0 < limit < len(found):
                break
    found += await _links_of(opened, waiting)
    found.sort(key=lambda one: one.when or _NEVER, reverse=True)
    return (found[:limit], len(found) > limit) if limit else (found, False)


async def _links_of(opened: Opened, sessions: list[Session]) -> list[Linked]:
    told = await asyncio.gather(*(opened.store.get_session_git_links(opened.org, one.id) for one in sessions))
    return [
        _joined(session, link)
        for session, links in zip(sessions, told, strict=True)
        for link in links
        if not session.copied_message_count or await _is_its_own(opened, link)
    ]


async def _is_its_own(opened: Opened, link: GitLink) -> bool:
    """What a fork copied is the other session's: a look for it tells whose it is."""
    if not is_sha(link.commit_sha) and not link.pr_url:
        return True
    sha = link.commit_sha if is_sha(link.commit_sha) else ""
    found = await opened.store.lookup_git_links(opened.org, sha=sha, pr_url=link.pr_url)
    return any(one.session_id == link.session_id for one in found)


def _joined(session: Session, link: GitLink) -> Linked:
    from agentstore import GitLinkResult

    joined = GitLinkResult(
        session_id=session.id,
        user_id=session.user_id or link.user_id,
        user_name=session.user_name,
        project_id=session.project_id,
        project_name=session.project_name,
        agent_type=session.agent_type,
        started_at=session.started_at,
        first_message=session.first_message,
        commit_sha=link.commit_sha,
        pr_url=link.pr_url,
        link_type=link.link_type,
        confidence=link.confidence,
        message_ordinal=link.message_ordinal,
    )
    return Linked(joined, link.detected_at or session.started_at, title_of(session))
