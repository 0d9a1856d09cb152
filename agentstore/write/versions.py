"""The versions of one store's calls: the hybrid clock, and the looks at the server that keep it right.

A call draws its version when it is accepted. What it may rely on: the version is the server's time, above every version
drawn before by this store and above every row that was stored at the last look. The store looks before its first write,
after every new connection, after a jump of the wall clock, and every few seconds while it writes. Between two looks the
clock is carried on by one that runs through suspend. Where a look gets no answer, what is known goes on to hold.
While rows are stored that are ahead of the server's time (its clock was set back), the store looks before every write.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agentstore.connection.sql import Sql, identifier, join, sql, valid_text
from agentstore.errors import OperationTimeoutError, SessionPurgedError, StoreClosedError
from agentstore.protocols import Executor
from agentstore.write import store_numbers
from agentstore.write.clock import HIGHEST_TIME, HybridClock, local_nanoseconds
from agentstore.write.looptime import loop_time
from agentstore.write.retry import retried
from agentstore.write.rows import KEPT, PURGED, TABLES

# While a store writes, a look older than the first is renewed beside the writes, one older than the second is waited
# for.
_RENEWED_AFTER, _AWAITED_AFTER = 2_000_000_000, 4_000_000_000
# How long a look may take, and a write waits for it at most before it goes on with what is known.
_LOOK_SECONDS = 5.0
# Nobody waits for this many times as long as a wait that was in vain, unless a look succeeds.
_PAUSE_FACTOR = 6
# A sixth of the lease is left over: it began at the server, some time before its answer came.
_CLAIM_RENEWED_AFTER = store_numbers.LEASE_SECONDS * 1_000_000_000 // 6
_CLAIM_ENDS_AFTER = _CLAIM_RENEWED_AFTER * 5

# Ids that an error's text names; the error itself carries all.
_SHOWN = 3

_SERVER, _STORED, _PURGED = 0, 1, 2


@dataclass(slots=True, eq=False)
class _Note:
    """Sessions that this store purges or restores itself. ``stored``: a look that asks from now on sees it, too."""

    org_id: str
    session_ids: frozenset[str]
    purged: bool
    stored: bool = False


class Versions:
    """Draws the versions of one store, used on one event loop. ``on_look`` is called after each look."""

    def __init__(self, executor: Executor, on_look: Callable[[], None] = lambda: None) -> None:
        self._executor = executor
        self._on_look = on_look
        self._clock = HybridClock()
        self._looked_at: int | None = None
        self._expired = True
        self._look: asyncio.Task[None] | None = None
        self._closed = False
        self._waits_again_at = 0.0
        self._token: str | None = None
        self._id = 0
        self._claimed_at = 0
        self._purged: dict[str, frozenset[str]] = {}
        self._newest_purge = 0
        self._notes: list[_Note] = []

    async def learn(self) -> None:
        """Learn the server's time, when the store is opened."""
        # Read on both sides of the question: these two bound how far the server's clock is off.
        asked = local_nanoseconds()
        ((server,),) = await self._executor.fetch(sql("SELECT toUnixTimestamp64Nano(now64(9))"))
        self._clock.learn(server, asked=asked, answered=local_nanoseconds(), wall=time.time_ns())

    async def learn_in_time(self, seconds: float) -> None:
        """The same, later on, where no answer would do harm; tried again for so long."""
        await retried(self.learn, deadline=loop_time() + seconds, rng=random.Random())

    def reconnected(self) -> None:
        """A connection was made, perhaps to another server: look before the next version is drawn."""
        self._expired = True

    async def ready(self, seconds: float) -> None:
        """Returns when the next version may be drawn: after the store's first look, for which it waits ``seconds``.

        Later looks are waited for a part of that: a server that does not answer must not hold up what is accepted.
        Raises what the last try of a first look raised, and ``StoreClosedError`` where a look is due after ``aclose``.
        """
        now = local_nanoseconds()
        if self._looked_at is None:
            deadline = loop_time() + seconds
            await retried(self._first_look, deadline=deadline, rng=random.Random())
        elif self._must_wait(now):
            await self._wait_for_look(min(_LOOK_SECONDS, seconds / 4))
        elif now - self._looked_at > _RENEWED_AFTER:
            self._begin_look()

    def draw(self) -> tuple[int, int]:
        """A version, and when it was drawn (``local_nanoseconds``)."""
        now = local_nanoseconds()
        return self._clock.draw(now=now), now

    def refuse_purged(self, org_id: str, session_ids: Iterable[str]) -> None:
        """Raise ``SessionPurgedError`` if one of the sessions was purged, as far as the last look knew."""
        if not self._purged and not self._notes:
            return
        found = self._purged_among(org_id, frozenset(map(valid_text, session_ids)))
        if found:
            shown = ", ".join(map(repr, sorted(found)[:_SHOWN])) + (" …" if len(found) > _SHOWN else "")
            raise SessionPurgedError(
                f"{len(found)} sessions of this call were purged: {shown}; nothing of it was stored",
                session_ids=sorted(found),
                hint="await store.restore_sessions(org_id, session_ids) lets them be written again",
            )

    @contextmanager
    def purging(self, org_id: str, session_ids: Iterable[str]) -> Iterator[None]:
        """While this store purges the sessions and afterwards, writes of them are refused without waiting for a look.

        Already while it purges: a write with a higher version than the purge would be above its floors.
        """
        note = _Note(org_id, frozenset(map(valid_text, session_ids)), purged=True)
        # Before anything of the purge is accepted: a call accepted after this is refused, one before it has a lower
        # version than the purge and is erased with the rest.
        self._notes.append(note)
        try:
            yield
        except BaseException:
            if note in self._notes:
                self._notes.remove(note)  # whether it is stored the next look tells
            raise
        note.stored = True

    def note_restored(self, org_id: str, session_ids: Iterable[str]) -> None:
        """The sessions may be written again, without waiting for a look."""
        self._notes.append(_Note(org_id, frozenset(map(valid_text, session_ids)), purged=False, stored=True))

    def _purged_among(self, org_id: str, ids: frozenset[str]) -> frozenset[str]:
        found = ids & self._purged.get(org_id, frozenset())
        # In the order in which they were made: the last of several about one session holds.
        for note in self._notes:
            if note.org_id == org_id:
                found = found | (ids & note.session_ids) if note.purged else found - note.session_ids
        return found

    async def aclose(self) -> None:
        """End a look that is under way; there will be no other."""
        self._closed = True
        if self._look is not None:
            self._look.cancel()
            await asyncio.wait([self._look])

    # --- looks --------------------------------------------------------------------------------------------------

    def _must_wait(self, now: int) -> bool:
        # A claim that has ended may be another store's by now, and two with one number may draw the same version.
        if self._expired or now - self._claimed_at > _CLAIM_ENDS_AFTER:
            return True
        if self._clock.is_ahead(now=now):
            return True  # else two stores that are ahead by different times would not keep the order of their calls
        looked_at = self._looked_at or 0
        return now - looked_at > _AWAITED_AFTER or self._clock.has_jumped(now=now, wall=time.time_ns())

    def _begin_look(self) -> asyncio.Task[None]:
        # A call may come this far after the looks were ended: nobody would end the one that it begins.
        if self._closed:
            raise _closed()
        # One look for all who need one, in a task of its own: a caller that is cancelled or stops waiting does not end
        # it for the others.
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._look_now(), name="agentstore-look")
            self._look.add_done_callback(_retrieved)
        return self._look

    async def _first_look(self) -> None:
        # The task's exception is raised below, not here: `wait` also keeps a cancelled caller from cancelling it.
        look = self._begin_look()
        await asyncio.wait([look])
        if look.cancelled():
            raise _closed()
        error = look.exception()
        if error is not None:
            raise error

    async def _wait_for_look(self, seconds: float) -> None:
        began = loop_time()
        if began < self._waits_again_at:
            self._begin_look()
            return
        if self._look is not None and self._clock.is_ahead(now=local_nanoseconds()):
            # One that is under way may have asked before the write that this one comes after was stored.
            await asyncio.wait([self._look], timeout=seconds)
        look = self._begin_look()
        # The rest of the time, where one was waited for already: what a call may wait is for both.
        await asyncio.wait([look], timeout=max(0.0, began + seconds - loop_time()))
        if not look.done() or look.cancelled() or look.exception() is not None:
            # A server that hangs must not hold up one call after the other, each for a look of its own.
            waited = loop_time() - began
            self._waits_again_at = loop_time() + waited * _PAUSE_FACTOR

    async def _look_now(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                # Before the rows are looked at: the number may have been another store's, and what is drawn under it
                # now has to be above all that the other stored.
                await self._hold_a_number()
                await self._look_at_rows()
        except TimeoutError as error:
            self._expired = True
            raise OperationTimeoutError(f"the server did not tell its time within {_LOOK_SECONDS:g} s") from error
        # Cancelled as well: a look that did not come to its end has already declared the clock fresh.
        except BaseException:
            self._expired = True
            raise
        self._on_look()

    async def _hold_a_number(self) -> None:
        age = local_nanoseconds() - self._claimed_at
        if self._token is None or age > _CLAIM_ENDS_AFTER:
            self._id, self._token = await store_numbers.claim(self._executor)
            self._clock.use_id(self._id)
        elif age > _CLAIM_RENEWED_AFTER:
            await store_numbers.renew(self._executor, self._id, self._token)
        else:
            return
        self._claimed_at = local_nanoseconds()

    async def _look_at_rows(self) -> None:
        self._expired = False  # before it asks: what reconnects from here on expires it again
        asked = local_nanoseconds()
        columns = await self._executor.fetch(look_statement(self._clock.reached(now=asked), self._newest_purge))
        answered = local_nanoseconds()
        answers: dict[int, int] = defaultdict(int)
        for kind, value in zip(*columns, strict=True):
            answers[kind] = max(answers[kind], value)
        # Before the rows: whether those are ahead is measured against the server's time.
        self._clock.learn(answers[_SERVER], asked=asked, answered=answered, wall=time.time_ns())
        self._clock.rise_above(answers[_STORED], now=answered)
        if answers[_PURGED]:
            await self._learn_purged()
            # Not before the list has come: where that fails, the next look finds the same purge to be new again.
            self._newest_purge = answers[_PURGED]
        # Last: a look that fails half way must not count as one.
        self._looked_at, self._waits_again_at = answered, 0.0

    async def _learn_purged(self) -> None:
        # Before the question: what is stored while it is asked is not in the answer, and its note has to stay.
        told = [note for note in self._notes if note.stored]
        columns = await self._executor.fetch(
            sql("SELECT org_id, session_id FROM session_floors FINAL WHERE scope = {scope}", scope=PURGED)
        )
        purged: dict[str, set[str]] = defaultdict(set)
        for org_id, session_id in zip(*columns, strict=True):
            purged[org_id].add(session_id)
        self._purged = {org_id: frozenset(ids) for org_id, ids in purged.items()}
        self._notes = [note for note in self._notes if note not in told]


def look_statement(reached: int, newest_purge: int) -> Sql:
    """The server's time, the newest version above ``reached`` of every table, and that of the purges if it is new."""
    stored = [
        sql(
            "SELECT {kind}, max(_version) FROM {table} WHERE _version > {reached} AND _version < {most}",
            kind=_STORED,
            table=identifier(table.name),
            reached=reached,
            most=HIGHEST_TIME,
        )
        for table in (*TABLES, *KEPT)
    ]
    time_there = sql("SELECT {kind} AS kind, toUInt64(toUnixTimestamp64Nano(now64(9))) AS value", kind=_SERVER)
    purges = sql(
        "SELECT {kind}, max(_version) FROM session_floors"
        " WHERE scope = {scope} AND _version > {newest} AND _version < {most}",
        kind=_PURGED,
        scope=PURGED,
        newest=newest_purge,
        most=HIGHEST_TIME,
    )
    return join(" UNION ALL ", [time_there, *stored, purges])


def _closed() -> StoreClosedError:
    return StoreClosedError("the store was closed before the rows were accepted")


def _retrieved(task: asyncio.Task[None]) -> None:
    # A look that nobody waits for any more must not be reported as "never retrieved".
    if not task.cancelled():
        task.exception()
