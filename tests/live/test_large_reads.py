"""Large results leave the loop to others. Counted, not timed: benchmarks/stalls.py has the milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, Message, ToolCall
from agentstore.connection.wire import joined
from agentstore.read.building import build_in_slices
from agentstore.read.decoding import build
from tests.builders import at, session
from tests.reads import ReadsThrough

ROWS = 100_000


class Turns:
    """How often another task had its turn."""

    count = 0

    async def tick(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def counting() -> AsyncIterator[Turns]:
    turns = Turns()
    ticking = asyncio.create_task(turns.tick())
    try:
        yield turns
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])


class Watching:
    """An executor that notes when its answer was there."""

    def __init__(self, executor: Any, turns: Turns) -> None:
        self._executor, self._turns = executor, turns
        self.answered_at = 0

    async def fetch(self, *query: Any) -> Any:
        columns = await self._executor.fetch(*query)
        self.answered_at = self._turns.count
        return columns


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_hundred_thousand_rows_become_records_in_slices(store: AsyncClickHouseStore, org: str) -> None:
    messages = [Message(ordinal=n, role="user", content=f"text {n}", timestamp=at(micro=n)) for n in range(ROWS)]
    calls = [ToolCall(message_ordinal=n, tool_name="Bash") for n in range(ROWS)]
    await store.write_session(org, session("s"), messages, calls)
    reads: dict[str, Callable[[ReadsThrough], Awaitable[list[Any]]]] = {
        "messages": lambda reads: reads.get_session_messages(org, "s", after_ordinal=None, limit=None),
        "calls": lambda reads: reads.get_session_tool_calls(org, "s"),
    }
    for name, read in reads.items():
        async with counting() as turns:
            watching: Any = Watching(store._open_pool, turns)
            found = await read(ReadsThrough(watching))
            assert turns.count - watching.answered_at >= 20, name  # once for each five thousand rows at least
        assert len(found) == ROWS
        if name == "messages":
            assert [(one.ordinal, one.content, one.timestamp) for one in found] == [
                (one.ordinal, one.content, one.timestamp) for one in messages
            ]


@pytest.mark.parametrize("count", [0, 1, 1999, 2000, 2001, 4000, 10_001])
async def test_slices_are_what_the_whole_would_be(count: int) -> None:
    def columns() -> list[tuple[Any, ...]]:
        ticks = tuple(None if n % 7 == 0 else n * 10**6 for n in range(count))
        return [tuple(range(count)), tuple(f"role {n}" for n in range(count)), ticks] if count else []

    def record(*values: Any) -> tuple[Any, ...]:
        return values

    given = columns()
    found = await build_in_slices(record, given, time_columns=[3], constants={1: "same"})
    assert found == build(record, columns(), time_columns=[3], constants={1: "same"})
    assert len(found) == count


async def test_blocks_are_joined_column_by_column() -> None:
    blocks: list[Any] = [[(n, n + 1), [f"{n}", f"{n + 1}"]] for n in range(0, 10, 2)]
    async with counting() as turns:
        columns = await joined(blocks)
        assert turns.count >= 2
    assert columns == [tuple(range(10)), tuple(f"{n}" for n in range(10))]
    assert await joined([]) == []
    assert await joined([[(1, 2), (3, 4)]]) == [(1, 2), (3, 4)]
