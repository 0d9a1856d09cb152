"""Writes: a call is checked and encoded, gets its version, and is given to the batchers in the order of publication.

The version is decided when the call is accepted, one for all its rows, and is the same in every attempt to send them.
Of two writes of one row the one with the higher version is seen, whichever of them arrives first. So the order in which
batches are sent matters only for what is seen in between: a session row is accepted after the rows it belongs to and
depends on them, so a session seen in a list is complete.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import pairwise
from typing import Any

import anyio

from agentstore.errors import AgentStoreError, StoreClosedError, WriteError
from agentstore.protocols import Executor, Sink
from agentstore.write.accumulator import Limits
from agentstore.write.batcher import Batcher
from agentstore.write.calls import Call, Calls
from agentstore.write.entry import Barrier, Entry
from agentstore.write.families import Families, undecided
from agentstore.write.looptime import loop_time
from agentstore.write.outcome import committed, leave, refuse
from agentstore.write.receipt import Receipt
from agentstore.write.rows import BATCHED, KEPT, SESSIONS
from agentstore.write.statistics import TableStatistics
from agentstore.write.sweep import Sweeper
from agentstore.write.touched import Touched
from agentstore.write.turns import Turns
from agentstore.write.unlisted import UnlistedWarning
from agentstore.write.versions import Versions

logger = logging.getLogger("agentstore.write")

# After the deadline of a shutdown, for calls whose rows are settled already and that only have to notice.
_LAST_STEPS_SECONDS = 0.5

# Checks and encodes; nothing of the call is accepted yet.
Prepare = Callable[[], Awaitable[Call]]


class Writer:
    """The write side of a store: one batcher per table, the clock, and the calls that feed them.

    ``executor`` answers the looks at the clock, for which writes wait; ``background`` carries out purges and sweeps,
    which may take minutes.
    """

    def __init__(
        self, executor: Executor, sink: Sink, background: Executor, limits: Limits, *, deadline_seconds: float
    ) -> None:
        self.calls = Calls(min(limits.batch_rows, limits.waiting_rows))
        self.versions = Versions(executor, on_look=self._on_look)
        self.families = Families(executor, self.versions, deadline_seconds=deadline_seconds)
        self.background = background
        self._deadline_seconds = deadline_seconds
        self._sweeper = Sweeper(background, self.families.doubt)
        self._batchers = {
            table.name: Batcher(table, sink, limits, deadline_seconds=deadline_seconds) for table in BATCHED
        }
        self._unlisted = UnlistedWarning()
        self._submitted: set[asyncio.Task[None]] = set()
        self._turns = Turns()
        self._closing = False

    def start(self) -> list[asyncio.Task[None]]:
        """Start the batchers on the running loop."""
        return [batcher.start() for batcher in self._batchers.values()]

    async def aclose(self, seconds: float) -> None:
        """Send what was accepted or submitted, and after ``seconds``, or when cancelled, fail the rest.

        The store takes no new calls by then; a call that still waits for room is told ``StoreClosedError``.
        """
        self._closing = True
        deadline = loop_time() + seconds
        try:
            self._request_flush()
            # The last turn ends after all others: until then the batchers go on accepting.
            await self._turns.ended_within(seconds)
            await asyncio.gather(*(batcher.aclose(deadline) for batcher in self._batchers.values()))
            # The calls whose rows were settled last have their turn first: they still have it decided.
            await asyncio.sleep(0)
            await self.families.aclose(deadline)
        finally:
            await self._end(deadline)

    async def _end(self, deadline: float) -> None:
        """End the batchers' tasks, the looks, the sweep and the submitted writes, also where closing was cut short."""
        with anyio.CancelScope(shield=True):
            # The batchers first: when all rows are settled, those who wait for them end by themselves.
            await asyncio.gather(*(batcher.aclose(deadline=0.0) for batcher in self._batchers.values()))
            await self.families.aclose(deadline=0.0)
            await self._sweeper.aclose()
            await self.versions.aclose()
            # Their rows are settled, so that these end by themselves; all but those that wait for an answer to a read.
            if self._submitted:
                await asyncio.wait(self._submitted, timeout=max(_LAST_STEPS_SECONDS, deadline - loop_time()))
            for task in self._submitted:
                task.cancel()
            if self._submitted:
                await asyncio.wait(self._submitted)

    def statistics(self) -> dict[str, TableStatistics]:
        """The figures of each table, by its name."""
        return {name: batcher.statistics() for name, batcher in self._batchers.items()}

    # --- how a write is carried out -----------------------------------------------------------------------------

    async def write(self, prepare: Prepare) -> None:
        """Returns when the server has committed every row; accepted after what was submitted before by anybody.

        Cancelled before anything of it is accepted, nothing of it is stored. Cancelled later it is carried on as if it
        had been submitted: all of it is stored, or what fails is logged.
        """
        await self._turns.ended()
        call = await prepare()
        entries, touched = await self._accepted(call), call.touched
        del call  # it holds all entries, and they are freed as they are stored
        missing = self._take_at_once(entries)
        if missing:
            await self._carry_on(entries, missing, touched)
            return
        errors: list[WriteError] = []
        try:
            await committed(entries, errors)
        except asyncio.CancelledError:
            leave(entries, errors, partial(self._left, touched))
            raise
        except WriteError:
            self.families.add(touched)  # what is stored of it is to count once all the same
            raise
        await self._counted_once(touched)

    def submit(self, prepare: Prepare) -> Receipt:
        """Returns at once. Submitted writes are accepted one after the other, in the order of the calls."""
        turn = self._turns.take()  # before this returns: the order is that of the calls, whenever their tasks begin

        async def carry_out() -> None:
            await turn.is_near()
            # Before its turn comes: those that are prepared side by side are accepted at once, and stored together.
            call = await prepare()
            await turn.comes()
            entries, touched = await self._accepted(call), call.touched
            del call
            missing = self._take_at_once(entries)
            await self._put_all(missing, begun=len(missing) < len(entries))
            # As soon as it is accepted: the next one need not wait for the server.
            turn.end()
            await self._stored_and_counted_once(entries, touched)

        receipt = self._receipt(carry_out())
        # However it ends, also when it is cancelled before its first step: the next one must not wait for ever.
        receipt.task.add_done_callback(lambda task: turn.give_up())
        return receipt

    async def mark(self) -> int:
        """A version that is drawn for no row: what was submitted before is below it, what is accepted later above."""
        await self._turns.ended()
        await self.versions.ready(self._deadline_seconds)
        version, _ = self.versions.draw()
        # As a call would, it returns after the server's time has passed its version: so other stores are above it, too.
        await self.versions.learn_in_time(self._deadline_seconds)
        return version

    async def flush(self) -> None:
        """Returns when nothing that was accepted or submitted before is waiting or under way, without lingering."""
        submitted = set(self._submitted)
        # Twice: what was submitted may be waiting for room, which lingering rows take up; and once it is accepted, it
        # is not to linger either.
        self._request_flush()
        await self._turns.ended()
        self._request_flush()
        for batcher in self._batchers.values():
            await batcher.drained()
        await self.families.drained()
        if submitted:  # so that their receipts are done, too
            await asyncio.wait(submitted)

    # --- acceptance ---------------------------------------------------------------------------------------------

    async def _accepted(self, call: Call) -> deque[Entry]:
        """The entries of a call at their version, each stage depending on all before it; still to be put."""
        entries = deque(call.entries)
        if not entries:
            return entries
        try:
            await self.versions.ready(self._deadline_seconds)
        except StoreClosedError:
            raise
        except AgentStoreError as error:
            raise WriteError.joined([entry.failure(error, certain=True) for entry in entries]) from error
        # After the wait and next to the draw: a purge that was noted meanwhile is seen, one noted later has a higher
        # version.
        self.versions.refuse_purged(call.org_id, call.written_sessions())
        # From here to the first put nothing may wait: calls are accepted in the order of their versions.
        call.decide_version(*self.versions.draw())
        self._unlisted.check([one for one in entries if one.table is SESSIONS and not one.deleted], entries)
        self._link(call)
        return entries

    def _link(self, call: Call) -> None:
        # A barrier of an empty stage would never be settled: there is nothing that could.
        stages = [stage for stage in call.stages if stage]
        for before, stage in pairwise(stages):
            barrier = Barrier(before)
            for entry in stage:
                entry.depend_on(barrier, required=True)
        # What others wrote before, like links, belongs to the session as well.
        tails = [one.tail for one in self._batchers.values() if one.table not in (SESSIONS, *KEPT)]
        for entry in stages[-1]:
            if entry.table is SESSIONS:
                for tail in tails:
                    if tail is not None:
                        # Not required: they may be another caller's, and their failure is not this session's.
                        entry.depend_on(tail, required=False)

    def _take_at_once(self, entries: deque[Entry]) -> deque[Entry]:
        """Accept the entries for which there is room now, in their order; returns the rest."""
        missing = deque(entries)
        try:
            # Ends at the first that finds no room, so that entries are accepted in their order.
            while missing and self._batcher_of(missing[0]).put_at_once(missing[0]):
                missing.popleft()
        except StoreClosedError as error:
            if len(missing) == len(entries):
                # Nothing of it was accepted: the call as a whole is refused. Else a part may be stored, and each entry
                # is told by itself.
                raise
            refuse(missing, error)
        return missing

    async def _put_all(self, missing: deque[Entry], *, begun: bool) -> None:
        """Accept the rest as room comes, in order. What finds none in time is settled as failed, with all behind it."""
        while missing:
            try:
                await self._batcher_of(missing[0]).put(missing[0])
            except (StoreClosedError, WriteError) as error:
                if isinstance(error, StoreClosedError) and not begun:
                    raise
                refuse(missing, error)
                return
            missing.popleft()
            begun = True

    async def _carry_on(self, entries: deque[Entry], missing: deque[Entry], touched: Touched) -> None:
        """Accept and send the rest of a call as room comes, also where its caller is cancelled meanwhile."""
        count = len(entries)

        async def carry_out() -> None:
            await self._put_all(missing, begun=len(missing) < count)
            await self._stored_and_counted_once(entries, touched)

        # In a task of its own: a caller who is cancelled must not leave half of the call accepted.
        receipt = self._receipt(carry_out())
        try:
            await receipt
        except asyncio.CancelledError:
            if len(missing) == count:
                receipt.task.cancel()  # nothing of it was accepted: leave it at that
            raise

    # --- counting once ------------------------------------------------------------------------------------------

    async def _stored_and_counted_once(self, entries: deque[Entry], touched: Touched) -> None:
        try:
            await committed(entries)
        except WriteError:
            self.families.add(touched)
            raise
        await self._counted_once(touched)

    async def _counted_once(self, touched: Touched) -> None:
        """Returns when it is decided in which session the committed rows of a call count."""
        decided = self.families.add(touched)
        if decided is not None:
            # Not the future itself, which others wait for, too.
            try:
                await asyncio.wait([decided])
            except asyncio.CancelledError:
                decided.add_done_callback(partial(self._decided, touched))  # nobody else will ask
                raise
            reason = decided.exception()
            if reason is not None:
                raise undecided(touched, reason)

    def _left(self, touched: Touched, error: WriteError | None) -> None:
        """All rows of a call are settled whose caller was cancelled."""
        decided = self.families.add(touched)
        if error is not None:
            self._unobserved(error)
        if decided is not None:
            decided.add_done_callback(partial(self._decided, touched))

    def _decided(self, touched: Touched, done: asyncio.Future[None]) -> None:
        reason = done.exception()
        if reason is not None:
            self._unobserved(undecided(touched, reason))

    def _batcher_of(self, entry: Entry) -> Batcher:
        return self._batchers[entry.table.name]

    def _receipt(self, write: Coroutine[Any, Any, None]) -> Receipt:
        receipt = Receipt(write, self._unobserved)
        # The loop itself keeps only weak references to its tasks.
        self._submitted.add(receipt.task)
        receipt.task.add_done_callback(self._submitted.discard)
        return receipt

    def _request_flush(self) -> None:
        for batcher in self._batchers.values():
            batcher.request_flush()

    def _on_look(self) -> None:
        if not self._closing:
            self._sweeper.start_if_due()

    def _unobserved(self, error: BaseException) -> None:
        logger.warning("a submitted or cancelled write failed, and nobody awaited it: %s", error)
        table = getattr(error, "table", "") or SESSIONS.name
        self._batchers[table].counters.unobserved_failures += 1
