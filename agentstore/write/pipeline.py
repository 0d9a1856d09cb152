"""Many writes under way, and not more than there is room for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from agentstore.errors import AgentStoreError, InvalidArgumentError
from agentstore.models import FileTouch, GitLink, Message, Session, ToolCall, WriteMark
from agentstore.write.receipt import Receipt


class Submits(Protocol):
    """What a pipeline needs of a store."""

    def submit_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool | WriteMark = False,
    ) -> Receipt: ...
    def submit_batch(
        self,
        org_id: str,
        sessions: Iterable[Session],
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
    ) -> Receipt: ...
    def submit_git_links(self, org_id: str, links: Iterable[GitLink]) -> Receipt: ...
    def submit_file_touches(self, org_id: str, touches: Iterable[FileTouch]) -> Receipt: ...


@dataclass(frozen=True, slots=True)
class FailedWrite:
    """A write of a pipeline that failed. ``label`` is what the caller called it."""

    label: object
    error: AgentStoreError


@dataclass(frozen=True, slots=True)
class StoredWrite:
    """A write of a pipeline whose rows the server has committed."""

    label: object


Settled = Callable[[StoredWrite | FailedWrite], Awaitable[None] | None]


class Pipeline:
    """``async with store.pipeline(max_in_flight=64) as pipeline: await pipeline.write_session(…)``.

    A write returns as soon as there is room for it, and is stored later, together with others: when the block is left,
    all of them are settled. Where so many are under way, it waits until three quarters of them are done: who reads
    from a queue or a socket reads no faster than the server stores. Cancelled while it waits for room, it takes back
    nothing that was accepted before. One producer with 64 in flight stores at 0.9 to 1.0 of the rate of
    64 tasks that each await their writes.

    Without ``on_settled``, the first failure is raised by the write that comes after it, or where the block is left;
    what was accepted is carried on all the same. With it, nothing is raised for a write that fails: it is called for
    each, in the order in which they are settled, with ``StoredWrite`` or ``FailedWrite`` and the ``label`` that the
    write was given: to acknowledge a message of a queue, to note it to be tried again, or to put it aside. It must not
    await another write of the pipeline, or ``drain``: there may be no room before it has returned. What it raises
    itself counts as a failure. A write of which a record is refused is its failure, too; what is no list of records at
    all is raised at once.

    When the block is left by an error, what was accepted is settled before the error goes on.
    """

    def __init__(self, store: Submits, max_in_flight: int, on_settled: Settled | None) -> None:
        if not isinstance(max_in_flight, int) or isinstance(max_in_flight, bool) or max_in_flight < 1:
            raise InvalidArgumentError(
                f"max_in_flight: expected a number of writes from 1 on, got {max_in_flight!r}", field="max_in_flight"
            )
        self._store = store
        self._most = max_in_flight
        self._has_room = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._on_settled = on_settled
        self._in_flight = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.drain()
        if error is None:
            self._raise_failure()

    @property
    def in_flight(self) -> int:
        """How many writes are under way."""
        return self._in_flight

    async def drain(self) -> None:
        """Returns when all that was accepted before is settled. Failures are raised by the next write or at the end."""
        while self._in_flight:
            self._is_empty.clear()
            await self._is_empty.wait()

    async def write_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool | WriteMark = False,
        label: object = None,
    ) -> None:
        """As the store's."""
        store = self._store
        await self._add(lambda: store.submit_session(org_id, session, messages, tool_calls, replace=replace), label)

    async def write_batch(
        self,
        org_id: str,
        sessions: Iterable[Session],
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        label: object = None,
    ) -> None:
        """As the store's."""
        await self._add(lambda: self._store.submit_batch(org_id, sessions, messages, tool_calls), label)

    async def write_git_links(self, org_id: str, links: Iterable[GitLink], *, label: object = None) -> None:
        """As the store's."""
        await self._add(lambda: self._store.submit_git_links(org_id, links), label)

    async def write_file_touches(self, org_id: str, touches: Iterable[FileTouch], *, label: object = None) -> None:
        """As the store's."""
        await self._add(lambda: self._store.submit_file_touches(org_id, touches), label)

    async def _add(self, submit: Callable[[], Receipt], label: object) -> None:
        self._raise_failure()
        while self._in_flight >= self._most:
            self._has_room.clear()
            await self._has_room.wait()
            self._raise_failure()
        receipt = submit()  # before anything is awaited: the order of calls is the order of versions
        self._in_flight += 1
        # No task for each that only waits: with many small writes that is a good part of what they cost.
        receipt.task.add_done_callback(lambda _: self._settle(receipt, label))

    def _settle(self, receipt: Receipt, label: object) -> None:
        told: Awaitable[None] | None = None
        try:
            told = self._tell(_outcome(receipt, label))
        except Exception as error:
            self._failure = self._failure or error
        finally:
            if told is None:
                self._leave()
        if told is not None:
            task = asyncio.create_task(self._leave_after(told))
            self._tasks.add(task)  # the loop itself keeps only weak references to its tasks
            task.add_done_callback(self._tasks.discard)

    def _tell(self, outcome: StoredWrite | FailedWrite) -> Awaitable[None] | None:
        if self._on_settled is None:
            if isinstance(outcome, FailedWrite):
                raise outcome.error
            return None
        told = self._on_settled(outcome)
        return told if inspect.isawaitable(told) else None

    async def _leave_after(self, told: Awaitable[None]) -> None:
        try:
            await told
        except Exception as error:
            self._failure = self._failure or error
        finally:
            self._leave()

    def _leave(self) -> None:
        self._in_flight -= 1
        # Not for each that is done: what is written one by one is stored in small inserts, at half the rate. Nor at
        # half of them: writes that once came in two groups would go on in two, with twice the inserts.
        if self._in_flight <= self._most // 4:
            self._has_room.set()
        if not self._in_flight:
            self._is_empty.set()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def _outcome(receipt: Receipt, label: object) -> StoredWrite | FailedWrite:
    try:
        receipt._result()
    except AgentStoreError as error:
        return FailedWrite(label, error)
    return StoredWrite(label)
