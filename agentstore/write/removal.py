"""Rows that have to go: what a replaced session no longer holds, and whole sessions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from agentstore.connection.sql import Sql, sql
from agentstore.errors import AgentStoreError, InvalidArgumentError, WriteError
from agentstore.organisation import organisation
from agentstore.protocols import Executor
from agentstore.write.looptime import loop_time
from agentstore.write.normalize import listed
from agentstore.write.retry import retried
from agentstore.write.rows import TABLES, Table

# Session ids in one statement: far below the limits on a query's size.
_CHUNK = 500


async def stale_records(
    executor: Executor,
    table: Table,
    org_id: str,
    session_id: str,
    mentioned: Iterable[Sequence[Any]],
    *,
    deadline_seconds: float,
) -> list[Any]:
    """Records with the keys of what is stored of a session and not among those mentioned, which come in chunks."""
    fields = table.key[1:]
    query = sql(
        "SELECT {fields} FROM {table} FINAL WHERE org_id = {org_id} AND session_id = {session_id}",
        fields=Sql(", ".join(fields)),
        table=Sql(table.name),
        org_id=org_id,
        session_id=session_id,
    )
    deadline = loop_time() + deadline_seconds
    columns = await retried(lambda: executor.fetch(query), deadline=deadline, rng=random.Random())
    stale = set(zip(*columns, strict=True))
    for records in mentioned:
        # As they are stored: a text that is not valid UTF-8 would look like another one and be removed.
        stale.difference_update(table.key_of(org_id, record)[2:] for record in records)
        await asyncio.sleep(0)  # a large session must not hold the loop
    return [table.record(session_id=session_id, **dict(zip(fields, row, strict=True))) for row in sorted(stale)]


async def bury_sessions(
    executor: Executor, org_id: str, session_ids: Iterable[str], *, deadline_seconds: float
) -> None:
    """Remove sessions and all their rows. Doing it again is harmless, so it is retried like any write.

    The session rows go first: from then on nothing leads to the rest, also if the rest fails.
    """
    if isinstance(session_ids, str):
        raise InvalidArgumentError("session_ids: expected several ids, got one str", field="session_ids")
    organisation(org_id)
    ids = listed(session_ids, "session_ids")
    for index, session_id in enumerate(ids):
        if not isinstance(session_id, str) or not session_id:
            raise InvalidArgumentError(f"session_ids[{index}]: {session_id!r} is no id", field="session_ids")
    deadline = loop_time() + deadline_seconds
    for table in reversed(TABLES):
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            try:
                statement = _tombstones(table, org_id, chunk)
                await retried(partial(executor.execute, statement), deadline=deadline, rng=random.Random())
            except AgentStoreError as error:
                raise WriteError(
                    f"rows of {len(chunk)} sessions in {table.name} are not known to be removed: {error.message}",
                    table=table.name,
                    keys=[(org_id, session_id) for session_id in chunk],
                    retriable=error.retriable,
                    hint=error.hint,
                ) from error


def _tombstones(table: Table, org_id: str, ids: Sequence[str]) -> Sql:
    return sql(
        "INSERT INTO {table} ({key}, _deleted) SELECT {key}, 1 FROM {table} FINAL"
        " WHERE org_id = {org_id} AND {session} IN {ids}",
        table=Sql(table.name),
        key=Sql(", ".join(("org_id", *table.key))),
        org_id=org_id,
        session=Sql(table.key[0]),
        ids=tuple(ids),
    )
