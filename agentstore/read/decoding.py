"""The columns of a Struct in a statement, and columns of a result to Structs. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from agentstore.connection.sql import Sql, from_ticks, identifier, join, sql
from agentstore.protocols import Columns

T = TypeVar("T")

# Up to here (the year 2096) a float of seconds keeps the microsecond. msgspec converts floats in a tenth of the time.
_EXACT_IN_FLOAT = 4 * 10**15

_TIME_FIELDS = frozenset({"started_at", "ended_at", "timestamp"})


def selection(fields: tuple[str, ...], *without: str) -> tuple[Sql, list[int]]:
    """The columns to select, and the positions of times among the fields (they travel as microseconds)."""
    columns = [
        sql("toUnixTimestamp64Micro({name})" if name in _TIME_FIELDS else "{name}", name=identifier(name))
        for name in fields
        if name not in without
    ]
    return join(", ", columns), [index for index, name in enumerate(fields) if name in _TIME_FIELDS]


def times(ticks: Sequence[int | None]) -> list[dt.datetime | None]:
    """Datetimes in UTC from microseconds since 1970, exact."""
    if all(tick is None or 0 <= tick <= _EXACT_IN_FLOAT for tick in ticks):
        seconds = [None if tick is None else tick / 1e6 for tick in ticks]
        return msgspec.convert(seconds, list[dt.datetime | None], strict=False)
    return [from_ticks(tick) for tick in ticks]


def build(
    record: Callable[..., T],
    columns: Columns,
    *,
    time_columns: Sequence[int] = (),
    constants: Mapping[int, Any] | None = None,
) -> list[T]:
    """One record per row, its arguments in the order of the columns.

    ``constants`` (position → value) are put between the columns, in ascending order: what is equal for all rows need
    not travel. ``time_columns`` are positions after that.
    """
    if not columns:
        return []
    # A copy: the caller's list keeps its columns.
    values: list[Sequence[Any]] = list(columns)
    for position, value in (constants or {}).items():
        values.insert(position, [value] * len(columns[0]))
    for position in time_columns:
        values[position] = times(values[position])
    return list(map(record, *values))
