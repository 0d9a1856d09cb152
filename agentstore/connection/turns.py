"""Taking turns: how many statements run at a time, and how long one waits until it may."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio

from agentstore.connection.sql import Sql
from agentstore.errors import PoolTimeoutError
from agentstore.protocols import Columns, Executor


class Turns:
    """At most ``size`` at a time, first come, first served. ``what`` names them in the error of one that waited."""

    def __init__(self, size: int, *, wait_seconds: float, what: str = "turns", hint: str = "") -> None:
        self.size = size
        self._slots = anyio.Semaphore(size, fast_acquire=True)
        self._wait_seconds = wait_seconds
        self._what = what
        self._hint = hint

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._slots.statistics().tasks_waiting

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One of them, from here to the end of the block; ``PoolTimeoutError`` where none became free in time."""
        try:
            # Overtakes nobody: a slot that is released goes to who waits first, and is not free in between.
            self._slots.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait()
        try:
            yield
        finally:
            self._slots.release()

    async def _wait(self) -> None:
        # The deadline is set only where there is something to wait for: a timer for each statement costs more.
        try:
            with anyio.fail_after(self._wait_seconds):
                # Cancelled just as a slot is handed over, anyio releases it again: none is lost.
                await self._slots.acquire()
        except TimeoutError as error:
            raise PoolTimeoutError(
                f"all {self.size} {self._what} were in use for {self._wait_seconds:g} s;"
                f" {self.waiting} more calls wait for one",
                hint=self._hint,
            ) from error


class Lane:
    """An ``Executor`` with a bound of its own on the statements that it has under way in another one.

    What it bounds leaves the rest of the other's connections to everybody else.
    """

    def __init__(self, executor: Executor, turns: Turns) -> None:
        self._executor = executor
        self._turns = turns

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        """Run a read when it is its turn; see ``Executor.fetch``."""
        async with self._turns.turn():
            # The turn first, then a connection: the other way round, those who wait for a turn would hold connections.
            return await self._executor.fetch(query, settings)

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        """Run a statement when it is its turn; see ``Executor.execute``."""
        async with self._turns.turn():
            await self._executor.execute(query, settings, timeout_seconds=timeout_seconds)
