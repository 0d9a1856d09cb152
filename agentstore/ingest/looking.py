"""Which files are there, whose they are, and which of them have changed since they were read. It runs in a thread."""

from __future__ import annotations

import collections
import logging
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from agentstore.importers.importer import Importer
from agentstore.ingest.identity import head_of, source_id
from agentstore.ingest.ledger import AROUND
from agentstore.ingest.places import Found, find, stat_of, walk, walk_below
from agentstore.models import SourceFile

_logger = logging.getLogger("agentstore")
Fails = Callable[[pathlib.Path, str], None]


class Known(Protocol):
    """What is known of files."""

    def at(self, name: str) -> list[SourceFile]:
        """The rows of a path."""
        ...


class File(NamedTuple):
    """A file of history. ``row``: what is known of it, under this path; ``is_same``: it is what was read then."""

    found: Found
    importer: Importer
    stat: str
    source_id: str
    row: SourceFile | None
    is_same: bool

    @property
    def path(self) -> pathlib.Path:
        return self.found.path

    @property
    def name(self) -> str:
        return self.found.name


class Look(NamedTuple):
    """All files of history below the places, and what else is there.

    ``looked``: the files that were looked at; None: all of them. The others are as an earlier look found them.
    """

    files: list[File]
    failed: list[tuple[pathlib.Path, str]]
    unrecognised: collections.Counter[str]
    looked: set[pathlib.Path] | None = None


class Looker:
    """Looks at the places, again and again. A file that has not changed is not opened."""

    def __init__(self, places: Sequence[pathlib.Path], importers: Sequence[Importer], ledger: Known) -> None:
        self.places = places
        self._importers = {importer.name: importer for importer in importers}
        self._ledger = ledger
        # What the looks so far have found: files of history, others, and which of them have a path beside them.
        self._files: dict[pathlib.Path, File] = {}
        self._others: set[pathlib.Path] = set()
        self._beside: dict[pathlib.Path, set[pathlib.Path]] = {}
        self._folders: set[str] | None = None  # with files in them

    @property
    def number(self) -> int:
        """How many files there are below the places."""
        return len(self._files) + len(self._others)

    def look(self, only: Iterable[pathlib.Path] | None = None) -> Look:
        """Everything below the places as it is now; or what is or was at some paths, and the rest as it was."""
        failed: list[tuple[pathlib.Path, str]] = []

        def fails(path: pathlib.Path, reason: str) -> None:
            if only is None or os.path.lexists(path):  # what is gone by now is no failure where that was told
                failed.append((path, reason))

        if only is None:
            self._files, self._others, self._beside = {}, set(), {}
            for found in walk(self.places, fails):
                self._take(found, fails)
            others = collections.Counter(path.suffix for path in self._others)
            return Look([*self._files.values()], failed, others)
        looked: set[pathlib.Path] = set()
        number, self._folders = len(self._files), None
        for path in {*only, *self._with_beside(only)}:
            for found in self._found_at(path, fails):
                if found.path not in looked:
                    looked.add(found.path)
                    self._take(found, fails)
        if len(self._files) > number:  # those that are new stand at the end: they are surveyed in the order of a walk
            self._files = dict(sorted(self._files.items()))
        return Look([*self._files.values()], failed, collections.Counter(), looked)

    def _with_beside(self, paths: Iterable[pathlib.Path]) -> Iterator[pathlib.Path]:
        """The files that have one of the paths, or a folder above it, beside them."""
        for path in paths:
            for one in (path, *path.parents):
                yield from self._beside.get(one, ())

    def _found_at(self, path: pathlib.Path, fails: Fails) -> Iterator[Found]:
        """What is at a path now; what was there and is not any more is forgotten."""
        root = next((place for place in self.places if path.is_relative_to(place)), None)
        if root is None:
            return
        is_known = path in self._files or path in self._others
        if os.path.isdir(path):  # and not Path.is_dir(), which raises where a folder may not be looked into
            before = self._below(path)
            there = [*walk_below(root, path, fails)]
            self._forget(before - {found.path for found in there})
            yield from there
        elif not os.path.exists(path):
            self._forget({path} if is_known else self._below(path))
        elif is_known or path == root:
            yield from find(root, path, fails)
        else:  # a file beside which it lies may have changed with it
            yield from walk_below(root, path.parent, fails, deep=False)

    def _below(self, folder: pathlib.Path) -> set[pathlib.Path]:
        if self._folders is None:
            self._folders = _folders_of([*self._files, *self._others])
        if str(folder) not in self._folders:
            return set()  # most of what is gone was one file, and for a moment
        start = os.path.join(folder, "")
        return {path for known in (self._files, self._others) for path in known if str(path).startswith(start)}

    def _forget(self, paths: Iterable[pathlib.Path]) -> None:
        for path in paths:
            self._files.pop(path, None)
            self._others.discard(path)

    def _take(self, found: Found, fails: Fails) -> None:
        try:
            file = self._known(found) or self._opened(found)
        except OSError as error:
            self._forget([found.path])
            fails(found.path, error.strerror or str(error))
            return
        except Exception as error:
            # A fault in an importer must not end the others, nor be silent.
            _logger.exception("%s could not be looked at", found.name)
            self._forget([found.path])
            fails(found.path, f"{type(error).__name__}: {error}")
            return
        if file is not None:
            self._files[found.path] = file
            self._others.discard(found.path)
        else:
            self._files.pop(found.path, None)
            self._others.add(found.path)

    def _known(self, found: Found) -> File | None:
        """The file, if it is as it was when it was read."""
        for row in self._ledger.at(found.name):
            importer = self._importers.get(row.importer)
            if importer is not None and row.stat and row.outcome != AROUND:
                stat = self._stat(found.path, importer)
                if stat == row.stat:
                    return File(found, importer, stat, row.source_id, row, True)
        return None

    def _opened(self, found: Found) -> File | None:
        head = head_of(found.path)
        fault: Exception | None = None
        for importer in self._importers.values():
            try:
                # Of a compressed file its name alone has to tell: importers look at what is in it.
                is_its = importer.detect(found.path, head)
            except Exception as error:
                fault = error  # it may be another's
                continue
            if is_its:
                stat = self._stat(found.path, importer)
                id = source_id(importer.name, found.path, head)
                row = next((one for one in self._ledger.at(found.name) if one.source_id == id), None)
                return File(found, importer, stat, id, row, False)
        if fault is not None:
            raise fault
        return None

    def _stat(self, path: pathlib.Path, importer: Importer) -> str:
        beside, around = [*importer.beside(path)], {*importer.around(path)}
        for one in beside:
            self._beside.setdefault(one, set()).add(path)
        # What lies around many files is looked at once for all of them (``surveying``).
        return stat_of(path, [one for one in beside if one not in around])


def _folders_of(paths: Iterable[pathlib.Path]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = os.path.dirname(str(path))
        while folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    return folders
