"""The writer beside a server that hangs or refuses: calls that were cancelled, and looks that get no answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from agentstore.connection.sql import Sql
from agentstore.protocols import Columns
from agentstore.write.accumulator import Limits
from agentstore.write.rows import MESSAGES
from agentstore.write.writer import Writer
from tests.builders import message
from tests.unit.write_parts import ORG, Server, refused, until


class Reads:
    """Answers looks as an empty database does. ``open`` cleared, it does not answer."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        await self.open.wait()
        if " AS value" in query.text:
            return [(0,), (time.time_ns(),)]
        return [(0,)] if "count()" in query.text else []

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        await self.open.wait()


@asynccontextmanager
async def writing(reads: Reads, server: Server) -> AsyncIterator[Writer]:
    """A writer that has looked once."""
    writer = Writer(reads, server, reads, Limits(100, 10**6, 0.0, 1000, 10**6), deadline_seconds=60)
    writer.start()
    await writer.write(lambda: rows(writer, 0))
    yield writer
    reads.open.set()
    server.open.set()
    await writer.aclose(30)


async def rows(writer: Writer, ordinal: int) -> Any:
    return await writer.calls.rows(MESSAGES, ORG, [message(ordinal, f"<{ordinal:06}>", session_id="s")], name="rows")


async def test_a_cancelled_write_that_fails_later_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    async with writing(Reads(), server) as writer:
        server.open.clear()
        server.answers = [refused(497)]
        task = asyncio.create_task(writer.write(lambda: rows(writer, 1)))
        await until(lambda: len(server.attempts) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with caplog.at_level(logging.WARNING, "agentstore.write"):
            server.open.set()
            await until(lambda: writer.statistics()["messages"].unobserved_failures == 1)
        assert "nobody awaited it" in caplog.text


async def test_calls_do_not_wait_one_after_the_other_for_a_server_that_hangs() -> None:
    reads, server = Reads(), Server()
    async with writing(reads, server) as writer:
        reads.open.clear()
        writer.versions.reconnected()
        receipts = [writer.submit(partial(rows, writer, number)) for number in range(1, 6)]
        # The first waits for a look, in vain; each of the others would for another one: 25 seconds in all.
        async with asyncio.timeout(15):
            await asyncio.gather(*(receipt.task for receipt in receipts))
