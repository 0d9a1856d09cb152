"""One coroutine per table that turns concurrent calls into few large inserts.

What a caller may rely on:

* Rows are sent in the order in which they were accepted, one batch in flight.
* A batch that was sent once is frozen (same rows, order, settings and insert_deduplication_token) until its outcome is
  known, so retries neither lose nor double a row. Retriable failures are tried again with growing, jittered pauses
  until the callers' deadlines; then each waiting call gets its own ``WriteError``.
* Where the server definitely refuses a batch for its data, it is bisected under new tokens until the bad rows are
  alone: only their callers fail.
* What waits is bounded; when it is full, callers wait. Nothing is dropped.
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

from agentstore.errors import AgentStoreError, OperationTimeoutError, QueryError, StoreClosedError, WriteError
from agentstore.protocols import Sink
from agentstore.write.accumulator import Accumulator, Done, Flush, Limits
from agentstore.write.batch import Batch, batch_of, blames_rows
from agentstore.write.entry import Entry
from agentstore.write.retry import pauses
from agentstore.write.rows import Table, encode_block
from agentstore.write.statistics import Counters, TableStatistics

logger = logging.getLogger("agentstore.write")

# A third of the deadline for one attempt: a connection that went silent leaves time for two more.
_ATTEMPT_SHARE = 1 / 3
_SHORTEST_ATTEMPT_SECONDS = 5.0


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
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._gate = anyio.Lock(fast_acquire=True)
        self._tail: Entry | None = None
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Start the coroutine on the running loop."""
        self._task = asyncio.create_task(self._run(), name=f"agentstore-batcher-{self.table.name}")
        return self._task

    @property
    def tail(self) -> Entry | None:
        """The entry accepted last, if it is not settled."""
        return self._tail if self._tail is not None and not self._tail.settled else None

    async def put(self, entry: Entry) -> None:
        """Accept an entry; waits for room, first come, first served.

        From then on its place in the order is fixed and its deadline runs. Raises ``WriteError`` where there was no
        room before the deadline, ``StoreClosedError`` where the store is closed: then nothing of it is sent.
        """
        entry.accepted_at = anyio.current_time()
        entry.deadline = entry.accepted_at + self._deadline_seconds
        entry.on_change = self._on_change
        try:
            with anyio.fail_after(self._deadline_seconds):
                async with self._gate:
                    await self._wait_for_room(entry)
                    self._accept(entry)
        except TimeoutError:
            full = OperationTimeoutError(f"no room in the queue within {self._deadline_seconds:g} s")
            raise entry.failure(full, certain=True) from full

    def unsettled(self) -> list[Entry]:
        """The entries accepted and not settled."""
        return [*self._accumulator.in_flight, *self._accumulator.waiting]

    def request_flush(self) -> None:
        """Send what was accepted so far without lingering."""
        self._accumulator.request_flush()
        self._wake.set()

    async def aclose(self, deadline: float) -> None:
        """Stop intake, send what was accepted, and fail what is left at ``deadline`` (loop time). Never raises."""
        self._closed = True
        self._room.set()
        self._accumulator.close()
        self._wake.set()
        task, self._task = self._task, None
        if task is None:
            return
        with anyio.move_on_after(max(0.0, deadline - anyio.current_time())):
            await asyncio.wait([task])
        task.cancel()
        await asyncio.wait([task])

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
            while True:
                self._wake.clear()
                self._expire()
                action = self._accumulator.decide(anyio.current_time())
                if isinstance(action, Flush):
                    await self._send_all(action.entries)
                elif isinstance(action, Done):
                    return
                else:
                    await self._sleep_until(action.until)
        finally:
            self._fail_rest()

    async def _send_all(self, entries: Sequence[Entry]) -> None:
        failures: dict[Entry, WriteError] = {}
        try:
            await self._deliver(batch_of(entries), failures)
        except Exception as error:
            # A mistake of ours must not leave callers waiting for ever.
            logger.exception("agentstore: the batch of %s failed unexpectedly", self.table.name)
            reason = AgentStoreError(f"unexpected {type(error).__name__}")
            failures |= {entry: entry.failure(reason, certain=False) for entry in entries}
        for entry in entries:
            entry.settle(failures.get(entry))
        self._accumulator.settle()
        self._room.set()

    async def _deliver(self, batch: Batch, failures: dict[Entry, WriteError]) -> None:
        """Send a batch until its outcome is known; where its data is refused, its halves, each on its own."""
        try:
            await self._send(batch)
            self.counters.written(batch.row_count)
        except AgentStoreError as error:
            refused = isinstance(error, QueryError) and not error.retriable
            if refused and blames_rows(getattr(error, "code", 0)) and batch.row_count > 1:
                for half in batch.halves():
                    await self._deliver(half, failures)
                return
            self.counters.lost(batch.row_count, certain=refused)
            for piece in batch.pieces:
                failed = piece.entry.failure(error, certain=refused, start=piece.start, stop=piece.stop)
                failed.__cause__ = error
                before = failures.get(piece.entry)
                failures[piece.entry] = failed if before is None else WriteError.joined([before, failed])

    async def _send(self, batch: Batch) -> None:
        blocks = []
        for group in batch.groups():
            blocks.append(encode_block(group))
            await asyncio.sleep(0)
        last = max(piece.entry.deadline for piece in batch.pieces)
        for pause in pauses(self._rng):
            try:
                await self._attempt(batch, blocks, last)
                return
            except AgentStoreError as error:
                if not error.retriable or anyio.current_time() + pause > last:
                    raise
                self._give_up_late(batch, error)
            self.counters.retries += 1
            await anyio.sleep(pause)

    async def _attempt(self, batch: Batch, blocks: Sequence[bytes], last: float) -> None:
        share = max(self._deadline_seconds * _ATTEMPT_SHARE, _SHORTEST_ATTEMPT_SECONDS)
        allowed = min(share, max(last - anyio.current_time(), 0.1))
        try:
            with anyio.fail_after(allowed):
                await self._sink.insert(batch.table.name, batch.table.header, blocks, batch.settings)
        except AgentStoreError:
            raise
        except TimeoutError as error:
            raise OperationTimeoutError(f"no answer to the insert within {allowed:.1f} s") from error

    def _give_up_late(self, batch: Batch, error: AgentStoreError) -> None:
        """Tell the callers whose own deadline passed; the batch goes on for the others."""
        now = anyio.current_time()
        for piece in batch.pieces:
            if piece.entry.deadline <= now and not piece.entry.settled:
                piece.entry.settle(piece.entry.failure(error, certain=False))

    # --- the queue ----------------------------------------------------------------------------------------------

    async def _wait_for_room(self, entry: Entry) -> None:
        while not self._closed and not self._accumulator.has_room(entry.row_count, entry.byte_count):
            self._room.clear()
            await self._room.wait()
        if self._closed or self._task is None or self._task.done():
            raise StoreClosedError("the store was closed before the rows were accepted")

    def _accept(self, entry: Entry) -> None:
        self.counters.accepted_rows += entry.row_count
        if entry.settled:  # what it requires has failed already
            self.counters.lost(entry.row_count, certain=True)
            return
        self._accumulator.add(entry)
        self._tail = entry
        self._wake.set()

    def _on_change(self, entry: Entry) -> None:
        if entry.settled:
            self._withdraw(entry)
        self._wake.set()

    def _expire(self) -> None:
        for entry in self._accumulator.expired(anyio.current_time()):
            self._withdraw(entry)
            late = OperationTimeoutError(f"not sent within {self._deadline_seconds:g} s")
            entry.settle(entry.failure(late, certain=True))

    def _withdraw(self, entry: Entry) -> None:
        if self._accumulator.withdraw(entry):
            self.counters.lost(entry.row_count, certain=True)
            self._room.set()

    def _fail_rest(self) -> None:
        """The coroutine ends: nobody may wait any longer."""
        self._closed = True
        closed = StoreClosedError("the store was closed before the server answered")
        for entry in self._accumulator.in_flight:
            self.counters.lost(entry.row_count, certain=False)
            entry.settle(entry.failure(closed, certain=False))
        self._accumulator.settle()
        for entry in list(self._accumulator.waiting):
            self._withdraw(entry)
            entry.settle(entry.failure(closed, certain=True))
        self._room.set()

    async def _sleep_until(self, moment: float | None) -> None:
        # The first entry's deadline is the earliest: all have the same time from acceptance.
        moments = [entry.deadline for entry in islice(self._accumulator.waiting, 1)]
        until = min(moments if moment is None else [*moments, moment], default=None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._wake.wait()
