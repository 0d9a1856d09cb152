"""What waits to be sent to one table, and what is to be sent when. Pure: the clock is passed in, nothing waits here.

Rows are sent in the order in which they were accepted, whole entries at a time, one batch at a time. An entry may have
to wait for rows of other tables (a session row for its messages); what was accepted after it then waits too, so the
order holds without any other bookkeeping.

No step costs more than the entries it hands out, or those of one batch, however many wait: all entries are given the
same time, so the first one is always the one whose linger or deadline ends first. A batch is looked through in vain
where enough waits for one, and not all of that is ready.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """What the accumulator needs to know of an entry."""

    @property
    def row_count(self) -> int: ...
    @property
    def byte_count(self) -> int: ...
    @property
    def accepted_at(self) -> float: ...
    @property
    def deadline(self) -> float: ...
    @property
    def ready(self) -> bool: ...
    @property
    def settled(self) -> bool: ...


E = TypeVar("E", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is complete, and how much may wait (in flight included)."""

    batch_rows: int
    batch_bytes: int
    linger_seconds: float
    waiting_rows: int
    waiting_bytes: int


@dataclass(frozen=True, slots=True)
class Flush(Generic[E]):
    """Send these entries now."""

    entries: list[E]
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to send before ``until`` (None: before something changes)."""

    until: float | None


@dataclass(frozen=True, slots=True)
class Done:
    """Closed, and everything is settled."""


@dataclass(slots=True)
class Accumulator(Generic[E]):
    """The state of one table's batcher: what waits, what is in flight, what was asked for.

    ``rows`` and ``bytes`` count both; ``reasons`` counts the batches by what made them complete.
    """

    limits: Limits
    in_flight: list[E] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    # Each with its number in the order of acceptance. Ordered, and any of them can be taken out without a search.
    _waiting: OrderedDict[E, int] = field(default_factory=OrderedDict)
    _waiting_rows: int = 0
    _waiting_bytes: int = 0
    _accepted: int = 0
    _in_flight_from: int = 0
    # A number, not a flag: what is accepted after the request lingers as usual.
    _flush_up_to: int = 0
    _closing: bool = False

    @property
    def accepted(self) -> int:
        """The number of the entry accepted last, counted from 1."""
        return self._accepted

    def is_past(self, number: int) -> bool:
        """Whether nothing up to the entry with this number waits or is in flight."""
        first = next(iter(self._waiting.values()), number + 1)
        return first > number and (not self.in_flight or self._in_flight_from > number)

    @property
    def waiting(self) -> list[E]:
        """The entries not sent yet, in order."""
        return list(self._waiting)

    def has_room(self, row_count: int, byte_count: int) -> bool:
        """Whether an entry of this size may be added. One larger than the bounds may, when nothing else waits."""
        if not self.rows:
            return True
        fits_rows = self.rows + row_count <= self.limits.waiting_rows
        return fits_rows and self.bytes + byte_count <= self.limits.waiting_bytes

    def add(self, entry: E) -> bool:
        """Accept an entry; its place in the order is fixed from here on. True if ``decide`` may say otherwise now."""
        self._accepted += 1
        self._waiting[entry] = self._accepted
        self._count(entry, 1)
        self.rows += entry.row_count
        self.bytes += entry.byte_count
        # Nothing else changes the decision. Waking the batcher for every entry would cost a turn of the loop each.
        return len(self._waiting) == 1 or self._is_full(self._waiting_rows, self._waiting_bytes)

    def request_flush(self) -> None:
        """Send everything accepted so far without lingering."""
        self._flush_up_to = self._accepted

    def close(self) -> None:
        """Send everything accepted so far without lingering, and then be done."""
        self._closing = True

    def decide(self, now: float) -> Flush[E] | Wait | Done:
        """What to do next. A ``Flush`` counts as in flight until ``settle`` is called for it."""
        # One batch at a time: while its outcome is open it may be sent again, and one sent beside it would overtake it.
        if self.in_flight:
            return Wait(None)
        if not self._waiting:
            return Done() if self._closing else Wait(None)
        first = next(iter(self._waiting))
        # No timer: `on_change` wakes the batcher. What is ready behind it waits too, or rows would be stored in another
        # order than they were accepted in.
        if not first.ready:
            return Wait(None)
        lingers_until = first.accepted_at + self.limits.linger_seconds
        urgent = self._urgency(first, now >= lingers_until)
        # The two sums are asked first: walking the queue at every wake-up would cost what waits, not what is sent.
        if not urgent and not self._is_full(self._waiting_rows, self._waiting_bytes):
            return Wait(lingers_until)
        batch, full = self._next_batch()
        # The sums count entries that are not ready as well; without those the batch may not be complete.
        if not urgent and not full:
            return Wait(lingers_until)
        return self._send(batch, full or urgent)

    def settle(self) -> None:
        """The batch in flight has its outcome."""
        # Room is given back here and not when the batch is sent: its rows are in memory until its outcome is known, and
        # the bounds on what waits are there for the memory.
        for entry in self.in_flight:
            self.rows -= entry.row_count
            self.bytes -= entry.byte_count
        self.in_flight = []

    def withdraw(self, entry: E) -> bool:
        """Take back an entry that was not sent; False if it is in flight or settled."""
        # Not from `in_flight`: that batch is frozen, and may be stored already.
        if self._waiting.pop(entry, None) is None:
            return False
        self._count(entry, -1)
        self.rows -= entry.row_count
        self.bytes -= entry.byte_count
        return True

    def overdue(self, now: float) -> Iterator[E]:
        """Entries without an outcome whose deadline has passed, in flight or not sent yet."""
        for entry in chain(self.in_flight, self._waiting):
            # Deadlines grow in the order of acceptance, so nothing behind this one is overdue either.
            if entry.deadline > now:
                return
            if not entry.settled:
                yield entry

    def next_deadline(self) -> float | None:
        """When the first entry without an outcome becomes overdue."""
        return next((entry.deadline for entry in chain(self.in_flight, self._waiting) if not entry.settled), None)

    def _urgency(self, first: E, lingered: bool) -> str:
        """Why a batch that could still grow is sent now; "" where it may wait."""
        if self._closing:
            return "close"
        if self._waiting[first] <= self._flush_up_to:
            return "flush"
        return "linger" if lingered else ""

    def _is_full(self, rows: int, size: int) -> bool:
        return rows >= self.limits.batch_rows or size >= self.limits.batch_bytes

    def _next_batch(self) -> tuple[list[E], str]:
        """As many of the ready entries as one batch may hold, and which bound they reached ("" for none)."""
        batch: list[E] = []
        rows = size = 0
        for entry in self._waiting:
            if not entry.ready:
                return batch, ""
            more_rows, more_bytes = rows + entry.row_count, size + entry.byte_count
            # `batch and`: an entry larger than a batch is sent alone; without it such an entry would stop its table.
            if batch and (more_rows > self.limits.batch_rows or more_bytes > self.limits.batch_bytes):
                return batch, "rows" if more_rows > self.limits.batch_rows else "bytes"
            batch.append(entry)
            rows, size = more_rows, more_bytes
            if self._is_full(rows, size):
                return batch, "rows" if rows >= self.limits.batch_rows else "bytes"
        return batch, ""

    def _send(self, batch: list[E], reason: str) -> Flush[E]:
        # Before the entries leave the queue: their numbers are kept nowhere else.
        self._in_flight_from = self._waiting[batch[0]]
        for entry in batch:
            del self._waiting[entry]
            self._count(entry, -1)
        self.in_flight = batch
        self.reasons[reason] += 1
        return Flush(batch, reason)

    def _count(self, entry: E, sign: int) -> None:
        self._waiting_rows += sign * entry.row_count
        self._waiting_bytes += sign * entry.byte_count
