"""What is known of the files that are surveyed together."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from agentstore.importers.file_blocks import name_of
from agentstore.importers.importer import Importer
from agentstore.ingest.deciding import Owner
from agentstore.ingest.ledger import AROUND, Ledger
from agentstore.ingest.looking import File
from agentstore.ingest.places import stat_of
from agentstore.models import SourceFile


class Around(NamedTuple):
    """A file that lies beside many, like an index of titles, as it is now. It calls for a survey where it has changed;
    which of the many it matters for, that tells."""

    name: str
    stat: str


def around_of(importer: Importer, files: Iterable[File]) -> list[Around]:
    """What lies around the files, each once."""
    paths = {path: None for file in files for path in importer.around(file.path)}
    return [Around(name_of(path), stat_of(path, ())) for path in paths]


def has_changed(ledger: Ledger, around: Around) -> bool:
    """Whether it is not known as it is now."""
    row = ledger.row(around.name, AROUND)
    return not around.stat or row is None or row.stat != around.stat


def note_around(ledger: Ledger, owner: Owner, importer: Importer, around: Iterable[Around]) -> None:
    """Note that a survey has seen these as they are."""
    for one in around:
        if has_changed(ledger, one):
            row = SourceFile(path=one.name, machine=owner.machine, source_id=AROUND, importer=importer.name)
            ledger.note(msgspec.structs.replace(row, stat=one.stat, outcome=AROUND))


class Facts(NamedTuple):
    """For ``Importer.survey``: the files, with those that are gone by now, and the facts of them."""

    paths: list[pathlib.Path]
    known: dict[pathlib.Path, bytes]
    grown: dict[pathlib.Path, bytes]


def facts_of(
    files: Collection[File],
    importer: Importer,
    owner: Owner,
    ledger: Ledger,
    packed: Mapping[tuple[str, str], bytes],
    is_known: Callable[[File], bool],
) -> Facts:
    """``is_known``: a file was read as it is now. ``packed``: the facts of all files."""
    known: dict[pathlib.Path, bytes] = {}
    grown: dict[pathlib.Path, bytes] = {}
    for file in files:
        row = ledger.row(file.name, file.source_id)
        if row is not None and row.importer_version == importer.version:
            said = packed.get((row.path, row.source_id), b"")
            if said:
                (known if is_known(file) else grown)[file.path] = said
    # What was said by files that are gone by now holds: titles, say, and who continues whom. Moved files are here.
    here, names = {file.source_id for file in files}, {file.name for file in files}
    gone = []
    for row in ledger.of_importer(importer.name):
        if row.path in names or row.source_id in here:
            continue
        said = packed.get((row.path, row.source_id), b"")
        if said and row.user_id == owner.user_id and row.importer_version == importer.version:
            path = pathlib.Path(row.path)
            known[path] = said
            gone.append(path)
    return Facts([*(file.path for file in files), *gone], known, grown)
