"""What rollouts say about each other: whose parent is whose, how much of a child is inherited, which files are copies.

Of most files only the first records are read (``rollouts``). Whole files are read, once, where their records have to be
compared: parents and children that repeat them, and files that claim to be one session (a rollout and its archived or
compressed copy; a thread that went on in another file after a revert).

Nothing depends on the order of the files, or on times. What a file adds to another one later changes nothing of what
was inherited: a child's first records do not change.
"""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agentstore.importers.codex.meta import Meta, thread_in_name
from agentstore.importers.codex.rollouts import Rollouts, Said
from agentstore.importers.codex.trail import Kin, Trail, digest, inherited, told_by_itself, told_by_ordinals
from agentstore.importers.facts import digest_of

PREFIX = "codex:"


class Told(NamedTuple):
    """What the other files say about one. ``is_held``: another file has all of it."""

    id: str = ""
    parent: str = ""
    relationship: str = ""
    kin: Kin = Kin()
    is_held: bool = False
    totals: tuple[int, ...] = ()  # what the parent had spent where the child begins; of a child that repeats nothing

    @property
    def scope(self) -> str:
        return self.id.removeprefix(PREFIX)


class Survey:
    """Who each file is."""

    def __init__(self, files: Sequence[pathlib.Path], rollouts: Rollouts) -> None:
        self._rollouts = rollouts
        self._kin: dict[pathlib.Path, Kin] = {}
        self._ids: dict[pathlib.Path, str] = {}
        self._held: set[pathlib.Path] = set()
        self._heads = {path: rollouts.said(path) for path in sorted(files)}
        self._by_thread: dict[str, pathlib.Path] = {}
        self._by_name: dict[str, pathlib.Path] = {}
        groups: dict[str, list[pathlib.Path]] = {}
        for path, head in self._heads.items():
            groups.setdefault(self._thread(path, head), []).append(path)
        for thread, group in groups.items():
            self._settle(thread, sorted(group, key=lambda path: (thread_in_name(path) != thread, path.name, path)))
        for path in self._heads:
            if path not in self._held:
                self._by_name.setdefault(thread_in_name(path), path)
        # Kept for as long as files are compared only.
        for path in self._heads:
            for ancestor in self._line(path):
                self._kin_of(ancestor, ())
        self._totals = {path: self._spent_before(path) for path, head in self._heads.items() if head.meta.base}
        rollouts.forget_trails()

    @property
    def metas(self) -> Iterable[Meta]:
        return (head.meta for head in self._heads.values())

    def told(self, path: pathlib.Path) -> Told:
        head = self._heads.get(path)
        if head is None:
            return Told(PREFIX + thread_in_name(path))
        meta, id = head.meta, self._ids[path]
        thread = self._thread(path, head)
        kin = self._kin.get(path, Kin())
        if id != PREFIX + thread:
            return Told(id, PREFIX + thread, "subagent" if meta.is_subagent else "fork", kin, path in self._held)
        parent = self._parent_thread(path)
        relationship = "subagent" if meta.is_subagent else "fork" if parent else ""
        is_held, totals = path in self._held, self._totals.get(path, ())
        return Told(id, PREFIX + parent if parent else "", relationship, kin, is_held, totals)

    # --- who they are ------------------------------------------------------------------------------------------------

    def _trail(self, path: pathlib.Path) -> Trail:
        trail = self._rollouts.trail(path)
        trail.scope = self._ids.get(path, "").removeprefix(PREFIX) or trail.scope
        return trail

    @staticmethod
    def _thread(path: pathlib.Path, head: Said) -> str:
        return head.meta.thread or thread_in_name(path)

    def _settle(self, thread: str, group: list[pathlib.Path]) -> None:
        """Of files that claim one thread the first stays it; one that another has all of is held, others are forks."""
        if len(group) == 1:
            self._ids[group[0]], self._by_thread[thread] = PREFIX + thread, group[0]
            return
        trails = {path: self._trail(path) for path in group}
        for path in group:
            mine = trails[path].marks
            for other in group:
                theirs = trails[other].marks
                is_longer = len(theirs) > len(mine) or (
                    len(theirs) == len(mine) and group.index(other) < group.index(path)
                )
                if other not in self._held and other != path and is_longer and theirs[: len(mine)] == mine:
                    self._held.add(path)
                    break
        first = next(path for path in group if path not in self._held)
        self._by_thread[thread] = first
        before: list[Trail] = []
        taken = {""}
        for path in group:
            name = ""
            if path not in self._held:
                name = _fork_name(trails[path], before, taken) if before else ""
                before.append(trails[path])
                taken.add(name)
            self._ids[path] = PREFIX + thread + name
            trails[path].scope = self._ids[path].removeprefix(PREFIX)

    # --- what they inherit -------------------------------------------------------------------------------------------

    def _parent_thread(self, path: pathlib.Path) -> str:
        """The thread of the parent: the one it names, else one whose ``session_meta`` it repeats."""
        head = self._heads[path]
        named = head.meta.parent
        found = self._by_name.get(named) if named and named not in self._by_thread else None
        if found is not None:
            named = self._thread(found, self._heads[found])
        own = self._thread(path, head)
        candidates = (named, *head.foreign)
        return next((thread for thread in candidates if thread and thread != own), "")

    def _parent_file(self, path: pathlib.Path) -> pathlib.Path | None:
        if self._ids[path] != PREFIX + self._thread(path, self._heads[path]):
            return self._by_thread[self._thread(path, self._heads[path])]
        return self._by_thread.get(self._parent_thread(path))

    def _spent_before(self, path: pathlib.Path) -> tuple[int, ...]:
        """What the parent had spent in all where the child refers to it."""
        base, parent = self._heads[path].meta, self._by_name.get(self._heads[path].meta.base) or self._parent_file(path)
        if parent is None or parent == path:
            return ()
        return tuple(self._rollouts.spent_before(parent, base.base_end))

    def _repeats(self, path: pathlib.Path) -> bool:
        """Whether a file may begin with records of another one."""
        head = self._heads[path]
        if path in self._held:
            return False
        if self._ids[path] != PREFIX + self._thread(path, head) or head.foreign or head.meta.start_ordinal:
            return True
        # A subagent that was given no history begins with what it was told to do.
        is_given = head.meta.is_forked or not head.meta.is_subagent
        return is_given and not head.meta.base and bool(self._parent_thread(path))

    def _line(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        """A file and its ancestors of which nothing is known yet, the eldest first: there may be thousands."""
        line = {path: None}
        while self._repeats(path) and (parent := self._parent_file(path)) is not None:
            if parent in line or parent in self._kin:
                break
            line[parent] = None
            path = parent
        return reversed(line)

    def _kin_of(self, path: pathlib.Path, children: tuple[pathlib.Path, ...]) -> Kin:
        """``children`` are those that ask: files may claim to be each other's parents."""
        if path in self._kin:
            return self._kin[path]
        kin = Kin()
        if self._repeats(path) and path not in children and len(children) < 100:
            parent = self._parent_file(path)
            if parent in (path, *children):
                parent = None
            kin = self._compared(path, parent, self._kin_of(parent, (*children, path)) if parent else Kin())
        if path not in children:
            self._kin[path] = kin
        return kin

    def _compared(self, path: pathlib.Path, parent: pathlib.Path | None, theirs: Kin) -> Kin:
        """What a file inherited; what was found out about the same records before is not looked for again."""
        kept = self._rollouts.said(path).kin
        if kept is not None and kept[0] == self._proof(path, parent, theirs):
            return kept[1]
        child = self._trail(path)
        kin = _told(child, inherited(child, self._trail(parent), theirs) if parent else Kin())
        self._rollouts.keep_kin(path, self._proof(path, parent, theirs), kin)
        return kin

    def _proof(self, path: pathlib.Path, parent: pathlib.Path | None, theirs: Kin) -> bytes:
        """What the inheritance of a file follows from."""
        other = (self._rollouts.said(parent).trail, self._ids.get(parent, "")) if parent else None
        return digest_of(self._rollouts.said(path).trail, self._ids.get(path, ""), other, theirs)


def _told(trail: Trail, kin: Kin) -> Kin:
    """What a file says itself, where nothing was found in a parent, or where it is surer."""
    kin = kin if kin.until else told_by_itself(trail)
    return told_by_ordinals(trail, kin) if trail.meta.start_ordinal else kin


def _fork_name(trail: Trail, before: list[Trail], taken: set[str]) -> str:
    """A name by the first record that none of the files before it has at this place."""
    place = max(_common(trail, other) for other in before)
    seed = trail.marks[place] if place < len(trail.marks) else 0
    names = (f"~{digest(str(seed), str(place), str(number)):016x}"[:9] for number in itertools.count())
    return next(name for name in names if name not in taken)


def _common(trail: Trail, other: Trail) -> int:
    """How many marks two files begin with in common."""
    pairs = enumerate(zip(trail.marks, other.marks, strict=False))
    return next((place for place, (one, theirs) in pairs if one != theirs), min(len(trail.marks), len(other.marks)))
