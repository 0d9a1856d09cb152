"""Commits and pull requests with the sessions that they were made in."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from agentstore.cli.failing import CommandError
from agentstore.cli.filtering import scope_wanted
from agentstore.cli.options import Scope
from agentstore.cli.resolving import titles_of
from agentstore.faces.addresses import is_sha, plain_request
from agentstore.faces.titles import title_of

if TYPE_CHECKING:
    from agentstore import GitLinkEntry, GitLinkResult
    from agentstore.cli.opening import Opened

_PAGE = 1000


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
    """The latest links, the newest first, and whether there are more; 0 is no limit. Subagents' are among them."""
    from agentstore import SessionFilter

    wanted = SessionFilter(include_subagents=True, **await scope_wanted(opened, scope))
    found: list[Linked] = []
    cursor = ""
    while True:
        most = min(limit - len(found), _PAGE) if limit else _PAGE
        page = await opened.store.list_git_links(opened.org, wanted, limit=most, cursor=cursor)
        found += [_linked(one) for one in page.links]
        cursor = page.next_cursor
        if not cursor or len(found) == limit:
            return found, bool(cursor)


def _linked(entry: GitLinkEntry) -> Linked:
    from agentstore import GitLinkResult

    link = GitLinkResult(*(getattr(entry, name) for name in GitLinkResult.__struct_fields__))
    return Linked(link, entry.detected_at or entry.started_at, title_of(entry))
