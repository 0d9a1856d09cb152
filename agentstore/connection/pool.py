"""Connections shared by the tasks of one loop.

Capacity is a semaphore, waited for a bounded time; no lock is held across I/O. The connection used last is used next,
so that the others grow idle and are closed. A lease that ends in an exception, a cancellation or a half-read answer
closes its connection: in doubt, throw it away. Giving a connection back never raises and never hides the caller's own
error.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio

from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.connection.turns import Turns
from agentstore.errors import AgentStoreError, ConnectionFailedError, QueryError, SchemaError, StoreClosedError
from agentstore.home import Home
from agentstore.protocols import Columns

Connect = Callable[[], Awaitable[NativeConnection]]
# What a refusal means, found out by reads of its own; the error itself where it means what it says.
Explain = Callable[[Callable[[Sql], Awaitable[Columns]], AgentStoreError], Awaitable[AgentStoreError]]


async def as_it_is(fetch: Callable[[Sql], Awaitable[Columns]], error: AgentStoreError) -> AgentStoreError:
    """Explains nothing: a refusal means what it says."""
    return error


# A connection idle for longer is asked whether it is still there; a younger one costs no extra round trip.
_PING_AFTER_SECONDS = 30.0
_DRAIN_SECONDS = 10.0


class Pool:
    """As many connections as there are ``turns``. It is an ``Executor`` and a ``Sink``.

    Reads are tried once more on a new connection where an idle one turned out to be dead. Statements and inserts are
    sent once: their outcome after a lost connection is unknown, and only the caller knows whether twice is harmless.
    Refusals are raised as what ``explain`` makes of them, with the server's own as the cause. ``on_connected`` is
    called for every connection that is made.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        turns: Turns,
        idle_timeout: float,
        query_timeout: float,
        explain: Explain = as_it_is,
    ) -> None:
        self._connect = connect
        self._explain = explain
        self._turns = turns
        self._idle: list[NativeConnection] = []
        self._leased: set[NativeConnection] = set()
        self._on_the_way = 0  # neither idle nor leased: being made, or asked whether they are still there
        self._idle_timeout = idle_timeout
        self._query_timeout = query_timeout
        self._closed = False
        self._returned = asyncio.Event()
        self._home = Home()
        self.on_connected: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<Pool idle={len(self._idle)} leased={len(self._leased)}{' closed' if self._closed else ''}>"

    @property
    def figures(self) -> tuple[int, int, int]:
        """How many connections are idle, how many used, and how many calls wait for one."""
        return len(self._idle), len(self._leased), self._turns.waiting

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        """Run a read; see ``Executor.fetch``. Cancelling it closes its connection and stops the query."""
        async with self._explained():
            return await self._fetch(query, settings)

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        """Run a statement, once; see ``Executor.execute``."""
        # The lease ends first: what explains a refusal reads with a connection of its own, and would wait for this one.
        async with self._explained(), self._lease() as connection:
            await connection.fetch(query, settings or {}, timeout_seconds or self._query_timeout)

    async def insert(
        self,
        table: str,
        header: Sequence[tuple[str, str]],
        blocks: Sequence[bytes],
        settings: Mapping[str, Any],
    ) -> None:
        """One INSERT, sent once; see ``Sink.insert``. Cancelling it leaves the outcome unknown, never half a row."""
        columns = join(", ", (identifier(name) for name, _ in header))
        statement = sql("INSERT INTO {table} ({columns}) VALUES", table=identifier(table), columns=columns)
        async with self._explained(), self._lease() as connection:
            await connection.insert(statement, header, blocks, settings, self._query_timeout)

    async def aclose(self) -> None:
        """Close the idle connections, wait a bounded time for the leased ones, close those too. Never raises."""
        # Before anything is awaited: what is given back or made from here on is closed at once.
        self._closed = True
        await self._close_all(self._idle)
        with anyio.move_on_after(_DRAIN_SECONDS):
            while self._leased or self._on_the_way:
                # Nothing is awaited between the look and the wait, so no return is missed.
                self._returned.clear()
                await self._returned.wait()
        await self._close_all(list(self._leased))

    def abort(self) -> None:
        """Drop all connections at once, for when the loop ends and nothing can be awaited any more."""
        self._closed = True
        for connection in (*self._idle, *self._leased):
            connection.abort()
        self._idle.clear()

    async def _fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        try:
            return await self._fetch_on_any(query, settings or {}, fresh=False)
        except ConnectionFailedError as error:
            # Where it could not be connected to, that has been tried with every host, for as long as it may take.
            if not error.outcome_unknown or self._closed:
                raise
            # Not another idle one: whatever ended this one has probably ended those as well.
            return await self._fetch_on_any(query, settings or {}, fresh=True)
        except UnicodeDecodeError:
            # Written by somebody else, and not UTF-8: read the bytes, replace what is not text.
            columns = await self._fetch_on_any(query, {**(settings or {}), "strings_as_bytes": True}, fresh=False)
            for index, column in enumerate(columns):
                columns[index] = _decode_column(column)
                await asyncio.sleep(0)
            return columns

    async def _fetch_on_any(self, query: Sql, settings: Mapping[str, Any], *, fresh: bool) -> Columns:
        async with self._lease(fresh=fresh) as connection:
            return await connection.fetch(query, settings, self._query_timeout)

    @contextlib.asynccontextmanager
    async def _explained(self) -> AsyncIterator[None]:
        try:
            yield
        except (QueryError, SchemaError) as error:
            meant = await self._explain(self._fetch, error)
            if meant is error:
                raise
            raise meant from error

    @contextlib.asynccontextmanager
    async def _lease(self, *, fresh: bool = False) -> AsyncIterator[NativeConnection]:
        self._check_open()
        async with self._turns.turn():
            # Again: the pool may have been closed while this waited for its turn.
            self._check_open()
            connection = await self._take(fresh=fresh)
            # Nothing is awaited between `_take` and here: `aclose` finds the connection on its way or leased, and
            # misses none.
            self._leased.add(connection)
            try:
                yield connection
            finally:
                self._leased.discard(connection)
                self._returned.set()
                # Puts it among the idle ones, or drops its socket, before it waits for anything: in between it is in no
                # list.
                await self._give_back(connection)

    async def _take(self, *, fresh: bool) -> NativeConnection:
        """An idle connection, or else a new one. A pool that is being closed waits for it, and closes it."""
        self._on_the_way += 1
        try:
            connection = None if fresh else await self._pop_idle()
            if connection is None:
                connection = await self._connect()
                # It may be another server's, or the same one's after a restart: the writer's clock looks again.
                self.on_connected()
            if self._closed:
                await connection.close()
            self._check_open()
            return connection
        finally:
            self._on_the_way -= 1
            self._returned.set()

    async def _pop_idle(self) -> NativeConnection | None:
        while self._idle:
            connection = self._idle.pop()
            try:
                if connection.is_alive() and (connection.idle_seconds < _PING_AFTER_SECONDS or await connection.ping()):
                    return connection
            # It is in no list any more: cancelled here, nobody else would close it.
            except BaseException:
                await connection.close()
                raise
            await connection.close()
        return None

    async def _give_back(self, connection: NativeConnection) -> None:
        if self._closed or not connection.is_alive():
            await connection.close()
            return
        self._idle.append(connection)
        # The oldest lie at the front, since the last one used is the next one taken.
        while self._idle and self._idle[0].idle_seconds > self._idle_timeout:
            await self._idle.pop(0).close()

    async def _close_all(self, connections: list[NativeConnection]) -> None:
        while connections:
            await connections.pop().close()

    def _check_open(self) -> None:
        self._home.check()  # an iterator that was begun in one loop may be continued in another
        if self._closed:
            raise StoreClosedError("the store is closed")


def _decode_column(column: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(map(_decoded, column))


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return _decode_column(value) if isinstance(value, (list, tuple)) else value
