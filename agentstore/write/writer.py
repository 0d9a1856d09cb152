"""Writes: records are checked and encoded, then given to the batchers in the order of publication.

A session row is accepted after the rows it belongs to, and depends on them: it is sent when they, and whatever else was
accepted before it, are settled. So a session seen in a list is complete, and of two writes of one session the one
accepted last wins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import anyio

from agentstore.errors import AgentStoreError, InvalidArgumentError, StoreClosedError, WriteError
from agentstore.models import Message, Session, ToolCall
from agentstore.protocols import Executor, Sink
from agentstore.write.accumulator import Limits
from agentstore.write.batcher import Batcher
from agentstore.write.entry import CHUNK_ROWS, Entry, encode_entries
from agentstore.write.looptime import loop_time
from agentstore.write.normalize import Taken, chunked, number_calls, of_session
from agentstore.write.receipt import Receipt
from agentstore.write.removal import bury_sessions, stale_records
from agentstore.write.rows import MESSAGES, SESSIONS, TABLES, TOOL_CALLS, Table
from agentstore.write.statistics import TableStatistics
from agentstore.write.unlisted import UnlistedWarning

logger = logging.getLogger("agentstore.write")

R = TypeVar("R")
T = TypeVar("T", Message, ToolCall)

# After the deadline of a shutdown, for calls whose rows are settled already and that only have to notice.
_LAST_STEPS_SECONDS = 0.5

# Checks, encodes and gives rows to the batchers; returns what was accepted.
Accept = Callable[[], Awaitable[list[Entry]]]


class Writer:
    """The write side of a store: one batcher per table, and the calls that feed them."""

    def __init__(self, executor: Executor, sink: Sink, limits: Limits, *, deadline_seconds: float) -> None:
        self._executor = executor
        self._deadline_seconds = deadline_seconds
        self._chunk_rows = min(limits.batch_rows, limits.waiting_rows, CHUNK_ROWS)
        self._batchers = {
            table.name: Batcher(table, sink, limits, deadline_seconds=deadline_seconds) for table in TABLES
        }
        self._unlisted = UnlistedWarning()
        self._submitted: set[asyncio.Task[None]] = set()
        self._last_turn: asyncio.Future[None] | None = None

    def start(self) -> list[asyncio.Task[None]]:
        """Start the batchers on the running loop."""
        return [batcher.start() for batcher in self._batchers.values()]

    async def aclose(self, seconds: float) -> None:
        """Send what was accepted or submitted, and after ``seconds``, or when cancelled, fail the rest.

        The store takes no new calls by then; a call that still waits for room is told ``StoreClosedError``.
        """
        deadline = loop_time() + seconds
        try:
            self._request_flush()
            with anyio.move_on_at(deadline):
                await _turn_of(self._last_turn)
            await asyncio.gather(*(batcher.aclose(deadline) for batcher in self._batchers.values()))
        finally:
            await self._end(deadline)

    async def _end(self, deadline: float) -> None:
        """Whatever was cut short above: the batchers' tasks and the submitted writes end now."""
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*(batcher.aclose(deadline=0.0) for batcher in self._batchers.values()))
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

    async def write(self, accept: Accept) -> None:
        """Returns when the server has committed every row; after what was submitted before by anybody."""
        await _turn_of(self._last_turn)
        await _committed(await accept())

    def submit(self, accept: Accept) -> Receipt:
        """Returns at once. Submitted writes are accepted one after the other, in the order of the calls."""
        previous, turn = self._last_turn, asyncio.get_running_loop().create_future()
        self._last_turn = turn

        async def carry_out() -> None:
            await _turn_of(previous)
            entries = await accept()
            _pass(turn)
            await _committed(entries)

        receipt = Receipt(carry_out(), self._unobserved)
        self._submitted.add(receipt.task)
        # However it ends, also when it is cancelled before its first step: the next one must not wait for ever.
        receipt.task.add_done_callback(lambda task: _pass(turn))
        receipt.task.add_done_callback(self._submitted.discard)
        return receipt

    async def flush(self) -> None:
        """Returns when everything accepted or submitted before is settled, without lingering."""
        submitted = set(self._submitted)
        self._request_flush()
        await _turn_of(self._last_turn)
        await self._settled()
        if submitted:  # so that their receipts are done, too
            await asyncio.wait(submitted)

    async def _settled(self) -> None:
        self._request_flush()
        for entry in [entry for batcher in self._batchers.values() for entry in batcher.unsettled()]:
            await entry.wait()

    # --- what is accepted ---------------------------------------------------------------------------------------

    async def accept_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message],
        tool_calls: Iterable[ToolCall],
        *,
        replace: bool,
    ) -> list[Entry]:
        """A session with its messages and tool calls; with ``replace``, removing those not mentioned."""
        if not isinstance(session, Session):
            raise InvalidArgumentError(f"session: expected Session, got {type(session).__name__}", record="session")
        published = await self._encode(SESSIONS, org_id, [[session]], "session")
        entries = await self._encode(MESSAGES, org_id, self._of_session(messages, session.id, "messages"), "messages")
        calls = _numbered(self._of_session(tool_calls, session.id, "tool_calls"))
        entries += await self._encode(TOOL_CALLS, org_id, calls, "tool_calls")
        if replace:
            await self._settled()  # what was accepted before may be what has to go
            entries += await self._stale(org_id, published[0], entries)
        return await self._publish(entries, published)

    async def accept_batch(
        self, org_id: str, sessions: Iterable[Session], messages: Iterable[Message], tool_calls: Iterable[ToolCall]
    ) -> list[Entry]:
        """The same over many sessions."""
        published = await self._encode(SESSIONS, org_id, self._chunks(sessions, "sessions"), "sessions")
        entries = await self._encode(MESSAGES, org_id, self._chunks(messages, "messages"), "messages")
        calls = _numbered(self._chunks(tool_calls, "tool_calls"))
        entries += await self._encode(TOOL_CALLS, org_id, calls, "tool_calls")
        return await self._publish(entries, published)

    async def accept_rows(
        self, table: Table, org_id: str, records: Iterable[Any], *, name: str, remove: bool = False
    ) -> list[Entry]:
        """Records of one table, written or removed by their keys."""
        chunks = self._chunks(records, name)
        return await self._put_all(await self._encode(table, org_id, chunks, name, deleted=remove))

    async def delete_sessions(self, org_id: str, session_ids: Iterable[str]) -> None:
        """Remove sessions and all their rows; see the store."""
        await self.flush()
        await bury_sessions(self._executor, org_id, session_ids, deadline_seconds=self._deadline_seconds)

    async def _stale(self, org_id: str, session_row: Entry, entries: Sequence[Entry]) -> list[Entry]:
        """Tombstones for what is stored of the session and not among the entries."""
        (session,) = session_row.records
        found: list[Entry] = []
        for table in (MESSAGES, TOOL_CALLS):
            mentioned = [entry.records for entry in entries if entry.table is table]
            try:
                stale = await stale_records(
                    self._executor, table, org_id, session.id, mentioned, deadline_seconds=self._deadline_seconds
                )
            except AgentStoreError as error:
                raise session_row.failure(error, certain=True) from error
            found += await self._encode(table, org_id, self._chunks(stale, table.name), table.name, deleted=True)
        return found

    def _chunks(self, records: Iterable[R], name: str) -> Iterator[list[R]]:
        return chunked(records, name, self._chunk_rows)

    def _of_session(self, records: Iterable[T], session_id: str, name: str) -> Iterator[list[T]]:
        offset = 0
        for chunk in self._chunks(records, name):
            yield of_session(chunk, session_id, name, offset)
            offset += len(chunk)

    async def _encode(
        self, table: Table, org_id: str, chunks: Iterable[Sequence[Any]], name: str, *, deleted: bool = False
    ) -> list[Entry]:
        entries = []
        for entry in encode_entries(table, org_id, chunks, name, deleted=deleted):
            entries.append(entry)
            await asyncio.sleep(0)  # a large call must not hold the loop while all of it is encoded
        return entries

    async def _publish(self, entries: list[Entry], published: list[Entry]) -> list[Entry]:
        """Give the rows to their batchers, and then the session rows, which depend on them."""
        self._unlisted.check(published, entries)
        accepted = await self._put_all(entries)
        earlier = [batcher.tail for batcher in self._batchers.values() if batcher.table is not SESSIONS]
        for session_rows in published:
            for entry in accepted:
                session_rows.depend_on(entry, required=True)
            for tail in earlier:
                if tail is not None:
                    session_rows.depend_on(tail, required=False)
        return accepted + await self._put_all(published, partial=bool(accepted))

    async def _put_all(self, entries: list[Entry], *, partial: bool = False) -> list[Entry]:
        """Have the entries accepted in order. What finds no room any more is settled as failed, with all behind it."""
        for index, entry in enumerate(entries):
            try:
                await self._batchers[entry.table.name].put(entry)
            except (StoreClosedError, WriteError) as error:
                if isinstance(error, StoreClosedError) and index == 0 and not partial:
                    raise
                for refused in entries[index:]:
                    refused.settle(refused.failure(error, certain=True))
                break
        return entries

    def _request_flush(self) -> None:
        for batcher in self._batchers.values():
            batcher.request_flush()

    def _unobserved(self, error: BaseException) -> None:
        logger.warning("a submitted write failed, and nobody awaited its receipt: %s", error)
        table = getattr(error, "table", "") or SESSIONS.name
        self._batchers[table].counters.unobserved_failures += 1


def _numbered(chunks: Iterable[list[ToolCall]]) -> Iterator[list[ToolCall]]:
    taken: Taken = {}
    for chunk in chunks:
        yield number_calls(chunk, taken)


def _pass(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


async def _turn_of(turn: asyncio.Future[None] | None) -> None:
    """Returns when the submitted write with this turn has been accepted."""
    if turn is not None and not turn.done():
        await asyncio.wait([turn])  # not the future itself: a cancelled waiter would cancel it for all


async def _committed(entries: list[Entry]) -> None:
    """Returns when all are settled; takes them off the list, so that a large call is freed bit by bit."""
    errors = []
    for _ in range(len(entries)):
        entry = entries.pop(0)
        await entry.wait()
        if entry.error is not None:
            errors.append(entry.error)
    if errors:
        raise WriteError.joined(errors)
