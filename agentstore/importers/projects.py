"""Which project a session belongs to: one repository is one project, wherever it is checked out.

What tells it, the surest first:

1. the repository's git remote (``git_remotes``), where the records or the directory say it: two clones, on two
   machines, under two names, are one project
2. the path of the directory; worktrees that tools make belong to the repository they were made from

===========================================================  ==========================================================
directory                                                    repository
===========================================================  ==========================================================
``R/.worktrees/x``, ``R/.claude/worktrees/x`` (any tool's)   ``R``
``R.worktrees/x``                                            ``R``
``R-worktrees/x``, ``R_worktrees/x``                         ``R``, but only where sessions of ``R`` are known: such a
                                                             folder may as well hold worktrees of many repositories
``~/.codex/worktrees/<id>/N``                                N, whose path is not known
``~/.t3/worktrees/N/x`` (``.cursor``, ``.superset``, …),     N, likewise
``~/conductor/workspaces/N/x``
``…/worktrees/<host>/<owner>/N/x``                           N, likewise
anything else                                                the directory
===========================================================  ==========================================================

An importer of one file knows the path and the records of that file only, and guesses nothing. ``Repositories`` knows
all files of a tree, and so where the repository is that a worktree named N was made from, if there is only one.

A project's ``path`` is always the directory itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agentstore.importers.git_remotes import Remote

_SEPARATOR = re.compile(r"[/\\]+")
_WINDOWS = re.compile(r"(?:[A-Za-z]:|\\\\[^\\])")
_HOME = re.compile(r"(?:/(?:var/)?(?:home|Users)/[^/]+|/root|[A-Za-z]:/Users/[^/]+)", re.IGNORECASE)
_INSIDE = re.compile(r"(.+?)/(?:\.worktrees|\.[\w-]+/worktrees)(?:/.*)?", re.DOTALL)
_BESIDE = re.compile(r"(.*/[^/]*[^/.])\.worktrees/.+", re.DOTALL)
_CHECKOUT = re.compile(r".+?(?:/\.worktrees|/\.[\w-]+/worktrees|[^/.]\.worktrees)/[^/]+", re.DOTALL)
_BESIDE_IF_KNOWN = re.compile(r"(.*/([^/]+))[-_]worktrees/.+", re.DOTALL)
_BY_HOST = re.compile(r"(.*/\.?worktrees/(?:github/)?[\w-]+(?:\.[\w-]+)+/[^/]+/([^/]+))/.+", re.DOTALL)
_OF_TOOL = re.compile(r"(.*?)/(\.[\w-]+/worktrees|conductor/workspaces)/([^/]+)(?:/([^/]+))?(?:/.*)?", re.DOTALL)


class Project(NamedTuple):
    id: str
    name: str
    path: str


class Root(NamedTuple):
    """Where a directory's repository is. ``is_known`` is False where ``path`` is only the folder of a tool that keeps
    the worktrees of a repository of this name."""

    path: str
    name: str
    is_known: bool = True


ProjectOf = Callable[[str, Remote], Project]


def project_of(cwd: str, remote: Remote | None = None) -> Project:
    """The project of a directory, by its remote where that is known, else by its path."""
    return _project(cwd, root_of(cwd), remote or Remote())


def _project(cwd: str, root: Root, remote: Remote) -> Project:
    if remote:
        return Project(_identity(remote.key), remote.name, cwd)
    if not cwd:
        return Project("", "", "")
    return Project(_identity(root.path), root.name, cwd)


def _identity(known_by: str) -> str:
    return hashlib.sha256(known_by.encode("utf-8", errors="replace")).hexdigest()[:16]


def root_of(cwd: str) -> Root:
    """The repository of a directory, as far as its path tells."""
    path = _plain(cwd)
    if by_host := _BY_HOST.fullmatch(path):
        return Root(by_host.group(1), by_host.group(2), is_known=False)
    if (of_tool := _OF_TOOL.fullmatch(path)) and _is_tools_own(*of_tool.groups()):
        home, folder, first, second = of_tool.groups()
        name = second if folder.startswith(".codex") and second else first
        return Root(f"{home}/{folder}/{name}", name, is_known=False)
    if inside := _INSIDE.fullmatch(path) or _BESIDE.fullmatch(path):
        path = inside.group(1)
    path = _plain(path)
    return Root(path, _SEPARATOR.split(path)[-1] or path)


def checkout_of(cwd: str) -> str:
    """The top of the working tree that a directory is in, as far as its path tells: of a worktree, its own."""
    path = _plain(cwd)
    if (by_host := _BY_HOST.fullmatch(path)) and (inner := path[by_host.end(1) + 1 :].split("/")[0]):
        return f"{by_host.group(1)}/{inner}"
    if (of_tool := _OF_TOOL.fullmatch(path)) and _is_tools_own(*of_tool.groups()):
        return "/".join(part for part in of_tool.groups() if part)
    inside = _CHECKOUT.match(path)
    return inside.group() if inside else path


def is_named(remote: Remote, cwd: str) -> bool:
    """Whether the directory's repository has the name of the remote: what is said of another one is said elsewhere."""
    return root_of(cwd).name.casefold() == remote.name.casefold() != ""


def _plain(path: str) -> str:
    """One spelling of a path: on Windows, whatever the case of its drive letter and the way of its slashes."""
    if _WINDOWS.match(path):
        path = (path[:1].upper() + path[1:]).replace("\\", "/")
    # ``or path``: the root of a file system has nothing left without its slash.
    return path.rstrip("/\\") or path


def _is_tools_own(home: str, folder: str, _first: str, second: str | None) -> bool:
    """Whether these are worktrees that a tool keeps in one place for all repositories, and not inside each."""
    if folder == "conductor/workspaces":
        return second is not None
    # ``~/.claude/worktrees``: Claude Code makes them inside the repository, also where that is a home directory.
    return folder != ".claude/worktrees" and _HOME.fullmatch(home) is not None


class Repositories:
    """What all files of a tree tell about directories: their remotes, and where the repositories of worktrees are.

    It does not depend on the order in which it is told: of several remotes of one directory the surest counts, and of
    equally sure ones none, for then the directory is not one repository (``~/work``, a container's ``/app``).
    """

    def __init__(self) -> None:
        self._remotes: dict[str, dict[int, set[Remote]]] = {}
        self._by_name: dict[str, set[str]] = {}
        self._origins: dict[str, str] = {}

    def learn_directory(self, cwd: str) -> None:
        """There are sessions in this directory."""
        root = root_of(cwd)
        if cwd and root.is_known:
            self._by_name.setdefault(root.name, set()).add(root.path)

    def learn_remote(self, cwd: str, remote: Remote, rank: int = 0) -> None:
        """The records say that this directory has this remote; the lower the rank, the surer."""
        if cwd and remote:
            self._remotes.setdefault(root_of(cwd).path, {}).setdefault(rank, set()).add(remote)

    def learn_worktree(self, worktree: str, origin: str) -> None:
        """The records say that a worktree was made from the repository in another directory."""
        root, path = root_of(worktree), _plain(worktree)
        # Where the path itself says whose it is, it was called from somewhere in there.
        if worktree and origin and worktree != origin and (not root.is_known or root.path == path):
            self._origins[root.path] = min(self._origins.get(root.path, origin), origin)

    def project(self, cwd: str, remote: Remote | None = None, *, is_sure: bool = False) -> Project:
        """The project of a session in ``cwd`` whose own records tell this remote, if any; ``is_sure``: that of origin.

        Where others contradict, what is not sure does not count: sessions of one directory stay together.
        """
        root = self._root(cwd)
        own = remote if remote and (is_sure or root.path not in self._remotes) else Remote()
        return _project(cwd, root, self._remote(root.path) or own)

    def about(self, cwd: str) -> tuple[str, str, bool, Remote]:
        """All that ``project`` takes from what was told, for a directory."""
        root = self._root(cwd)
        return root.path, root.name, root.path in self._remotes, self._remote(root.path)

    def beyond(self, own: Repositories, cwds: Iterable[str]) -> list[object]:
        """What is known of directories that is not in ``own`` already."""
        return [(cwd, self.about(cwd)) for cwd in sorted(set(cwds)) if self.about(cwd) != own.about(cwd)]

    def everything(self) -> list[object]:
        """All that was told, for who does not know the directory."""
        remotes = sorted((root, rank, sorted(told)) for root, by in self._remotes.items() for rank, told in by.items())
        names = sorted((name, sorted(paths)) for name, paths in self._by_name.items())
        return [remotes, names, sorted(self._origins.items())]

    def _root(self, cwd: str) -> Root:
        root = root_of(cwd)
        if origin := self._origins.get(root.path):
            return root_of(origin)
        if root.is_known:
            beside = _BESIDE_IF_KNOWN.fullmatch(root.path)
            is_worktree = beside is not None and beside.group(1) in self._by_name.get(beside.group(2), ())
            return Root(beside.group(1), beside.group(2)) if beside and is_worktree else root
        # Only where one repository of that name is known: with two it would be a guess.
        known = self._by_name.get(root.name, set())
        return Root(next(iter(known)), root.name) if len(known) == 1 else root

    def _remote(self, path: str) -> Remote:
        for _, remotes in sorted(self._remotes.get(path, {}).items()):
            keys = {remote.key for remote in remotes}
            return min(remotes) if len(keys) == 1 else Remote()
        return Remote()
