"""What is known of files of agents' history, and the records that were kept of them."""

from __future__ import annotations

import binascii
from collections.abc import Iterable

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.errors import InvalidArgumentError
from agentstore.models import OriginalPart, SourceFile
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import named, text
from agentstore.read.floors import MARKS, above_floors
from agentstore.read.lanes import ReadLanes

_FIELDS = SourceFile.__struct_fields__
_PACKED = ("state", "facts")
# Ids in one statement: far below the limits on a query's size.
_AT_ONCE = 2_000
# Bytes of originals that one answer brings, about; it is also what is in memory twice.
_PAGE_BYTES = 16 * 1024 * 1024


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
        ids = [text(id, "source_ids") for id in source_ids]
        conditions = [sql("org_id = {org_id}", org_id=text(org_id, "org_id"))]
        if machine is not None:
            conditions.append(sql("machine = {machine}", machine=text(machine, "machine")))
        if text(session_id, "session_id"):
            conditions.append(sql("has(splitByChar('\\0', session_ids), {id})", id=session_id))
        files: list[SourceFile] = []
        for start in range(0, max(1, len(ids)), _AT_ONCE):
            some = [sql("source_id IN {ids}", ids=tuple(ids[start : start + _AT_ONCE]))] if ids else []
            files += await self._source_files([*conditions, *some], wanted)
        return files

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
            columns[ids] = tuple(tuple(joined.split("\0")) if joined else () for joined in columns[ids])
            for place in coded:
                columns[place] = tuple(map(binascii.a2b_base64, columns[place]))
        return await build_in_slices(SourceFile, columns)

    async def get_originals(self, org_id: str, original_id: str) -> list[OriginalPart]:
        """The parts that are kept of one file and of those beside it, by file and start; of deleted sessions none.

        A part may be of an earlier version of the file: those count that join, from the start of the file on.
        """
        parts: list[OriginalPart] = []
        after = ("", -1)
        while page := await self._originals(org_id, original_id, after):
            parts += page
            after = (page[-1].file, page[-1].start)
        return parts

    async def _originals(self, org_id: str, original_id: str, after: tuple[str, int]) -> list[OriginalPart]:
        """So many of the next parts that their data together has a bounded size; at least one, if there is one."""
        file, start = after
        conditions = [
            sql("org_id = {org_id}", org_id=text(org_id, "org_id")),
            *named({"original_id": original_id}),
            above_floors(org_id, MARKS),
            sql(
                "(file > {file} OR (file = {file} AND toInt64(start) > {start}))",
                file=file,
                start=start,
            ),
        ]
        columns = await self._open_pool.fetch(
            sql(
                "SELECT original_id, file, start, end, org_id, session_id, base64Encode(data) FROM ("
                "SELECT *, sum(length(data)) OVER (ORDER BY file, start) - length(data) AS before"
                " FROM originals FINAL WHERE {conditions}) WHERE before < {most} ORDER BY file, start",
                conditions=join(" AND ", conditions),
                most=_PAGE_BYTES,
            )
        )
        if columns:
            columns[-1] = tuple(map(binascii.a2b_base64, columns[-1]))
        return await build_in_slices(OriginalPart, columns)


def _column(name: str, wanted: frozenset[str]) -> Sql:
    if name in _PACKED:
        # The driver takes String for text.
        return sql("base64Encode({name})", name=identifier(name)) if name in wanted else sql("''")
    return sql("toString({name})", name=identifier(name)) if name in ("importer", "outcome") else identifier(name)
