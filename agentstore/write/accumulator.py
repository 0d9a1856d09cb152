"""What waits to be sent to one table, and what is to be sent when. Pure: the clock is passed in, nothing waits here.

Rows are sent in the order in which they were accepted, whole entries at a time, one batch at a time. An entry may have
to wait for rows of other tables (a session row for its messages); what was accepted after it then waits too, so the
order holds without any other bookkeeping.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import takewhile
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
    """The state of one table's batcher: what waits, what is in flight, what was asked for."""

    limits: Limits
    waiting: deque[E] = field(default_factory=deque)
    in_flight: list[E] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    _flush_count: int = 0
    _closing: bool = False

    def has_room(self, row_count: int, byte_count: int) -> bool:
        """Whether an entry of this size may be added. One larger than the bounds may, when nothing else waits."""
        if not self.rows:
            return True
        fits_rows = self.rows + row_count <= self.limits.waiting_rows
        return fits_rows and self.bytes + byte_count <= self.limits.waiting_bytes

    def add(self, entry: E) -> None:
        """Accept an entry; its place in the order is fixed from here on."""
        self.waiting.append(entry)
        self.rows += entry.row_count
        self.bytes += entry.byte_count

    def request_flush(self) -> None:
        """Send everything accepted so far without lingering."""
        self._flush_count = len(self.waiting)

    def close(self) -> None:
        """Send everything accepted so far without lingering, and then be done."""
        self._closing = True

    def decide(self, now: float) -> Flush[E] | Wait | Done:
        """What to do next. A ``Flush`` counts as in flight until ``settle`` is called for it."""
        if self.in_flight:
            return Wait(None)
        if not self.waiting:
            return Done() if self._closing else Wait(None)
        batch = self._next_batch()
        if not batch:
            return Wait(None)
        reason = self._reason(batch, now)
        if not reason:
            return Wait(batch[0].accepted_at + self.limits.linger_seconds)
        for _ in batch:
            self.waiting.popleft()
        self._flush_count = max(0, self._flush_count - len(batch))
        self.in_flight = batch
        self.reasons[reason] += 1
        return Flush(batch, reason)

    def settle(self) -> None:
        """The batch in flight has its outcome."""
        for entry in self.in_flight:
            self._forget(entry)
        self.in_flight = []

    def withdraw(self, entry: E) -> bool:
        """Take back an entry that was not sent; False if it is in flight or settled."""
        if entry not in self.waiting:
            return False
        if self.waiting.index(entry) < self._flush_count:
            self._flush_count -= 1
        self.waiting.remove(entry)
        self._forget(entry)
        return True

    def expired(self, now: float) -> list[E]:
        """Entries whose deadline passed before they were sent: the first ones, since all are given the same time."""
        return list(takewhile(lambda one: one.deadline <= now, self.waiting))

    def _forget(self, entry: E) -> None:
        self.rows -= entry.row_count
        self.bytes -= entry.byte_count

    def _next_batch(self) -> list[E]:
        batch: list[E] = []
        rows = size = 0
        for entry in takewhile(lambda one: one.ready, self.waiting):
            rows += entry.row_count
            size += entry.byte_count
            if batch and (rows > self.limits.batch_rows or size > self.limits.batch_bytes):
                break
            batch.append(entry)
        return batch

    def _reason(self, batch: list[E], now: float) -> str:
        complete = len(batch) < len(self.waiting) and self.waiting[len(batch)].ready
        if complete or sum(entry.row_count for entry in batch) >= self.limits.batch_rows:
            return "rows" if sum(entry.row_count for entry in batch) >= self.limits.batch_rows else "bytes"
        if sum(entry.byte_count for entry in batch) >= self.limits.batch_bytes:
            return "bytes"
        if self._closing:
            return "close"
        if self._flush_count:
            return "flush"
        return "linger" if now >= batch[0].accepted_at + self.limits.linger_seconds else ""
