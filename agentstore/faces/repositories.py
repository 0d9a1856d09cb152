"""Which project of a store the repository at a path on this machine is."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from agentstore.protocols import ReadStore


async def project_at(store: ReadStore, org: str, path: str) -> str:
    """The id of the project. Worktrees and clones are the repository they are of, as importing decides it.

    What was imported before the repository had this remote, or where the remote was not known, is found by its path.
    Where the store knows nothing of it, it is the id that its sessions would have.
    """
    return (await project_known_at(store, org, path))[0]


async def project_known_at(store: ReadStore, org: str, path: str) -> tuple[str, bool]:
    """The same, and whether the store knows it."""
    from agentstore.models import SessionFilter  # here: where no path is meant, nothing of this is needed

    place = _place(path)
    by_id = [SessionFilter(project_id=id, include_subagents=True, limit=1) for id in place.ids]
    by_path = [SessionFilter(project_path=path, include_subagents=True, limit=1) for path in place.paths]
    first, *rest = [*by_id, *by_path]
    if found := (await store.list_sessions(org, first)).sessions:
        return found[0].project_id, True
    # The others at once: where the store does not know the project, all of them are asked, each time.
    for page in await asyncio.gather(*(store.list_sessions(org, wanted) for wanted in rest)):
        if page.sessions:
            return page.sessions[0].project_id, True
    return place.ids[0], False


def is_same_repository(one: str, other: str) -> bool:
    """Whether two directories are of one repository: its worktrees are."""
    return bool(set(_place(one).ids) & set(_place(other).ids))


class _Place(NamedTuple):
    """What sessions of a directory may be known by, the surest first."""

    ids: list[str]
    paths: list[str]


def _place(named: str) -> _Place:
    from agentstore.importers.git_directory import repository_of
    from agentstore.importers.projects import project_of

    path = os.path.realpath(os.path.expanduser(named))
    found = repository_of(path)
    root = found.root or path
    ids = [project_of(root, found.remote).id, project_of(root).id]
    return _Place(list(dict.fromkeys(ids)), list(dict.fromkeys([path, root])))
