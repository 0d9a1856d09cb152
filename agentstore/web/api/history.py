"""What is found across sessions: by text, by commit, by file, by time; and whose they are."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request
from litestar.params import QueryParameter

from agentstore.models import (
    Changes,
    FileHistory,
    FileOperation,
    GitLinkPage,
    GitLinkResult,
    ProjectInfo,
    SearchPage,
    UserInfo,
)
from agentstore.web.api.handlers import reads
from agentstore.web.api.parameters import Cursor, Limit, Named, Searched
from agentstore.web.handling import Found, Store, Who

Operations = Annotated[
    list[FileOperation] | None, QueryParameter(description="Any of these; given several times. None: all.")
]
Sha = Annotated[str, QueryParameter(max_length=1000, description="A commit's SHA, or 4 or more of its first digits.")]
Url = Annotated[str, QueryParameter(max_length=10_000, description="The address of a pull request.")]
Version = Annotated[int, QueryParameter(ge=0, le=2**63 - 1, description="`version` of the last answer.")]
Path = Annotated[
    str, QueryParameter(max_length=10_000, description="Relative to the repository; with / at its end, all below it.")
]


@reads("/search", tags=["history"])
async def search(
    request: Request[Any, Any, Any], store: Store, viewer: Who, searches: Found, searched: Searched
) -> SearchPage:
    """One page of hits. It ends, on the store's server too, when who asks goes away."""
    return await searches.run(request.receive, None, store.search(viewer.org, searched), ranks=searched.mode == "words")


@reads("/commits", tags=["history"])
async def lookup_git_links(store: Store, viewer: Who, sha: Sha = "", pr_url: Url = "") -> list[GitLinkResult]:
    """The sessions that a commit or a pull request was made in: `sha`, or else `pr_url`, has to be given."""
    return await store.lookup_git_links(viewer.org, sha=sha, pr_url=pr_url)


@reads("/git-links", tags=["history"])
async def list_git_links(store: Store, viewer: Who, limit: Limit = 100, cursor: Cursor = "") -> GitLinkPage:
    """One page of all commits and pull requests, the latest first."""
    return await store.list_git_links(viewer.org, limit=limit, cursor=cursor)


@reads("/files/history", tags=["history"])
async def file_history(
    store: Store,
    viewer: Who,
    path: Path = "",
    project_id: Named = "",
    session_id: Named = "",
    operations: Operations = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> FileHistory:
    """What sessions did with a file, or with all files of a folder, a project or a session: the latest first."""
    return await store.file_history(
        viewer.org,
        path,
        project_id=project_id,
        session_id=session_id,
        operations=operations or (),
        limit=limit,
        cursor=cursor,
    )


@reads("/users", tags=["history"])
async def list_users(store: Store, viewer: Who) -> list[UserInfo]:
    """The users of sessions."""
    return await store.list_users(viewer.org)


@reads("/projects", tags=["history"])
async def list_projects(store: Store, viewer: Who) -> list[ProjectInfo]:
    """The projects of sessions."""
    return await store.list_projects(viewer.org)


@reads("/agents", tags=["history"])
async def list_agents(store: Store, viewer: Who) -> list[str]:
    """The agents of sessions."""
    return await store.list_agents(viewer.org)


@reads("/changes", tags=["history"])
async def changes(store: Store, viewer: Who, since: Version = 0) -> Changes:
    """The sessions that were written since; without `since` none, but where to begin. None is missed.

    A session may be told more than once: the version lies 40 minutes behind. It is a whole number of up to 63 bits.
    """
    return await store.changes(viewer.org, since)
