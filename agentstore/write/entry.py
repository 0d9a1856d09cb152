"""One call's rows for one table, from acceptance to outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from agentstore.errors import AgentStoreError, WriteError
from agentstore.organisation import organisation
from agentstore.write.encoded_rows import EncodedRows, encode_rows
from agentstore.write.rows import Table

# Encoded at a time: some milliseconds of the event loop.
CHUNK_ROWS = 500
_CHUNK_CHARACTERS = 1_000_000


def portions(table: Table, org_id: str, chunks: Iterable[Sequence[Any]]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Records, given in chunks of at most ``CHUNK_ROWS``, as they are encoded at once, and the number of the first."""
    organisation(org_id)  # also where there are no records
    offset = 0
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            stop = _last_fitting(table, chunk, start)
            yield offset + start, chunk[start:stop]
            start = stop
        offset += len(chunk)


def encode_entry(
    table: Table, org_id: str, records: Sequence[Any], name: str, *, deleted: bool = False, offset: int = 0
) -> Entry:
    """Records checked and encoded."""
    rows = encode_rows(table, org_id, records, name=name, deleted=deleted, offset=offset)
    return Entry(rows, org_id, records, deleted=deleted)


def _last_fitting(table: Table, records: Sequence[Any], start: int) -> int:
    """The end of the rows from ``start`` whose long texts together are short enough to be encoded at once."""
    size = 0
    for index in range(start, len(records)) if table.bulky else ():
        for field in table.bulky:
            text = getattr(records[index], field, None)
            if isinstance(text, str | bytes):
                size += len(text)
            elif isinstance(text, tuple):
                size += sum(len(part) for part in text if isinstance(part, str))
        if size > _CHUNK_CHARACTERS:
            # At least one record, however long its text: an empty part would loop for ever.
            return max(index, start + 1)
    return len(records)


class Entry:
    """Rows that were accepted together and are sent together, and what became of them.

    An entry may depend on entries of other tables: it is not ``ready`` before those are settled, and fails with the
    first of them that it *requires* and that failed. Settled once, for good. ``accepted_at`` and ``deadline`` are
    times of the loop; ``drawn_at``, when its version was decided, is one of ``clock.local_nanoseconds``.
    """

    __slots__ = (
        "_blockers",
        "_dependents",
        "_waiters",
        "accepted_at",
        "byte_count",
        "deadline",
        "deleted",
        "drawn_at",
        "error",
        "on_change",
        "org_id",
        "records",
        "row_count",
        "rows",
        "settled",
    )

    def __init__(self, rows: EncodedRows, org_id: str, records: Sequence[Any], *, deleted: bool = False) -> None:
        self.rows = rows
        self.row_count = rows.row_count
        self.byte_count = rows.byte_count
        self.org_id = org_id
        self.records = records
        self.deleted = deleted
        self.accepted_at = 0.0
        self.deadline = 0.0
        self.drawn_at = 0
        self.settled = False
        self.error: WriteError | None = None
        self.on_change: Callable[[Entry], None] | None = None
        self._blockers = 0
        self._dependents: list[tuple[Entry | Barrier, bool]] = []
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def table(self) -> Table:
        """The table of all its rows."""
        return self.rows.table

    @property
    def ready(self) -> bool:
        """Whether everything it depends on is settled."""
        return self._blockers == 0

    def decide_version(self, version: int, drawn_at: int) -> None:
        """Fix the version of its rows, once, before it is accepted: every attempt to send them carries it."""
        self.rows, self.drawn_at = self.rows.at_version(version), drawn_at

    def depend_on(self, other: Entry | Barrier, *, required: bool) -> None:
        """Be sent only after ``other`` is settled; where ``required``, only if that succeeded."""
        if not other.settled:
            other._dependents.append((self, required))
            self._blockers += 1
        elif required and other.error is not None:
            self.settle(self.failure(other.error, certain=True))

    def settle(self, error: WriteError | None = None) -> None:
        """Record the outcome, wake who waits for it and release who depends on it."""
        # The first outcome stands: a caller who was told that the time is up is told nothing else when the answer
        # comes.
        if self.settled:
            return
        self.settled, self.error = True, error
        for waiter in self._waiters:
            # One whose task was cancelled is done, and setting its result would raise.
            if not waiter.done():
                waiter.set_result(None)
        for dependent, required in self._dependents:
            dependent.on_settled(error if required else None)
        # Dropped, so that who keeps a settled entry does not keep alive everything that waited for it.
        self._waiters, self._dependents = [], []

    def on_settled(self, error: WriteError | None) -> None:
        """Something it depends on is settled; given an ``error``, it fails with that."""
        self._blockers -= 1
        if error is not None:
            self.settle(self.failure(error, certain=True))
        # After settling: the batcher takes settled entries out of its queue, and looks at `settled` to know.
        if self.on_change is not None:
            self.on_change(self)

    async def wait(self) -> None:
        """Returns when it is settled. Cancelling leaves the entry to itself."""
        if self.settled:
            return
        # One for each who waits: with a shared one, cancelling one of them would cancel it for all.
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def when_settled(self, callback: Callable[[], None]) -> None:
        """Call back once the entry is settled, which it must not be yet. No task waits for that."""
        waiter = asyncio.get_running_loop().create_future()
        waiter.add_done_callback(lambda _: callback())
        self._waiters.append(waiter)

    def failure(self, reason: AgentStoreError, *, certain: bool, start: int = 0, stop: int | None = None) -> WriteError:
        """The error of its rows ``start`` … ``stop``: refused, or of unknown outcome."""
        concerned = self.records[start:stop]
        fate = "were not stored" if certain else "are not known to be stored"
        error = WriteError(
            f"{len(concerned)} rows of {self.table.name} {fate}: {reason.message}",
            table=self.table.name,
            keys=[self.table.key_of(self.org_id, record) for record in concerned],
            retriable=reason.retriable,
            hint=reason.hint,
        )
        error.__cause__ = reason
        return error

    def part(self, start: int, stop: int) -> EncodedRows:
        """Some of its rows, encoded anew."""
        # The usual case, in which nothing was cut, encodes nothing a second time.
        if stop - start == self.row_count:
            return self.rows
        rows = encode_rows(
            self.table, self.org_id, self.records[start:stop], name=self.table.name, deleted=self.deleted
        )
        # Still the same call: a version drawn now would be above those of later calls.
        return rows.at_version(self.rows.version)


class Barrier:
    """Settled when all entries of a stage are, or with the first of them that fails.

    The entries of the next stage depend on it instead of on each of those: their number adds up and does not multiply.
    """

    __slots__ = ("_blockers", "_dependents", "error", "settled")

    def __init__(self, stage: Sequence[Entry]) -> None:
        self.settled = False
        self.error: WriteError | None = None
        self._dependents: list[tuple[Entry | Barrier, bool]] = []
        self._blockers = len(stage)
        for entry in stage:
            if entry.settled:
                self.on_settled(entry.error)
            else:
                entry._dependents.append((self, True))

    def on_settled(self, error: WriteError | None) -> None:
        """One of the stage is settled."""
        self._blockers -= 1
        # A failure need not wait for the rest: what comes next is not sent either way.
        if self.settled or (error is None and self._blockers):
            return
        self.settled, self.error = True, error
        dependents, self._dependents = self._dependents, []
        for dependent, required in dependents:
            dependent.on_settled(error if required else None)
