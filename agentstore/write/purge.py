"""Sessions whose texts have to leave the disk: which ones, and how every part that holds them is rewritten."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import msgspec

from agentstore.connection.sql import Sql, identifier, sql
from agentstore.errors import AgentStoreError, OperationTimeoutError, WriteError
from agentstore.organisation import organisation
from agentstore.protocols import Executor
from agentstore.read.floors import COPIES, SUBAGENTS
from agentstore.write.looptime import loop_time
from agentstore.write.normalize import checked_ids
from agentstore.write.retry import retried
from agentstore.write.rows import ORIGINALS, SESSION_FLOORS, SOURCE_FILES, TABLES, Table
from agentstore.write.sources import is_marker

# Session ids in one statement: far below the limits on a query's size.
_CHUNK = 500
# A part that is no longer active stays on the disk this long where the server does not say (its own default).
_OLD_PARTS_SECONDS = 480
# But for the marks: they say of an id that it has had to do with others, and those may be stored still.
_ALL_SOURCES = ("message_sources", sql("NOT {marker}", marker=is_marker()))


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
    lifetime = 0
    for name in (ORIGINALS.name, SOURCE_FILES.name):
        lifetime = max(lifetime, await _old_parts_lifetime(executor, name))
    for table in TABLES:
        if table is SESSION_FLOORS:
            continue  # what keeps the rest invisible; see ``_forget_family`` for what else it holds
        for chunk in _chunks(ids):
            try:
                await _erase_from(executor, table, org_id, chunk, below, deadline)
            except AgentStoreError as error:
                raise _not_erased(table.name, org_id, chunk, error) from error
        lifetime = max(lifetime, await _old_parts_lifetime(executor, table.name))
    await _forget_family(executor, org_id, ids, deadline)
    await _erase_originals(executor, org_id, ids, deadline)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=lifetime)
    return Purge(session_ids=list(ids), inactive_parts_until=until)


async def _erase_from(
    executor: Executor, table: Table, org_id: str, ids: tuple[str, ...], below: int, deadline: float
) -> None:
    session = identifier(table.key[0])
    # The tombstone at the version of the purge itself stays: it is above what arrives late.
    rows = sql(
        "org_id = {org_id} AND {session} IN {ids} AND _version < {below}",
        org_id=org_id,
        session=session,
        ids=ids,
        below=below,
    )
    count = sql("SELECT count() FROM {table} WHERE {rows}", table=identifier(table.name), rows=rows)
    statement = sql("ALTER TABLE {table} DELETE WHERE {rows}", table=identifier(table.name), rows=rows)

    async def attempt() -> None:
        # Asked of the active parts as they are, not as they will be when a mutation that is under way is done.
        (left,) = (await executor.fetch(count, {"apply_mutations_on_fly": 0}))[0]
        if not left:
            return
        seconds = max(1.0, deadline - loop_time())
        await executor.execute(statement, {"mutations_sync": 2}, timeout_seconds=seconds)
        # Counted again: rows that arrived meanwhile may be in parts that the mutation did not touch.
        (left,) = (await executor.fetch(count, {"apply_mutations_on_fly": 0}))[0]
        if left:
            raise OperationTimeoutError(f"{left} rows are still there")

    await retried(attempt, deadline=deadline, rng=random.Random())


async def _forget_family(executor: Executor, org_id: str, ids: Sequence[str], deadline: float) -> None:
    """What is known of the sessions beside their rows: names of user and project, and hashes of what they held."""
    for table, rows in (("session_floors", sql("scope IN {scopes}", scopes=(COPIES, SUBAGENTS))), _ALL_SOURCES):
        for chunk in _chunks(ids):
            rows_of_chunk = sql("session_id IN {ids} AND {rows}", ids=chunk, rows=rows)
            await _delete(executor, table, org_id, chunk, rows_of_chunk, deadline)


async def _erase_originals(executor: Executor, org_id: str, ids: Sequence[str], deadline: float) -> None:
    """Rewrite the parts that hold the files of these sessions, and what was packed of these files.

    Also files that hold other sessions beside them: whose record is whose is not known there.
    """
    for chunk in _chunks(ids):
        from_them = sql("hasAny(splitByChar('\\0', session_ids), {ids})", ids=list(chunk))
        query = sql(
            "SELECT DISTINCT original_id FROM source_files WHERE org_id = {org_id} AND {from_them}"
            " AND original_id != ''",
            org_id=org_id,
            from_them=from_them,
        )
        columns = await retried(partial(executor.fetch, query), deadline=deadline, rng=random.Random())
        for originals in _chunks(columns[0] if columns else ()):
            rows = sql("original_id IN {originals}", originals=originals)
            await _delete(executor, ORIGINALS.name, org_id, chunk, rows, deadline)
        rows = sql("session_id IN {ids}", ids=chunk)
        await _delete(executor, ORIGINALS.name, org_id, chunk, rows, deadline)
        # Last: cut off before this, the next purge finds by it what is left.
        await _delete(executor, SOURCE_FILES.name, org_id, chunk, from_them, deadline)


async def _delete(
    executor: Executor, table: str, org_id: str, ids: tuple[str, ...], rows: Sql, deadline: float
) -> None:
    """Rewrite the parts of a table that hold such rows of the organisation; ``ids`` are for an error to name."""
    where = sql("org_id = {org_id} AND {rows}", org_id=org_id, rows=rows)
    count = sql("SELECT count() FROM {table} WHERE {where}", table=identifier(table), where=where)
    statement = sql("ALTER TABLE {table} DELETE WHERE {where}", table=identifier(table), where=where)

    async def attempt() -> None:
        (left,) = (await executor.fetch(count, {"apply_mutations_on_fly": 0}))[0]
        if left:
            seconds = max(1.0, deadline - loop_time())
            await executor.execute(statement, {"mutations_sync": 2}, timeout_seconds=seconds)

    try:
        await retried(attempt, deadline=deadline, rng=random.Random())
    except AgentStoreError as error:
        raise _not_erased(table, org_id, ids, error) from error


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


def _chunks(ids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(ids), _CHUNK):
        yield tuple(ids[start : start + _CHUNK])
