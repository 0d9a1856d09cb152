"""Columns of a large result to Structs, in slices of some thousands of rows: other tasks of the loop run in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from agentstore.protocols import Columns
from agentstore.read.decoding import build

T = TypeVar("T")

# A few milliseconds of the loop, also with the twenty columns of a session.
_ROWS_AT_ONCE = 2_000


async def build_in_slices(
    record: Callable[..., T],
    columns: Columns,
    *,
    time_columns: Sequence[int] = (),
    constants: Mapping[int, Any] | None = None,
) -> list[T]:
    """What ``build`` returns, for results that may have any number of rows. It empties a long list of columns."""
    count = len(columns[0]) if columns else 0
    if count <= _ROWS_AT_ONCE:
        return build(record, columns, time_columns=time_columns, constants=constants)
    records: list[T] = []
    for start in range(0, count, _ROWS_AT_ONCE):
        part = [column[start : start + _ROWS_AT_ONCE] for column in columns]
        records += build(record, part, time_columns=time_columns, constants=constants)
        await asyncio.sleep(0)
    while columns:  # freed all at once, they would hold the loop as long as several slices
        columns.pop()
        await asyncio.sleep(0)
    return records
