"""One batch on its way: sent until its outcome is known, cut where it is refused, and every row accounted for."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterator, Sequence

import anyio

from agentstore.errors import AgentStoreError, OperationTimeoutError, QueryError, SchemaError, WriteError
from agentstore.protocols import Sink
from agentstore.write.batch import Batch, Piece, batch_of, blames_rows
from agentstore.write.clock import LAST_ATTEMPT_SECONDS, OLDEST_ATTEMPT_SECONDS, local_nanoseconds
from agentstore.write.encoded_rows import encode_block
from agentstore.write.entry import Entry
from agentstore.write.outage import OutageLog
from agentstore.write.retry import retried
from agentstore.write.statistics import Counters

# Callers woken between two breaths of the event loop: each of them then runs a little.
_WOKEN_AT_ONCE = 256
# Refused rows that are searched for in one entry. Its call fails with the first one; the others behind it in the queue
# should not wait for thousands of inserts that only tell it which.
_REFUSALS_PER_ENTRY = 16
# How the server says that it was a view that failed: ours cannot for the rows' sake, but others may have made some.
_OF_A_VIEW = "while pushing to view"


class Delivery:
    """The rows of some entries, from the first attempt to the outcome of the last row.

    Each batch is frozen: every attempt sends the same blocks, with the versions of their calls, under the same token.
    What the server definitely refuses for its data is cut in halves under new tokens, one after the other, in order.
    Nothing is tried beyond its callers' deadlines, nor when its version is ``OLDEST_ATTEMPT_SECONDS`` old. An entry is
    settled as soon as the outcome of all its rows is known. ``last_error`` is what the last failed attempt said.
    """

    def __init__(
        self, entries: Sequence[Entry], sink: Sink, counters: Counters, rng: random.Random, outage: OutageLog
    ) -> None:
        self.last_error: AgentStoreError | None = None
        self._outage = outage
        self._sent_before = False
        self._sink = sink
        self._counters = counters
        self._rng = rng
        # One frozen batch for all of them, so it is tried as long as anybody waits; the batcher's alarm tells the
        # others.
        self._deadline = max(entry.deadline for entry in entries)
        self._drawn_at = min(entry.drawn_at for entry in entries)
        self._todo = deque([batch_of(entries)])
        self._open = {entry: entry.row_count for entry in entries}
        self._errors: dict[Entry, list[WriteError]] = {}

    async def run(self) -> None:
        """Returns when all is settled. Cancelled, it leaves what is not to ``abandon``."""
        while self._todo:
            # Not taken off before its outcome is known: cancelled in here, `abandon` still has to find it.
            error = await self._outcome(self._todo[0])
            batch = self._todo.popleft()
            if error is None:
                self._outage.stored()
                self._counters.sent(batch.row_count)
                await self._conclude(batch, None, certain=True)
            elif self._can_be_cut(batch, error):
                # Before all that waits behind it, and in order: rows are stored in the order of acceptance.
                self._todo.extendleft(reversed(batch.halves()))
            else:
                await self._conclude(batch, error, certain=self._is_certain(error))

    def abandon(self, reason: AgentStoreError) -> None:
        """Settle what is left: nobody will send it any more, and what was sent may be stored or not."""
        while self._todo:
            for _ in self._conclusions(self._todo.popleft(), reason, certain=False):
                pass

    async def _outcome(self, batch: Batch) -> AgentStoreError | None:
        """Send a batch until its outcome is known: None where it is committed."""
        # A half has a token, and so a history, of its own: it was never sent, whatever happened to the whole.
        self._sent_before = False
        blocks = []
        # Once for all attempts, so that each of them sends the same bytes.
        for group in batch.groups():
            blocks.append(encode_block(group))
            await asyncio.sleep(0)

        async def attempt() -> None:
            # At each attempt: in the pause before it the machine may have slept, and deadlines of the loop with it.
            age = self._checked_age()
            # With a long timeout, too, no row may arrive later than floors and changes rely on (ARRIVED_AFTER_SECONDS).
            with anyio.fail_after(OLDEST_ATTEMPT_SECONDS + LAST_ATTEMPT_SECONDS - age):
                await self._sink.insert(batch.table.name, batch.table.header, blocks, batch.settings)

        try:
            await retried(attempt, deadline=self._deadline, rng=self._rng, on_retry=self._on_retry)
        except AgentStoreError as error:
            self.last_error = error
            # A bad row is no outage: the others of its table are stored.
            if not _blames_rows(error):
                self._outage.failed(error, None)
            return error
        return None

    def _checked_age(self) -> float:
        """The age of the rows in seconds, by a clock that runs through suspend, as the loop's does not.

        Refuses to send what is too old.
        Floors that are older are swept away (``sweep.py``), and would not hide these rows any more.
        """
        age = (local_nanoseconds() - self._drawn_at) / 1e9
        if age > OLDEST_ATTEMPT_SECONDS:
            old = OperationTimeoutError(f"accepted {age:.0f} s ago: too old to be sent")
            # Trying again cannot help: it only gets older.
            old.retriable = False
            raise old
        return age

    def _on_retry(self, error: AgentStoreError, pause: float) -> None:
        self.last_error = error
        self._outage.failed(error, pause)
        # Whatever the error said, that attempt may have been carried out.
        self._sent_before = True
        self._counters.retries += 1

    def _can_be_cut(self, batch: Batch, error: AgentStoreError) -> bool:
        """Whether the refusal may be the fault of single rows, so that it is worth while to look for them."""
        if not _blames_rows(error):
            return False
        if len(batch.pieces) > 1:
            return True
        (piece,) = batch.pieces
        # Where the search ends, all rows of the piece count as refused, good ones among them.
        return piece.row_count > 1 and len(self._errors.get(piece.entry, ())) < _REFUSALS_PER_ENTRY

    def _is_certain(self, error: AgentStoreError) -> bool:
        """Whether the rows are known not to be stored.

        A batch refused for its data was refused at every attempt, for they all were the same; a batch refused for what
        has changed meanwhile (rights, tables) may be stored by an earlier attempt.
        """
        if isinstance(error, SchemaError):
            # The attempt that said so stored nothing; only one before it can have.
            return not self._sent_before
        # The server stores rows before it hands them to the views: they may be there, whatever a view says to them.
        if _OF_A_VIEW in error.message:
            return False
        # A connection that was lost, a timeout, or trouble that the server may have had after it stored the rows.
        if not isinstance(error, QueryError) or error.retriable:
            return False
        return blames_rows(error.code) or not self._sent_before

    async def _conclude(self, batch: Batch, error: AgentStoreError | None, *, certain: bool) -> None:
        """Record the outcome of a batch, breathing in between: thousands of callers may wake, or be told many keys."""
        steps = self._conclusions(batch, error, certain=certain)
        try:
            for _ in steps:
                await asyncio.sleep(0)
        finally:
            # Also when cancelled in between: what is known is told.
            for _ in steps:
                pass

    def _conclusions(self, batch: Batch, error: AgentStoreError | None, *, certain: bool) -> Iterator[None]:
        for number, piece in enumerate(batch.pieces, 1):
            self._conclude_piece(piece, error, certain=certain)
            if error is not None or number % _WOKEN_AT_ONCE == 0:
                yield

    def _conclude_piece(self, piece: Piece, error: AgentStoreError | None, *, certain: bool) -> None:
        entry = piece.entry
        if error is None:
            self._counters.rows_written += piece.row_count
        else:
            self._counters.lost(piece.row_count, certain=certain)
            failed = entry.failure(error, certain=certain, start=piece.start, stop=piece.stop)
            self._errors.setdefault(entry, []).append(failed)
        self._open[entry] -= piece.row_count
        # Once, when the last of its pieces is known: an entry that was cut may have failed in several of them.
        if not self._open[entry]:
            errors = self._errors.get(entry)
            entry.settle(WriteError.joined(errors) if errors else None)


def _blames_rows(error: AgentStoreError) -> bool:
    """Whether it is the server's definite no to the rows themselves."""
    return isinstance(error, QueryError) and not error.retriable and blames_rows(error.code)
