"""A tree of Claude Code's files: what is to be known of all of them before one can be imported.

Who each session is where several files claim to be it (``copies``), the titles that files give to each other,
and which directories are one project. Each file is read once for that, in blocks (``said``), and not again while it
stays as it is; nothing depends on the order of files.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agentstore.importers.claude_code.identity import Identity, Named, identity_of, is_session_name, place_of
from agentstore.importers.claude_code.said import VERSION, Said, short
from agentstore.importers.claude_code.scan import look_over
from agentstore.importers.copies import Trace, Traced, sort_out
from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.git_directory import repository_of
from agentstore.importers.importer import NO_FACTS, FileFacts, Options
from agentstore.importers.projects import Repositories

_ON_THIS_MACHINE = -1  # a rank: surer than anything that a record says


class Told(NamedTuple):
    """What the tree says of one file. ``identity``: who its session is, where that is not what file and records say by
    themselves; ``is_held``: another file has all of it; ``agent_files``: the subagents of it that have files."""

    identity: Identity | None = None
    is_held: bool = False
    agent_files: frozenset[str] = frozenset()


class Tree:
    """What all files of a tree say. A file that cannot be read is left to its import, which says why."""

    def __init__(
        self,
        files: Iterable[pathlib.Path],
        name_of: Callable[[pathlib.Path], str],
        options: Options,
        known: FileFacts = NO_FACTS,
        grown: FileFacts = NO_FACTS,
    ) -> None:
        self.titles: dict[str, str] = {}
        self.repositories = Repositories()
        self._notes = Notes(Said, VERSION, self._look_over, options, known, grown)
        self._mask = options.mask
        self._local_git = options.local_git
        self._told: dict[pathlib.Path, Told] = {}
        self._continued: dict[str, str] = {}  # by the session that goes on: the one that says so
        self._looked_up: set[str] = set()
        self._name_of = name_of
        self._compared: set[pathlib.Path] = set()
        claims: dict[str, list[tuple[pathlib.Path, Identity]]] = {}
        for path in files:
            said = self._notes.said(path)
            if said is None:
                continue
            self.titles |= said.titles
            said.teach(self.repositories)
            self._look_up(said.cwd)
            claimed = identity_of(name_of(path), self._named(path, said))
            self._continued.setdefault(said.continued_in, claimed.id)
            claims.setdefault(claimed.id, []).append((path, claimed))
        self._titles_by_short: dict[int, list[str]] = {}
        for leaf in self.titles:
            self._titles_by_short.setdefault(short(leaf), []).append(leaf)
        self._settle(claims)

    def told(self, path: pathlib.Path) -> Told:
        return self._told.get(path, Told())

    def continues(self, path: pathlib.Path) -> str:
        """The session that says that it goes on in the one of this file; "" where none does."""
        return self._continued.get(path.stem, "")

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        """What the file would be read otherwise for, were it otherwise."""
        told, said = self.told(path), self._notes.said(path)
        if told.is_held or said is None:
            return digest_of(told.is_held)
        # Only of what stands in this file: a subagent that has none here is read from its own file in any case.
        embedded = sorted(set(said.embedded) - told.agent_files)
        directories = [self.repositories.about(cwd) for cwd in (said.cwd, *said.directories)]
        # Who it is by its own records is nothing from outside, whether it was compared with others or not.
        own = identity_of(self._name_of(path), said.named) if told.identity and said.named else None
        identity = told.identity if told.identity != own else None
        return digest_of(identity, self.continues(path), embedded, directories, self._titles_for(said))

    def _titles_for(self, said: Said) -> list[tuple[str, str]]:
        """Those of other files that may be for this one."""
        if not self._titles_by_short:
            return []
        leaves = (leaf for one in said.records_among(self._titles_by_short) for leaf in self._titles_by_short[one])
        titles = ((leaf, self.titles[leaf]) for leaf in leaves)
        return sorted((leaf, title) for leaf, title in titles if said.titles.get(leaf) != title)

    # --- all files ---------------------------------------------------------------------------------------------------

    def _look_over(self, path: pathlib.Path, before: Noted[Said] | None) -> Noted[Said]:
        return look_over(path, before, self._mask, is_traced=not self._is_named(path))

    def _look_up(self, cwd: str) -> None:
        if self._local_git and cwd and cwd not in self._looked_up:
            self._looked_up.add(cwd)
            found = repository_of(cwd, self._mask)
            if found.root:
                self.repositories.learn_worktree(cwd, found.root)
                self.repositories.learn_remote(found.root, found.remote, _ON_THIS_MACHINE)

    def _is_named(self, path: pathlib.Path) -> bool:
        """Whether its name alone tells who the session of a file is."""
        place = place_of(self._name_of(path))
        return is_session_name(place.session_folder if place.is_subagent else place.stem)

    def _named(self, path: pathlib.Path, said: Said) -> Named:
        """What the records say of who a file is, where that counts."""
        counts = path in self._compared or not self._is_named(path)
        return said.named if counts and said.named else Named()

    def _settle(self, claims: dict[str, list[tuple[pathlib.Path, Identity]]]) -> None:
        agents: dict[str, set[str]] = {}
        for id, files in claims.items():
            for _, claimed in files:
                if claimed.relationship == "subagent":
                    agents.setdefault(claimed.root, set()).add(id.rpartition(":agent-")[2])
        for id, files in claims.items():
            # Who is alone, and is known by its name, needs no comparison; the records say whose continuation it is.
            names = {self._name_of(path): path for path, _ in files}
            ids = self._sorted_out(id, names) if len(files) > 1 else dict.fromkeys(names, id)
            for name, path in names.items():
                own = self._own(path, name)
                agent_files = frozenset(agents.get(files[0][1].root, ()))
                self._told[path] = Told(_as(ids[name], own) if own else None, not ids[name], agent_files)

    def _own(self, path: pathlib.Path, name: str) -> Identity | None:
        """Who a file says that it is, where its records were asked."""
        said = self._notes.said(path)
        if said is None or (path not in self._compared and self._is_named(path)):
            return None
        return identity_of(name, self._named(path, said))

    def _sorted_out(self, id: str, names: dict[str, pathlib.Path]) -> dict[str, str]:
        self._compared.update(names.values())
        return sort_out(id, {name: self._trace(path) for name, path in names.items()})

    def _trace(self, path: pathlib.Path) -> Trace:
        said = self._notes.said(path)
        if said is not None and said.traced is None:
            try:
                noted = look_over(path, None, self._mask, is_traced=True)
            except OSError:
                noted = Noted(Said(traced=Traced()))
            self._notes.keep(path, noted)
            said = noted.said
        return said.traced.trace() if said and said.traced else Traced().trace()


def _as(id: str, own: Identity) -> Identity:
    """The identity with the id that was found for it; another than its own is a fork's. A subagent stays one."""
    if id == own.id:
        return own
    if own.relationship == "subagent":
        return own._replace(id=id)
    return Identity(id, own.id, "fork", own.root, own.replaces)
