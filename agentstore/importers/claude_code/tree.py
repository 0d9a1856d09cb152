"""A tree of Claude Code's files: what is to be known of all of them before one can be imported.

Who each session is where several files claim to be it (``copies``), the titles that files give to each other,
and which directories are one project. All files are read once for that, in blocks; nothing depends on their order.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agentstore.importers.claude_code.identity import Identity, Named, identity_of, is_session_name, place_of
from agentstore.importers.claude_code.scan import look_over, trace
from agentstore.importers.copies import Trace, sort_out
from agentstore.importers.git_directory import repository_of
from agentstore.importers.intake import Mask
from agentstore.importers.projects import Repositories

_ON_THIS_MACHINE = -1  # a rank: surer than anything that a record says


class Told(NamedTuple):
    """What the tree says of one file. ``identity``: who its session is, where that is not what file and records say by
    themselves; ``is_held``: another file has all of it; ``agent_files``: the subagents of it that have files."""

    identity: Identity | None = None
    is_held: bool = False
    agent_files: frozenset[str] = frozenset()


Known = dict[pathlib.Path, tuple[Named, Trace]]


class Tree:
    """Read all files of a tree over. A file that cannot be read is left to its import, which says why."""

    def __init__(
        self,
        files: Iterable[pathlib.Path],
        name_of: Callable[[pathlib.Path], str],
        *,
        local_git: bool,
        mask: Mask | None,
    ) -> None:
        self.titles: dict[str, str] = {}
        self.repositories = Repositories()
        self._told: dict[pathlib.Path, Told] = {}
        self._continued: dict[str, str] = {}  # by the session that goes on: the one that says so
        self._looked_up: set[str] = set()
        self._name_of = name_of
        self._mask = mask
        claims: dict[str, list[tuple[pathlib.Path, Identity]]] = {}
        known: Known = {}
        for path in files:
            try:
                seen = look_over(path, self.repositories, mask)
                self.titles |= seen.titles
                if local_git:
                    self._look_up(seen.cwd)
                claimed = self._claimed(path, known)
                self._continued.setdefault(seen.continued_in, claimed.id)
                claims.setdefault(claimed.id, []).append((path, claimed))
            except OSError:
                continue
        self._settle(claims, known)

    def told(self, path: pathlib.Path) -> Told:
        return self._told.get(path, Told())

    def continues(self, path: pathlib.Path) -> str:
        """The session that says that it goes on in the one of this file; "" where none does."""
        return self._continued.get(path.stem, "")

    def _look_up(self, cwd: str) -> None:
        if cwd and cwd not in self._looked_up:
            self._looked_up.add(cwd)
            found = repository_of(cwd, self._mask)
            if found.root:
                self.repositories.learn_worktree(cwd, found.root)
                self.repositories.learn_remote(found.root, found.remote, _ON_THIS_MACHINE)

    def _claimed(self, path: pathlib.Path, known: Known) -> Identity:
        """Who a file says its session is; its name alone, where that is enough."""
        name = self._name_of(path)
        place = place_of(name)
        if not is_session_name(place.session_folder if place.is_subagent else place.stem):
            known[path] = trace(path, self._mask)
        return identity_of(name, known[path][0] if path in known else Named())

    def _settle(self, claims: dict[str, list[tuple[pathlib.Path, Identity]]], known: Known) -> None:
        agents: dict[str, set[str]] = {}
        for id, files in claims.items():
            for _, claimed in files:
                if claimed.relationship == "subagent":
                    agents.setdefault(claimed.root, set()).add(id.rpartition(":agent-")[2])
        for id, files in claims.items():
            # Who is alone, and is known by its name, needs no comparison; the records say whose continuation it is.
            names = {self._name_of(path): path for path, _ in files}
            ids = self._compared(id, names, known) if len(files) > 1 else dict.fromkeys(names, id)
            for name, path in names.items():
                own = identity_of(name, known[path][0]) if path in known else None
                agent_files = frozenset(agents.get(files[0][1].root, ()))
                self._told[path] = Told(_as(ids[name], own) if own else None, not ids[name], agent_files)

    def _compared(self, id: str, names: dict[str, pathlib.Path], known: Known) -> dict[str, str]:
        for path in names.values():
            if path not in known:
                known[path] = trace(path, self._mask)
        return sort_out(id, {name: known[path][1] for name, path in names.items()})


def _as(id: str, own: Identity) -> Identity:
    """The identity with the id that was found for it; another than its own is a fork's. A subagent stays one."""
    if id == own.id:
        return own
    if own.relationship == "subagent":
        return own._replace(id=id)
    return Identity(id, own.id, "fork", own.root, own.replaces)
