"""Any number of rows in bounded memory: slices of some megabytes each, in the order of the rows' keys.

Nothing is held on the server between two slices, and each begins after a key: rows that are written or removed while
the caller takes its time shift no other row into a slice or out of one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.protocols import Columns, Executor
from agentstore.read.conditions import text
from agentstore.read.floors import above_floor, above_floors

# Of how many rows the sizes are asked at a time, and how many bytes of text are then fetched at a time. The caller's
# memory has to hold the latter.
_PLANNED_ROWS = 5000
_FETCHED_BYTES = 4 * 1024 * 1024

_Key = tuple[Any, ...]


@dataclass(frozen=True)
class Sliced:
    """A table in slices: what is selected, the columns of its key after ``session_id``, and a row's bytes of text."""

    table: Sql
    columns: Sql
    key: tuple[str, ...]
    size: Sql


async def slices(executor: Executor, org_id: str, session_id: str, of: Sliced) -> AsyncGenerator[Columns, None]:
    """The columns of all rows of a session, or ("") of the organisation, some megabytes of text at a time."""
    text(org_id, "org_id")
    scope = (
        sql("session_id = {id} AND {seen}", id=session_id, seen=above_floor(org_id, session_id))
        if text(session_id, "session_id")
        else above_floors(org_id)
    )
    last: _Key | None = None
    while True:
        stops = await _plan(executor, org_id, scope, last, of)
        # In the slices that were planned, whatever was written since: then one may be larger than planned, but no row
        # of the plan is fetched twice or left out.
        for stop in stops:
            if columns := await _fetch(executor, org_id, scope, last, stop, of):
                yield columns
            # The last row planned, also where it was removed since: the next plan begins after it, and the loop ends.
            last = stop
        if not stops:
            return


async def _plan(executor: Executor, org_id: str, scope: Sql, last: _Key | None, of: Sliced) -> list[_Key]:
    """Keys up to which the next rows can be fetched, each time some megabytes. Sizes travel, texts do not."""
    columns = await executor.fetch(
        sql(
            "SELECT {key}, {size} FROM {table} FINAL"
            " WHERE org_id = {org_id} AND {scope} AND {after} ORDER BY {key} LIMIT {count}",
            key=_key_columns(of),
            size=of.size,
            table=of.table,
            org_id=org_id,
            scope=scope,
            after=_after(last, of),
            count=_PLANNED_ROWS,
        )
    )
    stops: list[_Key] = []
    size, key = 0, None
    for *values, byte_count in zip(*columns, strict=True):
        # A row that is larger than all that may be fetched at a time is fetched alone.
        if key is not None and size + byte_count > _FETCHED_BYTES:
            stops.append(key)
            size = 0
        size += byte_count
        key = tuple(values)
    return stops if key is None else [*stops, key]


async def _fetch(executor: Executor, org_id: str, scope: Sql, last: _Key | None, stop: _Key, of: Sliced) -> Columns:
    return await executor.fetch(
        sql(
            "SELECT {columns} FROM {table} FINAL WHERE org_id = {org_id} AND {scope} AND {after} AND {until}"
            " ORDER BY {key}",
            columns=of.columns,
            table=of.table,
            org_id=org_id,
            scope=scope,
            after=_after(last, of),
            until=_until(stop, of),
            key=_key_columns(of),
        )
    )


def _key_columns(of: Sliced) -> Sql:
    return join(", ", map(identifier, ("session_id", *of.key)))


def _after(key: _Key | None, of: Sliced) -> Sql:
    if key is None:
        return sql("1")
    # The first comparison follows from the second. It is there for the primary key, which skips granules by it.
    return sql("session_id >= {id} AND {later}", id=key[0], later=_later(key, of))


def _until(key: _Key, of: Sliced) -> Sql:
    return sql("session_id <= {id} AND NOT {later}", id=key[0], later=_later(key, of))


def _later(key: _Key, of: Sliced) -> Sql:
    """Whether a row is after this key: the first column that differs decides."""
    names = ("session_id", *of.key)
    condition = sql("0")
    for name, value in zip(reversed(names), reversed(key), strict=True):
        condition = sql(
            "({name} > {value} OR ({name} = {value} AND {rest}))", name=identifier(name), value=value, rest=condition
        )
    return condition
