"""Writes: records are checked and encoded, then given to the batchers in the order of publication.

A session row is accepted after the rows it belongs to, and depends on them: it is sent when they, and whatever else was
accepted before it, are settled. So a session seen in a list is complete, and of two writes of one session the one
accepted last wins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import anyio

from agentstore.errors import AgentStoreError, InvalidArgumentError, StoreClosedError, WriteError
from agentstore.models import Message, Session, ToolCall
from agentstore.protocols import Executor, Sink
from agentstore.write.accumulator import Limits
from agentstore.write.batcher import Batcher
from agentstore.write.entry import Entry, encode_entries
from agentstore.write.normalize import number_calls, of_session
from agentstore.write.receipt import Receipt
from agentstore.write.removal import bury_sessions, stale_records
from agentstore.write.rows import MESSAGES, SESSIONS, TABLES, TOOL_CALLS, Table
from agentstore.write.statistics import TableStatistics

logger = logging.getLogger("agentstore.write")

# Checks, encodes and gives rows to the batchers; returns what was accepted.
Accept = Callable[[], Awaitable[list[Entry]]]


class Writer:
    """The write side of a store: one batcher per table, and the calls that feed them."""

    def __init__(self, executor: Executor, sink: Sink, limits: Limits, *, deadline_seconds: float) -> None:
        self._executor = executor
        self._deadline_seconds = deadline_seconds
        self._chunk_rows = min(limits.batch_rows, limits.waiting_rows)
        self._batchers = {
            table.name: Batcher(table, sink, limits, deadline_seconds=deadline_seconds) for table in TABLES
        }
        self._submitted: set[asyncio.Task[None]] = set()
        self._last_turn: asyncio.Future[None] | None = None

    def start(self) -> list[asyncio.Task[None]]:
        """Start the batchers on the running loop."""
        return [batcher.start() for batcher in self._batchers.values()]

    async def aclose(self, seconds: float) -> None:
        """Stop intake, send what was accepted, and after ``seconds`` fail the rest. Never raises."""
        deadline = anyio.current_time() + seconds
        await asyncio.gather(*(batcher.aclose(deadline) for batcher in self._batchers.values()))
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
            try:
                await _turn_of(previous)
                entries = await accept()
            finally:
                turn.set_result(None)
            await _committed(entries)

        receipt = Receipt(carry_out(), self._unobserved)
        self._submitted.add(receipt.task)
        receipt.task.add_done_callback(self._submitted.discard)
        return receipt

    async def flush(self) -> None:
        """Returns when everything accepted or submitted before is settled, without lingering."""
        self._request_flush()
        await _turn_of(self._last_turn)
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
        published = await self._encode(SESSIONS, org_id, [session], "session")
        message_list = of_session(messages, session.id, "messages")
        call_list = number_calls(of_session(tool_calls, session.id, "tool_calls"))
        entries = await self._encode(MESSAGES, org_id, message_list, "messages")
        entries += await self._encode(TOOL_CALLS, org_id, call_list, "tool_calls")
        if replace:
            await self.flush()  # what was accepted before may be what has to go
            for table, mentioned in ((MESSAGES, message_list), (TOOL_CALLS, call_list)):
                stale = await stale_records(self._executor, table, org_id, session.id, mentioned)
                entries += await self._encode(table, org_id, stale, table.name, deleted=True)
        return await self._publish(entries, published)

    async def accept_batch(
        self, org_id: str, sessions: Iterable[Session], messages: Iterable[Message], tool_calls: Iterable[ToolCall]
    ) -> list[Entry]:
        """The same over many sessions."""
        published = await self._encode(SESSIONS, org_id, list(sessions), "sessions")
        entries = await self._encode(MESSAGES, org_id, list(messages), "messages")
        entries += await self._encode(TOOL_CALLS, org_id, number_calls(list(tool_calls)), "tool_calls")
        return await self._publish(entries, published)

    async def accept_rows(
        self, table: Table, org_id: str, records: Iterable[Any], *, name: str, remove: bool = False
    ) -> list[Entry]:
        """Records of one table, written or removed by their keys."""
        return await self._put_all(await self._encode(table, org_id, list(records), name, deleted=remove))

    async def delete_sessions(self, org_id: str, session_ids: Iterable[str]) -> None:
        """Remove sessions and all their rows; see the store."""
        await self.flush()
        await bury_sessions(self._executor, org_id, session_ids, deadline_seconds=self._deadline_seconds)

    async def _encode(
        self, table: Table, org_id: str, records: Sequence[Any], name: str, *, deleted: bool = False
    ) -> list[Entry]:
        entries = []
        for entry in encode_entries(table, org_id, records, name, deleted=deleted, most_rows=self._chunk_rows):
            entries.append(entry)
            await asyncio.sleep(0)  # a large call must not hold the loop while all of it is encoded
        return entries

    async def _publish(self, entries: list[Entry], published: list[Entry]) -> list[Entry]:
        """Give the rows to their batchers, and then the session rows, which depend on them."""
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

    def _unobserved(self, error: AgentStoreError) -> None:
        logger.warning("a submitted write failed, and nobody awaited its receipt: %s", error)
        table = getattr(error, "table", "") or SESSIONS.name
        self._batchers[table].counters.unobserved_failures += 1


async def _turn_of(turn: asyncio.Future[None] | None) -> None:
    """Returns when the submitted write with this turn has been accepted."""
    if turn is not None and not turn.done():
        await asyncio.wait([turn])  # not the future itself: a cancelled waiter would cancel it for all


async def _committed(entries: list[Entry]) -> None:
    for entry in entries:
        await entry.wait()
    errors = [entry.error for entry in entries if entry.error is not None]
    if errors:
        raise WriteError.joined(errors)
