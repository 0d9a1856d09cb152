"""What is known of files of agents' history, and the records that were kept of them."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from operator import attrgetter

from agentstore.connection.sql import Sql, identifier, join, sql, valid_text
from agentstore.errors import InvalidArgumentError
from agentstore.models import OriginalPart, SourceFile
from agentstore.packed import unpack
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import text
from agentstore.read.floors import MARKS, above_floors
from agentstore.read.lanes import ReadLanes
from agentstore.write.joined import holds_any, parted

_FIELDS = SourceFile.__struct_fields__
_PACKED = ("state", "facts")
# Ids in one statement: far below the limits on a query's size.
_AT_ONCE = 2_000
# Bytes of originals that one answer brings, about; it is also what is in memory twice.
_PAGE_BYTES = 16 * 1024 * 1024
# Of a part in its original: file and start.
_Place = tuple[str, int]


class IngestReads(ReadLanes):
    """Reads about files rather than about sessions."""

    async def list_source_files(
        self,
        org_id: str,
        *,
        machine: str | None = None,
        source_ids: Iterable[str] = (),
        session_id: str = "",
        packed: Iterable[str] = (),
    ) -> list[SourceFile]:
        """Files that were read, by machine and path: all, or those of a machine, of these source ids, of a session.

        ``packed``: which of ``state`` and ``facts`` are wanted; they are empty otherwise.
        """
        wanted = frozenset(packed)
        if isinstance(packed, str) or not wanted <= {*_PACKED}:
            raise InvalidArgumentError(f"packed: expected some of {_PACKED}, got {packed!r}", field="packed")
        if isinstance(source_ids, str):  # each of its characters would pass for an id
            raise InvalidArgumentError("source_ids: expected several ids, got one str", field="source_ids")
        ids = sorted({valid_text(text(id, "source_ids")) for id in source_ids})
        conditions = [sql("org_id = {org_id}", org_id=text(org_id, "org_id"))]
        if machine is not None:
            conditions.append(sql("machine = {machine}", machine=text(machine, "machine")))
        if text(session_id, "session_id"):
            conditions.append(holds_any(identifier("session_ids"), [session_id]))
        files: list[SourceFile] = []
        for start in range(0, max(1, len(ids)), _AT_ONCE):
            some = [sql("source_id IN {ids}", ids=tuple(ids[start : start + _AT_ONCE]))] if ids else []
            files += await self._source_files([*conditions, *some], wanted)
        # Each statement has them in order, and not several together.
        return files if len(ids) <= _AT_ONCE else sorted(files, key=attrgetter("machine", "path", "source_id"))

    async def _source_files(self, conditions: list[Sql], wanted: frozenset[str]) -> list[SourceFile]:
        columns = await self._open_pool.fetch(
            sql(
                "SELECT {columns} FROM source_files FINAL WHERE {conditions} ORDER BY machine, path, source_id",
                columns=join(", ", [_column(name, wanted) for name in _FIELDS]),
                conditions=join(" AND ", conditions),
            )
        )
        if columns:
            ids, *coded = (_FIELDS.index(name) for name in ("session_ids", *_PACKED))
            columns[ids] = tuple(map(parted, columns[ids]))
            for place in coded:
                columns[place] = tuple(map(binascii.a2b_base64, columns[place]))
        return await build_in_slices(SourceFile, columns)

    async def get_originals(self, org_id: str, original_id: str) -> list[OriginalPart]:
        """The parts that are kept of one file and of those beside it, by file and start; of deleted sessions none.

        A part may be of an earlier version of the file: those count that join, from the start of the file on.
        """
        conditions = [
            sql("org_id = {org_id}", org_id=text(org_id, "org_id")),
            # Not `named`: a file of which nothing is kept has "" for an id, and that is not any.
            sql("original_id = {id}", id=text(original_id, "original_id")),
            above_floors(org_id, MARKS),
        ]
        columns = await self._open_pool.fetch(
            sql(
                "SELECT file, start, length(data) FROM originals FINAL WHERE {conditions} ORDER BY file, start",
                conditions=join(" AND ", conditions),
            )
        )
        parts: list[OriginalPart] = []
        for first, last in _pages(zip(*columns, strict=True)):
            parts += await self._originals([*conditions, _between(first, last)])
        return parts

    async def _originals(self, conditions: list[Sql]) -> list[OriginalPart]:
        columns = await self._open_pool.fetch(
            sql(
                "SELECT original_id, file, start, end, org_id, session_id, base64Encode(data) FROM originals FINAL"
                " WHERE {conditions} ORDER BY file, start",
                conditions=join(" AND ", conditions),
            )
        )
        if columns:
            columns[-1] = tuple(unpack(binascii.a2b_base64(data)) for data in columns[-1])
        return await build_in_slices(OriginalPart, columns)


def _pages(parts: Iterable[tuple[str, int, int]]) -> list[tuple[_Place, _Place]]:
    """The first and the last part of each answer, of parts with their sizes, in order."""
    pages: list[tuple[_Place, _Place]] = []
    room = 0
    for file, start, size in parts:
        room -= size
        if pages and room >= 0:
            pages[-1] = (pages[-1][0], (file, start))
        else:
            # At least one part, however large.
            pages.append(((file, start), (file, start)))
            room = _PAGE_BYTES - size
    return pages


def _between(first: _Place, last: _Place) -> Sql:
    return sql(
        "file >= {first} AND (file > {first} OR start >= {start})"
        " AND file <= {last} AND (file < {last} OR start <= {end})",
        first=first[0],
        start=first[1],
        last=last[0],
        end=last[1],
    )


def _column(name: str, wanted: frozenset[str]) -> Sql:
    if name in _PACKED:
        # The driver takes String for text.
        return sql("base64Encode({name})", name=identifier(name)) if name in wanted else sql("''")
    return sql("toString({name})", name=identifier(name)) if name in ("importer", "outcome") else identifier(name)
