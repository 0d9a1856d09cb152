"""The originals of files, written on the disk again, so that they can be read together. It runs in a thread."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

from agentstore.ingest.kept.chains import Kept, is_list
from agentstore.ingest.kept.layout import Layout
from agentstore.models import OriginalPart, Session, SourceFile

_COMPRESSED = ".zst"
_LIST = b"list"


class Laid(NamedTuple):
    """A file that was written again. ``rows``: it, and where it was before it was moved; ``stored``: what is stored of
    the sessions that were read from it, None where they are gone."""

    rows: list[SourceFile]
    stored: dict[str, Session | None]
    path: pathlib.Path
    size: int

    @property
    def row(self) -> SourceFile:
        return self.rows[0]


def plain_name(path: str) -> str:
    """A file's path without the suffix of its compression: originals are what is in it."""
    return path.removesuffix(_COMPRESSED)


class Layer:
    """Writes files below ``folder``, each with what lay beside it. ``OSError`` where it cannot."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._layout = Layout(folder)
        # Of lists beside them each file has lines of its own: they are one list again.
        self._lists: dict[pathlib.Path, dict[tuple[int, bytes], None]] = {}

    def lay(self, rows: list[SourceFile], stored: dict[str, Session | None], kept: Kept) -> Laid:
        """A file, as old as its last session."""
        lists = {file for file, parts in kept.beside.items() if is_list(file, parts)}
        digests = {file: _LIST if file in lists else _digest(parts) for file, parts in kept.beside.items()}
        target = self._layout.place(plain_name(rows[0].path), digests)
        for file, path in target.beside.items():
            if file in lists:
                lines = self._lists.setdefault(path, {})
                lines.update({(part.start, part.data): None for part in kept.beside[file]})
            else:
                _write(path, kept.beside[file])
        _write(target.path, kept.own.parts)
        ends = [one.ended_at for one in stored.values() if one is not None and one.ended_at is not None]
        if ends:
            _date(target.path, max(ends))
        return Laid(rows, stored, target.path, target.path.stat().st_size)

    def path_of(self, row: SourceFile) -> pathlib.Path:
        """Where a file would be."""
        return self._layout.place(plain_name(row.path), {}).path

    def settle(self) -> None:
        """All files are written: now the lists are."""
        for path, lines in self._lists.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(data if data.endswith(b"\n") else data + b"\n" for _, data in sorted(lines)))


def _date(path: pathlib.Path, ended: dt.datetime) -> None:
    """Where an agent writes no times, its session ended when its file was written last."""
    with contextlib.suppress(OSError, OverflowError, ValueError):
        moment = round((ended - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1)) * 1000
        os.utime(path, ns=(moment, moment))


def _write(path: pathlib.Path, parts: Iterable[OriginalPart]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        for part in parts:
            stream.write(part.data)


def _digest(parts: Iterable[OriginalPart]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.data)
    return digest.digest()
