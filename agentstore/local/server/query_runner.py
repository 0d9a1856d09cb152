"""Running one client's queries: the work goes to the client's own thread, blocks and news of the client come here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol import packets
from agentstore.local.protocol.compression import CompressionMethod
from agentstore.local.protocol.packets import ClientPacket, Hello, Query
from agentstore.local.server.channel import Channel
from agentstore.local.server.context import ServerContext
from agentstore.local.server.incoming import IncomingBlocks
from agentstore.local.server.outgoing import OutgoingResults
from agentstore.local.server.registered_query import RegisteredQuery
from agentstore.local.server.replies import Reply
from agentstore.local.session.external_tables import ExternalTable
from agentstore.local.session.inserts import InsertPlan
from agentstore.local.session.session import Batch, Session
from agentstore.local.session.spool import Spool
from agentstore.local.sql.analysis import analyse
from agentstore.local.sql.statement import Kind, MultiStatementError, Statement

logger = logging.getLogger("agentstore.local")

R = TypeVar("R")

QUERY_WAS_CANCELLED = 394
# A query that ends within this time after a Cancel still answers: a server looks for cancels only so often.
CANCEL_GRACE_SECONDS = 0.1
ANALYSED_AT_ONCE = 1 << 14
# How often a client that waits for a result hears that the query still runs, and what it has read.
SIGN_OF_LIFE_SECONDS = 0.25
# A request to end a statement that the engine has not registered yet is lost, so it is repeated, as one that fails.
KILL_AGAIN_SECONDS = 0.25


class QueryRunner:
    """One query at a time. A client that cancels or goes away ends what it reads; what it had written completely
    (DDL, INSERT … SELECT, an INSERT whose last block has come) runs to its end."""

    def __init__(self, channel: Channel, context: ServerContext, number: int) -> None:
        self.tag = f"connection-{number}"
        self.revision = packets.OLDEST_REVISION
        self._channel = channel
        self._context = context
        self._session = Session(context.engine, self.tag, context.info.setting_types, context.sandbox)
        # One thread, since a session does one thing at a time; and what is submitted is done in this order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"agentstore-{self.tag}")
        self._work: asyncio.Future[object] | None = None
        self._killer: asyncio.Task[None] | None = None
        self._cancelled = False
        self._abandonable = False
        self._incoming = IncomingBlocks(channel, context, self._submit, compressed=False)
        self._outgoing = OutgoingResults(channel, context)

    async def open(self, hello: Hello) -> None:
        """Begin the client's session. Raises EngineError if its database does not exist."""
        self.revision = min(hello.revision, packets.SERVER_REVISION)
        await self._submit(partial(self._session.open, hello.database))

    async def aclose(self) -> None:
        """End the session and its thread; a query that only reads is ended, another one is waited for."""
        try:
            if self._work is not None and not self._work.done():
                if self._abandonable:
                    self.kill()
                await asyncio.wait([self._work])
            if self._killer is not None:
                await self._killer
            if self._work is not None and not self._work.cancelled():
                self._work.exception()  # looked at, so that asyncio does not report it: nobody is left to be told
            with suppress(EngineError):  # the client is gone, and the session with it, however it closes
                await self._submit(self._session.close)
        finally:
            # Not waited for: that would block the loop, and the last call has returned.
            self._thread.shutdown(wait=False)

    def kill(self, grace_seconds: float = 0.0) -> None:
        """Ask the running statement to end, unless it ends by itself within the grace; asked again until it has."""
        if self._work is not None and not self._work.done() and self._killer is None:
            self._killer = asyncio.create_task(self._kill(self._work, grace_seconds))

    async def _kill(self, work: asyncio.Future[object], grace_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.wait([work], timeout=grace_seconds)
            while not work.done():
                try:
                    await loop.run_in_executor(self._context.control, self._context.engine.kill, self.tag)
                except EngineError as error:  # of the request, as where memory is short: the statement goes on
                    logger.warning("a statement of %s cannot be ended yet: %s", self.tag, error)
                await asyncio.wait([work], timeout=KILL_AGAIN_SECONDS)
        finally:
            self._killer = None

    def _submit(self, call: Callable[[], R]) -> asyncio.Future[R]:
        future = asyncio.get_running_loop().run_in_executor(self._thread, call)
        self._work = future  # type: ignore[assignment]  # Future is invariant, and only waited for
        return future

    def _submit_wanted(self, call: Callable[[], R]) -> asyncio.Future[R]:
        """Submit a part of a query that may have been cancelled before: there was nothing to end then."""
        future = self._submit(call)
        if self._cancelled:
            self.kill(CANCEL_GRACE_SECONDS)
        return future

    # One query, from its packet to the end of its answer.

    async def run(self) -> None:
        """Read a Query packet and what belongs to it, and answer it. Raises ProtocolError if it makes no sense."""
        buffer, limit = self._channel.buffer, self._context.max_packet_bytes
        query = await self._channel.read(packets.read_query(buffer, self.revision, limit, self._context.setting_kind))
        self._incoming = IncomingBlocks(self._channel, self._context, self._submit, compressed=query.compression)
        try:
            await self._answer(query)
        finally:
            self._incoming.end()

    async def _answer(self, query: Query) -> None:
        self._cancelled = False
        self._context.niceness.look()
        with ExitStack() as sent:
            try:
                # Before anything is refused: unread, the tables' bytes would be taken for the next packet.
                tables = await self._incoming.external_tables(sent)
                _check(query)
                with RegisteredQuery(self._context.running, query.query_id, self.tag):
                    await self._execute(query, await self._analysed(query.sql), tables)
            except EngineError as error:
                # The client asked for it: to it the query has ended, not failed.
                if self._cancelled and error.code == QUERY_WAS_CANCELLED:
                    self._channel.write(packets.END_OF_STREAM)
                else:
                    self._channel.write(packets.exception(error.code, str(error)))
            except MultiStatementError as error:
                self._channel.write(packets.exception(62, f"DB::Exception: {error} (SYNTAX_ERROR)"))

    async def _analysed(self, sql: str) -> Statement:
        """A long text is looked through in the thread: others would wait for it."""
        return await self._submit(partial(analyse, sql)) if len(sql) > ANALYSED_AT_ONCE else analyse(sql)

    async def _execute(self, query: Query, statement: Statement, tables: list[ExternalTable]) -> None:
        await self._settle_killer()
        reply = Reply(self.revision, _compression_method(query))
        self._abandonable = statement.kind in (Kind.SELECT, Kind.ROWS)
        self._channel.on_input = self._on_input
        try:
            # At once: a Cancel that came along with the query arrived before there was a callback.
            self._on_input()
            if statement.kind is Kind.EMPTY:
                raise EngineError.make(62, "SYNTAX_ERROR", "Empty query")
            await self._run(query, statement, tables, reply)
        finally:
            self._channel.on_input = None
            if tables:
                if self._abandonable:
                    self.kill()  # where the client is gone nobody reads on, and its tables go only after the query
                await self._settle_killer()
                await self._submit(self._session.drop_tables)

    async def _settle_killer(self) -> None:
        """A request to end a statement that is over is still on its way, and must not reach the next one."""
        if self._killer is not None:
            await self._killer

    async def _run(self, query: Query, statement: Statement, tables: list[ExternalTable], reply: Reply) -> None:
        prepare = partial(self._session.prepare, statement, query.settings, tables)
        if statement.kind is not Kind.INSERT_BLOCKS:
            await self._select(partial(self._start, query, statement, prepare), reply)
            return

        def plan() -> InsertPlan:
            prepare()
            return self._session.plan_insert(statement)

        planned = await self._submit_wanted(plan)
        # From here on the client sends blocks: a byte among them is not a Cancel.
        self._channel.on_input = None
        await self._insert(planned, reply)

    def _on_input(self) -> None:
        """Bytes of the client while a query runs: a Cancel, or its end. Anything else waits for the query to end."""
        buffer = self._channel.buffer
        if buffer.unread and buffer.data[buffer.pos] == ClientPacket.CANCEL:
            buffer.pos += 1
            self._cancelled = True
            self.kill(CANCEL_GRACE_SECONDS)
        elif self._channel.input_ended and self._abandonable:
            self.kill()

    async def _select(self, start: Callable[[], Batch], reply: Reply) -> None:
        await self._room(reply)
        batch = await self._patiently(self._submit_wanted(start), reply)
        parts = reply.header(batch.header) if batch.header else []
        has_result = bool(batch.header)
        while True:
            is_last = batch.last or self._cancelled
            # In the thread, because blocks are compressed there.
            parts += await self._submit(partial(reply.chunks, batch.chunks))
            if batch.extras is not None:
                parts += reply.extras(batch.extras)
            if is_last:
                parts += reply.end(has_result=has_result)
            ended, batch, self._work = batch.last, replace(batch, chunks=[]), None  # or they would hold the blocks
            await self._outgoing.send(parts)
            if is_last:
                break
            await self._room(reply)
            # Made only now: what is sent is buffered on its way, so the client has something to read meanwhile.
            batch = await self._patiently(self._submit_wanted(self._session.next), reply)
        # Cancelled in the middle: left open, the engine would go on making blocks for nobody.
        if not ended:
            await self._submit(self._session.end_stream)

    async def _room(self, reply: Reply) -> None:
        """Wait until results may grow; a client that waits hears so."""
        waiting = asyncio.ensure_future(self._outgoing.room())
        try:
            await self._patiently(waiting, reply)
        finally:
            # Where the client is gone its place in the queue goes to the others.
            waiting.cancel()

    async def _patiently(self, work: asyncio.Future[R], reply: Reply) -> R:
        """The result of ``work``. Meanwhile the client hears what was read, so that it does not give up."""
        began = asyncio.get_running_loop().time()
        while True:
            done, _ = await asyncio.wait([work], timeout=SIGN_OF_LIFE_SECONDS)
            if done:
                return work.result()
            self._channel.write(reply.sign_of_life(self._context.progress.work_of(self.tag, began)))

    def _start(self, query: Query, statement: Statement, prepare: Callable[[], None]) -> Batch:
        prepare()
        ids = {tag: query_id for query_id, tag in tuple(self._context.running.items())}
        return self._session.start(statement, query.settings, ids)

    # Blocks from the client.

    async def _insert(self, plan: InsertPlan, reply: Reply) -> None:
        parts = reply.header(plan.columns)
        if plan.description and self.revision >= packets.COLUMN_DEFAULTS:
            parts.insert(0, packets.table_columns(plan.description))
        self._channel.write(b"".join(parts))
        spool = Spool(self._context.engine.path, space=self._context.engine.space)
        try:
            # A Cancel may have come before the header, and was taken out of the input: nothing follows it.
            if not self._cancelled and await self._incoming.rows(spool, len(plan.columns)) and spool.size:
                await self._submit(partial(self._session.commit_insert, plan, spool))
        finally:
            spool.close()
        self._channel.write(packets.END_OF_STREAM)


def _check(query: Query) -> None:
    if query.stage != packets.STAGE_COMPLETE:
        raise EngineError.make(48, "NOT_IMPLEMENTED", f"Query stage {query.stage} is not supported")


def _compression_method(query: Query) -> CompressionMethod | None:
    if not query.compression:
        return None
    named = next((s.value for s in query.settings if s.name == "network_compression_method"), "LZ4")
    return {"ZSTD": CompressionMethod.ZSTD, "NONE": CompressionMethod.NONE}.get(named.upper(), CompressionMethod.LZ4)
