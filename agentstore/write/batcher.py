"""One coroutine per table that turns concurrent calls into few large inserts.

What a caller may rely on:

* Rows are sent in the order in which they were accepted, one batch in flight.
* A batch that was sent once is frozen (same rows, order, settings and insert_deduplication_token) until its outcome is
  known, so retries neither lose nor double a row. Retriable failures are tried again with growing, jittered pauses
  until the callers' deadlines; then each waiting call gets its own ``WriteError`` and the batch is given up. An attempt
  of it that arrives later undoes nothing: its rows carry the versions of their calls, and later calls have higher ones.
* Where the server definitely refuses a batch for its data, it is bisected under new tokens until the bad rows are
  alone: only their callers fail.
* What waits is bounded; when it is full, callers wait. Nothing is dropped.
* An outage is logged: its first failure, then at growing intervals, and its end; one line each for a table.
* A cancelled caller leaves its accepted rows to be stored, and the batch, the connection and the others whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from itertools import islice

import anyio

from agentstore.errors import AgentStoreError, OperationTimeoutError, StoreClosedError
from agentstore.protocols import Sink
from agentstore.write.accumulator import Accumulator, Done, Flush, Limits
from agentstore.write.delivery import Delivery
from agentstore.write.entry import Entry
from agentstore.write.looptime import loop_time
from agentstore.write.outage import OutageLog
from agentstore.write.rows import Table
from agentstore.write.statistics import Counters, TableStatistics

logger = logging.getLogger("agentstore.write")

# Calls told at once that their time is up: the keys in their errors cost time.
_TOLD_AT_ONCE = 10


class Batcher:
    """The queue of one table and the task that empties it."""

    def __init__(
        self, table: Table, sink: Sink, limits: Limits, *, deadline_seconds: float, rng: random.Random | None = None
    ) -> None:
        self.table = table
        self.counters = Counters()
        self._sink = sink
        self._deadline_seconds = deadline_seconds
        self._rng = rng or random.Random()
        self._accumulator: Accumulator[Entry] = Accumulator(limits)
        self._delivery: Delivery | None = None
        self._outage = OutageLog(table.name, lambda: self._accumulator.rows)
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        # Held by the one call that waits for room; the others queue for it, so that room goes to them in their order.
        self._gate = anyio.Lock(fast_acquire=True)
        self._changes: list[asyncio.Future[None]] = []
        self._tail: Entry | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Start the coroutine on the running loop."""
        self._task = asyncio.create_task(self._run(), name=f"agentstore-batcher-{self.table.name}")
        return self._task

    @property
    def tail(self) -> Entry | None:
        """The entry accepted last, if it is not settled."""
        if self._tail is not None and self._tail.settled:
            self._tail = None
        return self._tail

    def put_at_once(self, entry: Entry) -> bool:
        """Accept an entry if there is room for it and nobody waits for room; whether it was accepted."""
        # Before it is accepted: waiting for room is part of the caller's time. And at every try anew, so that deadlines
        # grow in the order of acceptance, which the accumulator and the alarm rely on.
        entry.accepted_at = loop_time()
        entry.deadline = entry.accepted_at + self._deadline_seconds
        entry.on_change = self._on_change
        # Nobody overtakes those who wait for room: a stream of small calls would starve a large one.
        fits = self._has_room(entry) and not self._gate.locked()
        if fits:
            self._accept(entry)
        return fits

    async def put(self, entry: Entry) -> None:
        """Accept an entry; waits for room, first come, first served.

        Its deadline runs from this call on; once accepted, its place in the order is fixed. Raises ``WriteError`` where
        there was no room before the deadline, ``StoreClosedError`` where the store is closed: then nothing of it is
        sent.
        """
        if self.put_at_once(entry):
            return
        try:
            with anyio.fail_after(self._deadline_seconds):
                async with self._gate:
                    while not self._has_room(entry):
                        # Only who holds the gate waits here, so no other wake-up is lost by this; and nothing is
                        # awaited between the look and the wait, so neither is our own.
                        self._room.clear()
                        await self._room.wait()
                    self._accept(entry)
        except TimeoutError:
            full = OperationTimeoutError(f"no room in the queue within {self._deadline_seconds:g} s")
            raise entry.failure(full, certain=True) from full

    async def drained(self) -> None:
        """Returns when nothing accepted so far is waiting or in flight.

        An entry whose caller was told that its time is up may still be on its way: it counts.
        """
        # Read once: what is accepted meanwhile is not waited for, or a busy table would never be drained.
        number = self._accumulator.accepted
        while not self._accumulator.is_past(number):
            change = asyncio.get_running_loop().create_future()
            self._changes.append(change)
            await change

    def request_flush(self) -> None:
        """Send what was accepted so far without lingering."""
        self._accumulator.request_flush()
        self._wake.set()

    async def aclose(self, deadline: float) -> None:
        """Stop intake, send what was accepted, and fail what is left at ``deadline`` (loop time).

        Cancelled, it fails what is left at once: nobody waits for ever, and the task does not stay behind.
        """
        # Before those who wait for room are woken: they have to find the store closed, not the room.
        self._closed = True
        self._room.set()
        self._accumulator.close()
        self._wake.set()
        if self._task is None:
            return
        try:
            # `wait` neither raises nor cancels when the time is up: until then a batch in flight may be answered.
            await asyncio.wait([self._task], timeout=max(0.0, deadline - loop_time()))
        finally:
            # Without effect where the task has ended. Else its `finally` tells every caller what is known.
            self._task.cancel()
            # Waited for also by a caller who is cancelled: the task would still be ending while the pool is closed
            # under it.
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._task])

    def statistics(self) -> TableStatistics:
        """A snapshot of the counters."""
        accumulator = self._accumulator
        return self.counters.snapshot(
            self.table.name,
            waiting_rows=accumulator.rows,
            waiting_bytes=accumulator.bytes,
            current_batch_rows=sum(entry.row_count for entry in accumulator.in_flight),
            flush_reasons=dict(accumulator.reasons),
        )

    # --- the coroutine ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while not await self._step():
                pass
        finally:
            # However it ends, also when asyncio.run cancels all tasks: who waits for an entry would wait for ever.
            self._fail_rest()

    async def _step(self) -> bool:
        """Do what is next; True when all is done. Nothing of a batch is held while waiting for the next one."""
        # Before the decision: whatever changes after it sets the event again, and the wait below ends at once. The
        # other way round that change would be slept through.
        self._wake.clear()
        action = self._accumulator.decide(loop_time())
        if isinstance(action, Flush):
            await self._send(action.entries)
        elif isinstance(action, Done):
            return True
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(action.until):
                    await self._wake.wait()
        return False

    async def _send(self, entries: Sequence[Entry]) -> None:
        self._delivery = Delivery(entries, self._sink, self.counters, self._rng, self._outage)
        try:
            await self._delivery.run()
        # A cancellation passes, with `_delivery` still set: `_fail_rest` abandons what is left of it.
        except Exception as error:
            # A mistake of ours must not leave callers waiting for ever.
            logger.exception("agentstore: the batch of %s failed unexpectedly", self.table.name)
            self._delivery.abandon(AgentStoreError(f"unexpected {type(error).__name__}"))
        self._delivery = None
        # Whatever became of it: a batch left in flight would hold up the table for good.
        self._accumulator.settle()
        self._on_room()

    def _fail_rest(self) -> None:
        """The coroutine ends: settle everything that is left, so that no caller waits for ever."""
        # The task may end without `aclose`. Nobody sends what would be accepted from here on.
        self._closed = True
        closed = StoreClosedError("the store was closed before the server answered")
        if self._delivery is not None:
            self._delivery.abandon(closed)
            self._delivery = None
        self._accumulator.settle()
        for entry in self._accumulator.waiting:
            self._withdraw(entry)
            # Certain, unlike what was in flight: these rows were never sent.
            entry.settle(entry.failure(closed, certain=True))
        self._on_room()
        if self._alarm is not None:
            self._alarm.cancel()

    # --- the queue ----------------------------------------------------------------------------------------------

    def _has_room(self, entry: Entry) -> bool:
        # Asked again after every wait for room: the task may have ended meanwhile.
        if self._closed or self._task is None or self._task.done():
            raise StoreClosedError("the store was closed before the rows were accepted")
        return self._accumulator.has_room(entry.row_count, entry.byte_count)

    def _accept(self, entry: Entry) -> None:
        # First, also for rows that are lost at once: accepted = written + rejected + failed + waiting.
        self.counters.accepted_rows += entry.row_count
        if entry.settled:  # what it requires has failed already
            self.counters.lost(entry.row_count, certain=True)
            return
        if self._accumulator.add(entry):
            self._wake.set()
        self._tail = entry
        # One timer for the table: deadlines grow, so the first one set is the next one to end.
        if self._alarm is None:
            self._set_alarm(entry.deadline)

    def _on_change(self, entry: Entry) -> None:
        # What it requires has failed, and it with that. Left in the queue it would be sent after its caller was told
        # that it was not stored.
        if entry.settled:
            self._withdraw(entry)
        self._wake.set()

    def _withdraw(self, entry: Entry) -> bool:
        """Take an entry out of the queue; False where it was sent already."""
        if not self._accumulator.withdraw(entry):
            return False
        self.counters.lost(entry.row_count, certain=True)
        self._on_room()
        return True

    def _on_room(self) -> None:
        """Rows have left the queue: wake those who wait for room, and those who wait until all is gone."""
        self._room.set()
        changes, self._changes = self._changes, []
        for change in changes:
            if not change.done():
                change.set_result(None)

    # --- deadlines ----------------------------------------------------------------------------------------------

    def _set_alarm(self, moment: float) -> None:
        self._alarm = asyncio.get_running_loop().call_at(moment, self._tell_the_overdue)

    def _tell_the_overdue(self) -> None:
        """Calls are told when their own time is up, also while the batch before them, or their own, is under way."""
        # A list, since withdrawing changes the queue. What is in flight stays there: the batch is frozen, and is sent
        # on until the last of its callers gives up; so its outcome is not certain.
        for entry in list(islice(self._accumulator.overdue(loop_time()), _TOLD_AT_ONCE)):
            reason = f"not stored within {self._deadline_seconds:g} s"
            unsent = self._withdraw(entry)
            if not unsent and self._delivery is not None and self._delivery.last_error is not None:
                reason = f"{reason}; the last error was: {self._delivery.last_error}"
            entry.settle(entry.failure(OperationTimeoutError(reason), certain=unsent))
        following = self._accumulator.next_deadline()
        self._alarm = None
        if following is not None:
            # At once where more are overdue already, with a turn of the loop for others in between.
            self._set_alarm(following)
