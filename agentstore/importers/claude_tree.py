"""A tree of Claude Code's files: what is to be known of all of them before one can be imported.

Who each session is where several files claim to be it (``claude_copies``), the titles that files give to each other,
and which directories are one project. All files are read once for that, in blocks; nothing depends on their order.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agentstore.importers.claude_copies import Trace, sort_out
from agentstore.importers.claude_identity import Identity, Named, identity_of, is_session_name, place_of
from agentstore.importers.claude_scan import look_over, trace
from agentstore.importers.git_directory import Repository, repository_of
from agentstore.importers.projects import Repositories

_ON_THIS_MACHINE = -1  # a rank: surer than anything that a record says


class Told(NamedTuple):
    """What the tree says of one file: who its session is, where that is not what file and records say by themselves.
    ``is_held`` means that another file has all of it."""

    identity: Identity | None = None
    is_held: bool = False


class Tree:
    """Read all files of a tree over. A file that cannot be read is left to its import, which says why."""

    def __init__(
        self, files: Iterable[pathlib.Path], name_of: Callable[[pathlib.Path], str], *, local_git: bool
    ) -> None:
        self.titles: dict[str, str] = {}
        self.repositories = Repositories()
        self._told: dict[pathlib.Path, Told] = {}
        self._looked_up: dict[str, Repository] = {}
        self._name_of = name_of
        claims: dict[str, list[pathlib.Path]] = {}
        known: dict[pathlib.Path, tuple[Named, Trace]] = {}
        for path in files:
            try:
                titles, cwd = look_over(path, self.repositories)
                self.titles |= titles
                if local_git:
                    self._look_up(cwd)
                claims.setdefault(self._id_of(path, known), []).append(path)
            except OSError:
                continue
        for id, paths in claims.items():
            self._settle(id, paths, known)

    def told(self, path: pathlib.Path) -> Told:
        return self._told.get(path, Told())

    def _look_up(self, cwd: str) -> None:
        if cwd and cwd not in self._looked_up:
            found = self._looked_up[cwd] = repository_of(cwd)
            if found.root:
                self.repositories.learn_worktree(cwd, found.root)
                self.repositories.learn_remote(found.root, found.remote, _ON_THIS_MACHINE)

    def _id_of(self, path: pathlib.Path, known: dict[pathlib.Path, tuple[Named, Trace]]) -> str:
        """The id that a file claims, by its name alone where that says it."""
        name = self._name_of(path)
        place = place_of(name)
        if not is_session_name(place.session_folder if place.is_subagent else place.stem):
            known[path] = trace(path)
        named, _ = known.get(path, (Named(), None))
        return identity_of(name, named).id

    def _settle(self, id: str, paths: list[pathlib.Path], known: dict[pathlib.Path, tuple[Named, Trace]]) -> None:
        if len(paths) == 1 and paths[0] not in known:
            return
        for path in paths:
            if path not in known:
                known[path] = trace(path)
        # By names, not by places in the list: two files of one tree never have the same.
        names = {self._name_of(path): path for path in paths}
        ids = sort_out(id, {name: known[path][1] for name, path in names.items()})
        for name, path in names.items():
            self._told[path] = Told(is_held=True)
            if ids[name]:
                self._told[path] = Told(_as(ids[name], identity_of(name, known[path][0])))


def _as(id: str, own: Identity) -> Identity:
    """The identity with the id that was found for it; another than its own is a fork's. A subagent stays one."""
    if id == own.id:
        return own
    if own.relationship == "subagent":
        return own._replace(id=id)
    return Identity(id, own.id, "fork", own.root, own.replaces)
