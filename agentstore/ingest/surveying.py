"""What is known of the files that are surveyed together."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from agentstore.importers.importer import Importer
from agentstore.ingest.deciding import Owner
from agentstore.ingest.ledger import Ledger
from agentstore.ingest.looking import File


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
