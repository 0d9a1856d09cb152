"""Which files are there, whose they are, and which of them have changed since they were read. It runs in a thread."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from agentstore.importers.importer import Importer
from agentstore.ingest.identity import head_of, source_id
from agentstore.ingest.ledger import Ledger
from agentstore.ingest.places import Found, stat_of, walk
from agentstore.models import SourceFile


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
    """All files of history below the places, and what else is there."""

    files: list[File]
    failed: list[tuple[pathlib.Path, str]]
    unrecognised: collections.Counter[str]


class Looker:
    """Looks at the places, again and again. A file that has not changed is not opened."""

    def __init__(self, places: Sequence[pathlib.Path], importers: Sequence[Importer], ledger: Ledger) -> None:
        self._places = places
        self._importers = {importer.name: importer for importer in importers}
        self._ledger = ledger

    def look(self) -> Look:
        """Everything below the places, as it is now."""
        failed: list[tuple[pathlib.Path, str]] = []
        files: list[File] = []
        others: collections.Counter[str] = collections.Counter()
        for found in walk(self._places, lambda path, reason: failed.append((path, reason))):
            try:
                file = self._known(found) or self._opened(found)
            except OSError as error:
                failed.append((found.path, error.strerror or str(error)))
                continue
            if file is not None:
                files.append(file)
            else:
                others[found.path.suffix] += 1
        return Look(files, failed, others)

    def _known(self, found: Found) -> File | None:
        """The file, if it is as it was when it was read."""
        for row in self._ledger.at(found.name):
            importer = self._importers.get(row.importer)
            if importer is not None and row.stat:
                stat = stat_of(found.path, importer.beside(found.path))
                if stat == row.stat:
                    return File(found, importer, stat, row.source_id, row, True)
        return None

    def _opened(self, found: Found) -> File | None:
        head = head_of(found.path)
        for importer in self._importers.values():
            # Of a compressed file its name alone has to tell: importers look at what is in it.
            if importer.detect(found.path, head):
                stat = stat_of(found.path, importer.beside(found.path))
                id = source_id(importer.name, found.path, head)
                row = next((one for one in self._ledger.at(found.name) if one.source_id == id), None)
                return File(found, importer, stat, id, row, False)
        return None
