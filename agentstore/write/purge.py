"""Sessions whose texts have to leave the disk: which ones, and how every part that holds them is rewritten."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec

from agentstore.connection.sql import Sql, identifier, sql
from agentstore.errors import AgentStoreError, OperationTimeoutError, WriteError
from agentstore.organisation import organisation
from agentstore.protocols import Executor
from agentstore.read.floors import COPIES, SUBAGENTS
from agentstore.write.joined import holds_any
from agentstore.write.looptime import loop_time
from agentstore.write.narrow import NARROW
from agentstore.write.normalize import checked_ids
from agentstore.write.retry import retried
from agentstore.write.rows import KEPT, ORIGINALS, SESSION_FLOORS, SOURCE_FILES, TABLES, Table
from agentstore.write.sources import is_marker

# Session ids in one statement: far below the limits on a query's size.
_CHUNK = 500
# A part that is no longer active stays on the disk this long where the server does not say (its own default).
_OLD_PARTS_SECONDS = 480
# But for the marks: they say of an id that it has had to do with others, and those may be stored still.
_ALL_SOURCES = ("message_sources", sql("NOT {marker}", marker=is_marker()))

# Not as they will be when a mutation that is under way is done.
_AS_THEY_ARE = {"apply_mutations_on_fly": 0}
# A file by its key. Two of one hash: the other is read again. Paths may be as long as they like, and a statement not.
_FILE = sql("cityHash64(machine, path, source_id)")

T = TypeVar("T")


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """What ``purge_sessions`` did: the sessions, subagents included, and when the last inactive part of theirs is gone.

    No read reaches an inactive part. The server keeps it on its disk until then, for a crash in the middle of a merge.
    """

    session_ids: list[str]
    inactive_parts_until: dt.datetime


async def with_subagents(
    executor: Executor, org_id: str, session_ids: Iterable[str], *, deadline: float
) -> tuple[str, ...]:
    """The sessions and all subagents below them, however deep; also those that were deleted and are still on the disk.

    Whose subagent a session is, its newest row that is no tombstone says. Merges take that row away once the session is
    deleted; what started it, a tool call of its parent, is there for longer.
    """
    organisation(org_id)
    found = dict.fromkeys(checked_ids(session_ids))
    latest = list(found)
    while latest:
        children: list[str] = []
        for chunk in _chunks(latest):
            query = sql(
                "SELECT id FROM sessions WHERE org_id = {org_id} AND _deleted = 0"
                " AND id IN (SELECT id FROM sessions WHERE org_id = {org_id} AND parent_session_id IN {ids})"
                " GROUP BY id HAVING argMax(parent_session_id, _version) IN {ids}"
                " AND argMax(relationship_type, _version) IN ('subagent', '')"
                " UNION DISTINCT SELECT subagent_session_id FROM tool_calls"
                " WHERE org_id = {org_id} AND session_id IN {ids} AND subagent_session_id != ''"
                " AND subagent_session_id NOT IN (SELECT id FROM sessions FINAL WHERE org_id = {org_id})",
                org_id=org_id,
                ids=chunk,
            )
            columns = await retried(partial(executor.fetch, query), deadline=deadline, rng=random.Random())
            children += columns[0] if columns else ()
        # Only those not seen yet: sessions may name each other as parents, and the search would never end.
        latest = [id for id in children if id not in found]
        found |= dict.fromkeys(latest)
    return tuple(found)


async def erase(executor: Executor, org_id: str, ids: Sequence[str], *, below: int, deadline: float) -> Purge:
    """Rewrite all parts that hold rows of the sessions older than ``below``; returns when no active part does.

    Raises ``WriteError`` where that is not done by the ``deadline`` (loop time): what is invisible by then stays so,
    and purging again goes on.
    """
    for table in TABLES:
        if table is SESSION_FLOORS:
            continue  # what keeps the rest invisible; see ``_forget_family`` for what else it holds
        for chunk in _chunks(ids):
            await _delete(executor, table.name, _Rows(org_id, chunk, _of(table, chunk, below)), deadline)
    # After what they are made of, from which nothing can be copied any more. A copy that is on its way at this moment
    # arrives after it, below the floor; the sweep of floors finds it (``sweep.py``).
    for copy in NARROW:
        for chunk in _chunks(ids):
            theirs = sql("{theirs} AND _version < {below}", theirs=copy.of_sessions(chunk), below=below)
            await _delete(executor, copy.name, _Rows(org_id, chunk, theirs), deadline)
    await _forget_family(executor, org_id, ids, deadline)
    for chunk in _chunks(ids):
        await _erase_files(executor, org_id, chunk, below, deadline)
    lifetimes = [await _old_parts_lifetime(executor, table.name) for table in (*TABLES, *NARROW, *KEPT)]
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=max(lifetimes))
    return Purge(session_ids=list(ids), inactive_parts_until=until)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one organisation that a condition is about, and the sessions because of which, for an error."""

    org_id: str
    session_ids: tuple[str, ...]
    condition: Sql

    @property
    def where(self) -> Sql:
        return sql("org_id = {org_id} AND {condition}", org_id=self.org_id, condition=self.condition)


def _of(table: Table, ids: tuple[str, ...], below: int) -> Sql:
    # The tombstone at the version of the purge itself stays: it is above what arrives late.
    return sql("{session} IN {ids} AND _version < {below}", session=identifier(table.key[0]), ids=ids, below=below)


async def _delete(executor: Executor, table: str, rows: _Rows, deadline: float) -> None:
    """Rewrite the parts of a table that hold such rows, and return when none is left."""
    name = identifier(table)
    count = sql("SELECT count() FROM {table} WHERE {where}", table=name, where=rows.where)
    statement = sql("ALTER TABLE {table} DELETE WHERE {where}", table=name, where=rows.where)

    async def attempt() -> None:
        # Asked of the active parts as they are, not as they will be when a mutation that is under way is done.
        (left,) = (await executor.fetch(count, _AS_THEY_ARE))[0]
        if not left:
            return
        seconds = max(1.0, deadline - loop_time())
        await executor.execute(statement, {"mutations_sync": 2}, timeout_seconds=seconds)
        # Counted again: rows that arrived meanwhile may be in parts that the mutation did not touch.
        (left,) = (await executor.fetch(count, _AS_THEY_ARE))[0]
        if left:
            raise OperationTimeoutError(f"{left} rows are still there")

    try:
        await retried(attempt, deadline=deadline, rng=random.Random())
    except AgentStoreError as error:
        raise _not_erased(table, rows.org_id, rows.session_ids, error) from error


async def _forget_family(executor: Executor, org_id: str, ids: Sequence[str], deadline: float) -> None:
    """What is known of the sessions beside their rows: names of user and project, and hashes of what they held."""
    for table, rows in (("session_floors", sql("scope IN {scopes}", scopes=(COPIES, SUBAGENTS))), _ALL_SOURCES):
        for chunk in _chunks(ids):
            condition = sql("session_id IN {ids} AND {rows}", ids=chunk, rows=rows)
            await _delete(executor, table, _Rows(org_id, chunk, condition), deadline)


async def _erase_files(executor: Executor, org_id: str, ids: tuple[str, ...], below: int, deadline: float) -> None:
    """Erase the files that the sessions were read from: their originals, and what was packed of them.

    Whole files, with what was read of one before it was known whose it is, and with what other sessions it holds: whose
    record is whose is not known.
    """
    older = sql("_version < {below}", below=below)
    while True:
        try:
            originals = await _originals_of(executor, org_id, ids, older, deadline)
            files = await _files_of(executor, org_id, ids, originals, older, deadline)
        except AgentStoreError as error:
            raise _not_erased(SOURCE_FILES.name, org_id, ids, error) from error
        for some in _chunks(originals):
            rows = sql("original_id IN {some} AND {older}", some=some, older=older)
            await _delete(executor, ORIGINALS.name, _Rows(org_id, ids, rows), deadline)
        # Last: cut off before this, the next purge finds by it what is left.
        for hashes in _chunks(files):
            rows = sql("{file} IN {hashes} AND {older}", file=_FILE, hashes=hashes, older=older)
            await _delete(executor, SOURCE_FILES.name, _Rows(org_id, ids, rows), deadline)
        if not originals and not files:
            return  # also of what arrived meanwhile


async def _originals_of(
    executor: Executor, org_id: str, ids: tuple[str, ...], older: Sql, deadline: float
) -> list[str]:
    """The originals of which the sessions have a part, or of whose file they were read."""
    query = sql(
        "SELECT DISTINCT original_id FROM originals WHERE org_id = {org_id} AND session_id IN {ids} AND {older}"
        " UNION DISTINCT SELECT original_id FROM source_files WHERE org_id = {org_id} AND {named} AND {older}"
        " AND original_id != ''",
        org_id=org_id,
        ids=ids,
        named=holds_any(identifier("session_ids"), ids),
        older=older,
    )
    return await _column(executor, query, deadline)


async def _files_of(
    executor: Executor, org_id: str, ids: tuple[str, ...], originals: list[str], older: Sql, deadline: float
) -> list[int]:
    """The files that any version of their row says the sessions are in, or that have one of the originals; by hash."""
    # Else what was packed before a session was known would be there again, as the newest version of its row.
    theirs = holds_any(identifier("session_ids"), ids)
    if originals:
        theirs = sql("({theirs} OR original_id IN {originals})", theirs=theirs, originals=tuple(originals))
    query = sql(
        "SELECT DISTINCT {file} FROM source_files WHERE org_id = {org_id} AND {older} AND {theirs}",
        file=_FILE,
        org_id=org_id,
        older=older,
        theirs=theirs,
    )
    return await _column(executor, query, deadline)


async def _column(executor: Executor, query: Sql, deadline: float) -> list[Any]:
    columns = await retried(partial(executor.fetch, query, _AS_THEY_ARE), deadline=deadline, rng=random.Random())
    return list(columns[0]) if columns else []


async def _old_parts_lifetime(executor: Executor, table: str) -> int:
    """Seconds for which the server keeps parts of the table that are no longer active."""
    columns = await executor.fetch(
        sql(
            "SELECT toUInt64OrZero(extract(engine_full, 'old_parts_lifetime = (\\\\d+)')),"
            " (SELECT toUInt64OrZero(value) FROM system.merge_tree_settings WHERE name = 'old_parts_lifetime')"
            " FROM system.tables WHERE database = currentDatabase() AND name = {table}",
            table=table,
        )
    )
    if not columns:
        return _OLD_PARTS_SECONDS
    (own,), (default,) = columns
    return int(own or default or 0)


def _not_erased(table: str, org_id: str, ids: Sequence[str], error: AgentStoreError) -> WriteError:
    return WriteError(
        f"texts of {len(ids)} sessions may still be in parts of {table}: {error}",
        table=table,
        keys=[(org_id, session_id) for session_id in ids],
        retriable=True,
        hint="they are invisible; purge again to go on",
    )


def _chunks(ids: Sequence[T]) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(ids), _CHUNK):
        yield tuple(ids[start : start + _CHUNK])
