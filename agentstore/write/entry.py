"""One call's rows for one table, from acceptance to outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agentstore.errors import AgentStoreError, WriteError
from agentstore.write.rows import EncodedRows, Table, encode_rows

# Encoded at a time: some milliseconds of the event loop.
_CHUNK_ROWS = 1000
_CHUNK_CHARACTERS = 2_000_000


def encode_entries(
    table: Table, org_id: str, records: Sequence[Any], name: str, *, deleted: bool = False, most_rows: int = _CHUNK_ROWS
) -> Iterator[Entry]:
    """Records as entries of limited size, each checked and encoded when it is asked for."""
    start = 0
    while start < len(records):
        stop = _chunk_end(table, records, start, min(most_rows, _CHUNK_ROWS))
        chunk = records[start:stop]
        rows = encode_rows(table, org_id, chunk, name=name, deleted=deleted, offset=start)
        yield Entry(rows, org_id, chunk, deleted=deleted)
        start = stop


def _chunk_end(table: Table, records: Sequence[Any], start: int, most_rows: int) -> int:
    stop = min(start + most_rows, len(records))
    if not table.bulky:
        return stop
    size = 0
    for index in range(start, stop):
        for field in table.bulky:
            text = getattr(records[index], field, None)
            size += len(text) if isinstance(text, str) else 0
        if size > _CHUNK_CHARACTERS:
            return max(index, start + 1)
    return stop


class Entry:
    """Rows that were accepted together and are sent together, and what became of them.

    An entry may depend on entries of other tables: it is not ``ready`` before those are settled, and fails with the
    first of them that it *requires* and that failed. Settled once, for good.
    """

    __slots__ = (
        "_blockers",
        "_dependents",
        "_waiters",
        "accepted_at",
        "deadline",
        "deleted",
        "error",
        "on_change",
        "org_id",
        "records",
        "rows",
        "settled",
    )

    def __init__(self, rows: EncodedRows, org_id: str, records: Sequence[Any], *, deleted: bool = False) -> None:
        self.rows = rows
        self.org_id = org_id
        self.records = records
        self.deleted = deleted
        self.accepted_at = 0.0
        self.deadline = 0.0
        self.settled = False
        self.error: WriteError | None = None
        self.on_change: Callable[[Entry], None] | None = None
        self._blockers = 0
        self._dependents: list[tuple[Entry, bool]] = []
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def table(self) -> Table:
        """The table of all its rows."""
        return self.rows.table

    @property
    def row_count(self) -> int:
        """Its rows."""
        return self.rows.row_count

    @property
    def byte_count(self) -> int:
        """The size of its rows, encoded."""
        return self.rows.byte_count

    @property
    def ready(self) -> bool:
        """Whether everything it depends on is settled."""
        return self._blockers == 0

    def depend_on(self, other: Entry, *, required: bool) -> None:
        """Be sent only after ``other`` is settled; where ``required``, only if that succeeded."""
        if not other.settled:
            other._dependents.append((self, required))
            self._blockers += 1
        elif required and other.error is not None:
            self.settle(self._doom(other.error))

    def settle(self, error: WriteError | None = None) -> None:
        """Record the outcome, wake who waits for it and release who depends on it."""
        if self.settled:
            return
        self.settled, self.error = True, error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        for dependent, required in self._dependents:
            dependent._blockers -= 1
            if required and error is not None:
                dependent.settle(dependent._doom(error))
            if dependent.on_change is not None:
                dependent.on_change(dependent)
        self._waiters, self._dependents = [], []

    async def wait(self) -> None:
        """Returns when it is settled. Cancelling leaves the entry to itself."""
        if self.settled:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def failure(self, reason: AgentStoreError, *, certain: bool, start: int = 0, stop: int | None = None) -> WriteError:
        """The error of its rows ``start`` … ``stop``: refused, or of unknown outcome."""
        concerned = self.records[start:stop]
        fate = "were not stored" if certain else "are not known to be stored"
        return WriteError(
            f"{len(concerned)} rows of {self.table.name} {fate}: {reason}",
            table=self.table.name,
            keys=[self.table.key_of(self.org_id, record) for record in concerned],
            retriable=reason.retriable,
        )

    def part(self, start: int, stop: int) -> EncodedRows:
        """Some of its rows, encoded anew."""
        if stop - start == self.row_count:
            return self.rows
        return encode_rows(
            self.table, self.org_id, self.records[start:stop], name=self.table.name, deleted=self.deleted
        )

    def _doom(self, cause: WriteError) -> WriteError:
        error = self.failure(cause, certain=True)
        error.__cause__ = cause
        return error
