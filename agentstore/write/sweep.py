"""Floors that have done their work are swept away, so that reads have few of them to look at.

A floor hides what is older than itself, also what arrives late. Nothing older arrives any more once the floor is older
than any attempt to send it can be (``ARRIVED_AFTER_SECONDS``). Then tombstones take its place: each row
below the floor gets one, at the version just below it, and the floor goes. What was stored meanwhile is above both.
Two stores that sweep at once do the same thing twice. The age is the server's time less the floor's version: where
the server's clock is set forward by more than that, floors go early, and a row that arrives late after that, with a key
that was not there, would be seen.

A store that lives long also looks for sessions of which nobody has decided what they own (``families``): their writer
was killed before it could, or they were stored before that was decided at all. That reads a whole table, if a narrow
one. And it looks for rows that are not copied (``mending.py``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.errors import AgentStoreError
from agentstore.protocols import Executor
from agentstore.write.clock import ARRIVED_AFTER_SECONDS
from agentstore.write.looptime import loop_time
from agentstore.write.mending import Mender
from agentstore.write.narrow import Narrow, copies_of
from agentstore.write.relatives_sql import outgrown, undecided
from agentstore.write.rows import FLOORED, Table

logger = logging.getLogger("agentstore.write")

SWEPT_AFTER_SECONDS = ARRIVED_AFTER_SECONDS
_EVERY_SECONDS = 60.0
_AT_ONCE = 500
_FIRST_DOUBT_SECONDS, _DOUBTS_EVERY_SECONDS = 600.0, 3600.0


class Sweeper:
    """Sweeps beside the writes of one store, once a minute at most.

    ``doubt`` is told of an organisation's sessions of which it is not decided what they own.
    """

    def __init__(self, executor: Executor, doubt: Callable[[str, set[str]], object]) -> None:
        self._executor = executor
        self._doubt = doubt
        self._mender = Mender(executor)
        self._last = -_EVERY_SECONDS
        # Not at once: many stores live for a moment only.
        self._doubts_at = loop_time() + _FIRST_DOUBT_SECONDS
        self._task: asyncio.Task[None] | None = None

    def start_if_due(self) -> None:
        """Begin a sweep in the background, if the last one was long enough ago."""
        now = loop_time()
        if now - self._last >= _EVERY_SECONDS and (self._task is None or self._task.done()):
            # Also for a sweep that fails: what cannot succeed is not tried again at each look.
            self._last = now
            self._task = asyncio.create_task(self._quietly(), name="agentstore-sweep")

    async def aclose(self) -> None:
        """End the sweep that is under way: the next one goes on."""
        if self._task is not None:
            self._task.cancel()
            # Until its connection is given back: the pool is closed next.
            await asyncio.wait([self._task])

    async def _quietly(self) -> None:
        try:
            while await sweep(self._executor):
                pass
            if loop_time() >= self._doubts_at:
                self._doubts_at = loop_time() + _DOUBTS_EVERY_SECONDS
                for org_id, ids in (await undecided_sessions(self._executor)).items():
                    self._doubt(org_id, ids)
                await self._mender.mend()
        except AgentStoreError as error:
            logger.debug("a sweep of old floors failed and will be tried again: %s", error)


async def undecided_sessions(executor: Executor) -> dict[str, set[str]]:
    """Some of the sessions of which nobody has decided what they own, or that they are no subagents any more."""
    found: dict[str, set[str]] = defaultdict(set)
    for query in (undecided(_AT_ONCE), outgrown(_AT_ONCE)):
        for org_id, id in zip(*await executor.fetch(query), strict=True):
            found[org_id].add(id)
    return found


async def sweep(executor: Executor, *, older_than_seconds: float = SWEPT_AFTER_SECONDS) -> int:
    """Replace some of the floors that are old enough by tombstones; how many."""
    columns = await executor.fetch(
        sql(
            "SELECT scope, org_id, session_id, _version FROM session_floors FINAL WHERE scope IN {scopes}"
            " AND _version < toUInt64(toUnixTimestamp64Nano(now64(9)) - {age}) LIMIT {count}",
            scopes=tuple(FLOORED),
            age=int(older_than_seconds * 1e9),
            count=_AT_ONCE,
        )
    )
    groups: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for scope, org_id, session_id, floor in zip(*columns, strict=True):
        groups[scope, org_id].append((session_id, floor))
    for (scope, org_id), floors in groups.items():
        for table in FLOORED[scope]:
            await executor.execute(_tombstones(table, org_id, floors))
            # The views have copied these by now. What is left is of rows that a purge erased before they were copied.
            for copy in copies_of(table):
                await executor.execute(_copies_tombstones(copy, org_id, floors))
        # The floor goes last: cut off before this, it still hides the rows, and the next sweep does the same again.
        await executor.execute(_rest(scope, org_id, floors))
    return len(columns[0]) if columns else 0


def _tombstones(table: Table, org_id: str, floors: Sequence[tuple[str, int]]) -> Sql:
    ids = [id for id, _ in floors]
    return sql(
        "INSERT INTO {table} (org_id, {key}, _version, _deleted)"
        " WITH transform(session_id, {ids}, {floors}, toUInt64(0)) AS floor"
        " SELECT org_id, {key}, floor - 1, 1 FROM {table} FINAL"
        " WHERE org_id = {org_id} AND session_id IN {among} AND _version < floor",
        table=identifier(table.name),
        key=join(", ", map(identifier, table.key)),
        ids=ids,
        floors=[floor for _, floor in floors],
        org_id=org_id,
        among=tuple(ids),
    )


def _copies_tombstones(copy: Narrow, org_id: str, floors: Sequence[tuple[str, int]]) -> Sql:
    ids = [id for id, _ in floors]
    return sql(
        "INSERT INTO {copy} (org_id, {key}, _version, _deleted)"
        " WITH {floors}[indexOf({named}, {session})] AS floor"
        " SELECT org_id, {key}, floor - 1, 1 FROM {copy} FINAL"
        " WHERE org_id = {org_id} AND {theirs} AND _version < floor",
        copy=identifier(copy.name),
        key=join(", ", map(identifier, copy.key)),
        floors=[floor for _, floor in floors],
        named=copy.named(ids),
        session=copy.session,
        org_id=org_id,
        theirs=copy.of_sessions(ids),
    )


def _rest(scope: str, org_id: str, floors: Sequence[tuple[str, int]]) -> Sql:
    # At the floor's own version: a newer floor of the session, set meanwhile, stays.
    return sql(
        "INSERT INTO session_floors (scope, org_id, session_id, _version, _deleted)"
        " SELECT {scope}, {org_id}, floor.1, floor.2, 1 FROM (SELECT arrayJoin(arrayZip({ids}, {floors})) AS floor)",
        scope=scope,
        org_id=org_id,
        ids=[id for id, _ in floors],
        floors=[floor for _, floor in floors],
    )
