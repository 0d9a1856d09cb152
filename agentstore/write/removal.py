"""Rows that have to go: what a replaced session no longer holds, and whole sessions."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import anyio

from agentstore.connection.sql import Sql, sql
from agentstore.errors import AgentStoreError, InvalidArgumentError, WriteError
from agentstore.protocols import Executor
from agentstore.write.retry import pauses
from agentstore.write.rows import TABLES, Table

# Session ids in one statement: far below the limits on a query's size.
_CHUNK = 500


async def stale_records(
    executor: Executor, table: Table, org_id: str, session_id: str, mentioned: Sequence[Any]
) -> list[Any]:
    """Records with the keys of what is stored of a session and not mentioned."""
    fields = table.key[1:]
    columns = await executor.fetch(
        sql(
            "SELECT {fields} FROM {table} FINAL WHERE org_id = {org_id} AND session_id = {session_id}",
            fields=Sql(", ".join(fields)),
            table=Sql(table.name),
            org_id=org_id,
            session_id=session_id,
        )
    )
    kept = {tuple(getattr(record, name) for name in fields) for record in mentioned}
    stale = [row for row in zip(*columns, strict=True) if row not in kept]
    return [table.record(session_id=session_id, **dict(zip(fields, row, strict=True))) for row in stale]


async def bury_sessions(
    executor: Executor, org_id: str, session_ids: Iterable[str], *, deadline_seconds: float
) -> None:
    """Remove sessions and all their rows. Doing it again is harmless, so it is retried like any write.

    The session rows go first: from then on nothing leads to the rest, also if the rest fails.
    """
    if isinstance(session_ids, str):
        raise InvalidArgumentError("session_ids: expected several ids, got one str", field="session_ids")
    ids = list(session_ids)
    for index, session_id in enumerate(ids):
        if not isinstance(session_id, str) or not session_id:
            raise InvalidArgumentError(f"session_ids[{index}]: {session_id!r} is no id", field="session_ids")
    deadline = anyio.current_time() + deadline_seconds
    for table in reversed(TABLES):
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            try:
                await _retried(executor, _tombstones(table, org_id, chunk), deadline)
            except AgentStoreError as error:
                raise WriteError(
                    f"rows of {len(chunk)} sessions in {table.name} are not known to be removed: {error}",
                    table=table.name,
                    keys=[(org_id, session_id) for session_id in chunk],
                    retriable=error.retriable,
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


async def _retried(executor: Executor, statement: Sql, deadline: float) -> None:
    for pause in pauses(random.Random()):
        try:
            await executor.execute(statement)
            return
        except AgentStoreError as error:
            if not error.retriable or anyio.current_time() + pause > deadline:
                raise
        await anyio.sleep(pause)
