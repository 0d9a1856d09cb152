"""Which sessions did what with a file, or with the files of a folder."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import get_args

from agentstore.connection.sql import Sql, join, sql
from agentstore.errors import InvalidArgumentError
from agentstore.models import FileHistory, FileHistoryEntry, FileOperation, SessionFile
from agentstore.protocols import Columns, Executor
from agentstore.read.beside import told_of_sessions
from agentstore.read.building import build_in_slices
from agentstore.read.concurrent import gather_both
from agentstore.read.conditions import named, page_limit, text
from agentstore.read.copies import own_rows
from agentstore.read.cursor import FileCursor, decode_file_cursor, encode_search_cursor
from agentstore.read.floors import CONTENT, above_floor, above_floors
from agentstore.read.lanes import ReadLanes
from agentstore.read.messages import whole_number
from agentstore.read.versions import MOST, versions_of

_OPERATIONS = get_args(FileOperation)
_FIELDS = FileHistoryEntry.__struct_fields__
_LONG_AGO = -(2**62)  # of a touch without a time: the last of all


class FileReads(ReadLanes):
    """Reads about files."""

    async def session_files(self, org_id: str, session_id: str) -> list[SessionFile]:
        """The files that tool calls of a session did something with, by path; an unknown session has none.

        Like its messages, they are those of the whole session, what a fork copied with them.
        """
        columns = await self._open_pool.fetch(
            sql(
                "SELECT path, toString(operation), count(), min(message_ordinal), max(message_ordinal)"
                " FROM file_touches FINAL PREWHERE org_id = {org_id} AND session_id = {session_id} WHERE {seen}"
                " GROUP BY path, operation ORDER BY path, operation",
                org_id=text(org_id, "org_id"),
                session_id=text(session_id, "session_id"),
                seen=above_floor(org_id, session_id),
            )
        )
        found: list[SessionFile] = []
        for path, group in groupby(zip(*columns, strict=True), key=itemgetter(0)):
            _, operations, counts, firsts, lasts = zip(*group, strict=True)
            found.append(SessionFile(path, dict(zip(operations, counts, strict=True)), min(firsts), max(lasts)))
        return found

    async def file_history(
        self,
        org_id: str,
        path: str,
        *,
        project_id: str = "",
        session_id: str = "",
        operations: Iterable[FileOperation] = (),
        limit: int = 100,
        cursor: str = "",
        versions: int = 0,
    ) -> FileHistory:
        """What tool calls did with a file, newest first, with the sessions they are of; a page of at most ``limit``.

        ``path`` is relative to the repository, as in ``FileTouch``; with "/" at its end, all files below that folder;
        "" all files of the session or project that is named. Of ``operations`` any, where none are given. A move
        stands in the history of both paths. Sessions that are deleted are left out, subagents are not, and what a fork
        or a resume copied is told once, for the session that it belongs to.

        ``versions`` asks for ``source_id`` and ``version`` of messages: of the last change (where there is none, the
        last touch) by each of the first so many sessions of the page, 1,000 at most.
        """
        pool, organisation = self._open_pool, text(org_id, "org_id")
        conditions = [
            sql("org_id = {org_id}", org_id=organisation),
            *_match(organisation, text(path, "path"), text(project_id, "project_id"), text(session_id, "session_id")),
            *_operations(operations),
            *_after(text(cursor, "cursor")),
            sql("session_id NOT IN (SELECT session_id FROM session_deletes FINAL WHERE org_id = {o})", o=organisation),
            above_floor(organisation, session_id, CONTENT) if session_id else above_floors(organisation),
            own_rows(organisation, sql("message_ordinal")),
        ]
        page, versions = page_limit(limit), _count(versions)
        columns = await pool.fetch(
            sql(
                "SELECT session_id, path, toString(operation), message_ordinal, tool_use_id, call_index, moved_from,"
                " moved_to, toUnixTimestamp64Micro(touched_at) FROM file_touches FINAL WHERE {conditions}"
                " ORDER BY touched_at DESC NULLS LAST, session_id DESC, message_ordinal DESC, call_index DESC,"
                " tool_use_id DESC, path DESC LIMIT {limit}",
                conditions=join(" AND ", conditions),
                limit=page + 1,
            )
        )
        return await _page(pool, organisation, columns, page, versions)


def _count(versions: int) -> int:
    if not 0 <= whole_number(versions, "versions") <= MOST:
        raise InvalidArgumentError(f"versions: expected 0 … {MOST}, got {versions}", field="versions")
    return versions


def _last_places(columns: Columns, sessions: int) -> list[tuple[str, int]]:
    """Session and ordinal of the last change, or else touch, by each of the first so many sessions."""
    last: dict[str, int] = {}
    changed: set[str] = set()
    for id, operation, ordinal in zip(columns[0], columns[2], columns[3], strict=True):
        if id not in last and len(last) == sessions:
            continue
        if operation != "read" and id not in changed:
            changed.add(id)
            last[id] = ordinal
        last.setdefault(id, ordinal)
    return list(last.items())


def _match(org_id: str, path: str, project_id: str, session_id: str) -> list[Sql]:
    found = named({"session_id": session_id})
    if project_id:
        sessions = sql(
            "session_id IN (SELECT id FROM sessions FINAL WHERE org_id = {org_id} AND project_id = {project_id})",
            org_id=org_id,
            project_id=project_id,
        )
        found.append(sessions)
    if path.endswith("/"):
        found.append(sql("startsWith(path, {path})", path=path))
    elif path:
        found.append(sql("path = {path}", path=path))
    elif not found:
        raise InvalidArgumentError("path is required, or a session or project whose files are meant", field="path")
    return found


def _operations(operations: Iterable[FileOperation]) -> list[Sql]:
    if isinstance(operations, str) or not isinstance(operations, Iterable):
        raise InvalidArgumentError(f"operations: expected several, got {operations!r}", field="operations")
    wanted = tuple(operations)
    for operation in wanted:
        if operation not in _OPERATIONS:
            raise InvalidArgumentError(
                f"operations: expected of {', '.join(_OPERATIONS)}, got {operation!r}", field="operations"
            )
    return [sql("operation IN {wanted}", wanted=wanted)] if wanted else []


def _after(cursor: str) -> list[Sql]:
    if not cursor:
        return []
    last = decode_file_cursor(cursor)
    # As numbers: with one that is missing no two tuples could be compared.
    return [
        sql(
            "(ifNull(toUnixTimestamp64Micro(touched_at), {never}), session_id, message_ordinal, call_index,"
            " tool_use_id, path) < ({moment}, {session_id}, {ordinal}, {call_index}, {tool_use_id}, {path})",
            never=_LONG_AGO,
            moment=_LONG_AGO if last.moment is None else last.moment,
            session_id=last.session_id,
            ordinal=last.ordinal,
            call_index=last.call_index,
            tool_use_id=last.tool_use_id,
            path=last.path,
        )
    ]


async def _page(executor: Executor, org_id: str, columns: Columns, limit: int, versions: int) -> FileHistory:
    """The page, with what its sessions are, and the versions of so many messages."""
    if not columns:
        return FileHistory()
    has_more = len(columns[0]) > limit
    columns = [column[:limit] for column in columns]
    told, found = await gather_both(
        lambda: told_of_sessions(executor, org_id, columns[0]),
        lambda: versions_of(executor, org_id, _last_places(columns, versions)),
    )
    known = {(one.session_id, one.ordinal): (one.source_id, one.version) for one in found}
    of_messages = [known.get(place, ("", "")) for place in zip(columns[0], columns[3], strict=True)]
    entries = await build_in_slices(
        FileHistoryEntry,
        [*columns, *zip(*told, strict=True), *zip(*of_messages, strict=True)],
        time_columns=[_FIELDS.index("touched_at")],
    )
    if not has_more:
        return FileHistory(entries)
    session_id, path, _, ordinal, tool_use_id, call_index, _, _, moment = (column[-1] for column in columns)
    last = FileCursor(moment, session_id, ordinal, call_index, tool_use_id, path)
    return FileHistory(entries, encode_search_cursor(last))
