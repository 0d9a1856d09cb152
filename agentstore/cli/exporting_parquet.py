"""Records as files of Parquet, one for each type, in a folder that is there when all of them are."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import msgspec
import pyarrow.parquet

from agentstore.cli.exporting import Typed
from agentstore.cli.failing import CommandError
from agentstore.frames import schema_of, to_arrow

# A row group: large enough to be read fast, small enough to be held.
_ROWS, _CHARACTERS = 20_000, 16_000_000


async def write_parquet(records: AsyncIterator[Typed], named: str) -> Counter[str]:
    """How many records of each type were written: ``sessions.parquet``, ``messages.parquet`` and so on. None where
    there are none, and then no folder either."""
    counts: Counter[str] = Counter()
    with _whole_folder(named, counts) as folder, contextlib.ExitStack() as files:
        groups: dict[str, _Group] = {}
        async for type, record in records:
            if type not in groups:
                groups[type] = _Group(folder / f"{type}s.parquet", record.__class__)
                files.callback(groups[type].close)
            groups[type].add(record)
            counts[type] += 1
    return counts


class _Group:
    """A file, and the rows that are to be its next row group."""

    def __init__(self, path: pathlib.Path, record: type[msgspec.Struct]) -> None:
        self._record = record
        self._file = pyarrow.parquet.ParquetWriter(path, schema_of(record), compression="zstd")
        self._rows: list[msgspec.Struct] = []
        self._characters = 0

    def add(self, record: msgspec.Struct) -> None:
        self._rows.append(record)
        self._characters += sum(
            len(value) for name in record.__struct_fields__ if isinstance(value := getattr(record, name), str)
        )
        if len(self._rows) >= _ROWS or self._characters >= _CHARACTERS:
            self._write()

    def close(self) -> None:
        self._write()
        self._file.close()

    def _write(self) -> None:
        rows, self._rows, self._characters = self._rows, [], 0
        if rows:
            self._file.write_table(to_arrow(rows, self._record))


@contextlib.contextmanager
def _whole_folder(named: str, counts: Counter[str]) -> Iterator[pathlib.Path]:
    path = pathlib.Path(os.path.realpath(os.path.expanduser(named)))
    if path.exists():
        raise CommandError(f"{named} is there already", hint="another --output; it becomes a folder")
    try:
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name[:100]}.", dir=path.parent))
    except OSError as error:
        raise CommandError(f"{named} cannot be written: {error.strerror}", hint="another --output") from None
    try:
        yield temporary
        if counts:
            os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
