"""The originals of a file, written on the disk again. It runs in a thread."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

from agentstore.ingest.chains import Kept
from agentstore.ingest.layout import Layout
from agentstore.models import OriginalPart, Session, SourceFile

_COMPRESSED = ".zst"


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


def lay(layout: Layout, rows: list[SourceFile], stored: dict[str, Session | None], kept: Kept) -> Laid:
    """Write a file and those beside it; ``OSError`` if it cannot be written."""
    beside = {file: _digest(chain.parts) for file, chain in kept.beside.items() if not chain.reason}
    target = layout.place(plain_name(rows[0].path), beside)
    for file, path in target.beside.items():
        write_parts(path, kept.beside[file].parts)
    write_parts(target.path, kept.own.parts)
    ends = [one.ended_at for one in stored.values() if one is not None and one.ended_at is not None]
    if ends:
        _date(target.path, max(ends))
    return Laid(rows, stored, target.path, target.path.stat().st_size)


def _date(path: pathlib.Path, ended: dt.datetime) -> None:
    """Where an agent writes no times, its session ended when its file was written last."""
    with contextlib.suppress(OSError, OverflowError, ValueError):
        moment = round((ended - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1)) * 1000
        os.utime(path, ns=(moment, moment))


def write_parts(path: pathlib.Path, parts: Iterable[OriginalPart]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        for part in parts:
            stream.write(part.data)


def _digest(parts: Iterable[OriginalPart]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.data)
    return digest.digest()
