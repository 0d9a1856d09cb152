"""Iterators: every row once, in order, and never more than some megabytes at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, Message, SessionFilter
from agentstore.connection.sql import Sql
from agentstore.protocols import Columns, Executor
from tests.builders import at, message, session
from tests.reads import ReadsThrough

MEGABYTE = 1024 * 1024


class Measuring:
    """An executor that notes how much text each answer held."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.largest = 0

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        columns = await self._executor.fetch(query, settings)
        size = sum(len(value) for column in columns for value in column if isinstance(value, str))
        self.largest = max(self.largest, size)
        return columns

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        await self._executor.execute(query, settings, timeout_seconds=timeout_seconds)


async def test_sessions_come_as_the_pages_do(store: AsyncClickHouseStore, org: str) -> None:
    sessions = [
        session(f"s{n}", started_at=None if n % 50 == 0 else at(minute=n % 7), user_id=f"u{n % 2}") for n in range(1203)
    ]
    await store.write_batch(org, sessions)
    paged, cursor = [], ""
    while True:
        page = await store.list_sessions(org, SessionFilter(cursor=cursor, limit=1000))
        paged += page.sessions
        cursor = page.next_cursor
        if not cursor:
            break
    assert [found async for found in store.iter_sessions(org)] == paged
    assert len(paged) == len(sessions)
    mine = [found async for found in store.iter_sessions(org, SessionFilter(user_id="u1", limit=1))]
    assert mine == [found for found in paged if found.user_id == "u1"]
    begun = (await store.list_sessions(org, SessionFilter(limit=700))).next_cursor
    assert [found async for found in store.iter_sessions(org, SessionFilter(cursor=begun))] == paged[700:]


async def test_messages_come_once_in_order(store: AsyncClickHouseStore, org: str) -> None:
    rows = [message(n, f"text {n}", session_id=f"s{n % 3}", timestamp=at(micro=n)) for n in range(7001)]
    await store.write_batch(org, [], rows)
    found = [one async for one in store.iter_messages(org)]
    assert [(one.session_id, one.ordinal) for one in found] == sorted((row.session_id, row.ordinal) for row in rows)
    assert {one.ordinal: one.content for one in found} == {row.ordinal: row.content for row in rows}
    assert [one async for one in store.iter_messages(org, "s1")] == await store.get_session_messages(org, "s1")
    assert [one async for one in store.iter_messages(org, "none")] == []


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_memory_is_bounded_whatever_the_texts(store: AsyncClickHouseStore, org: str) -> None:
    small = [message(n, "x", session_id="a") for n in range(1000)]
    large = [message(n, "y" * MEGABYTE, session_id="b") for n in range(24)]
    await store.write_batch(org, [], [*small, *large])
    executor = Measuring(store._open_pool)
    found: list[Message] = [one async for one in ReadsThrough(executor).iter_messages(org, "")]
    assert [len(one.content) for one in found] == [1] * 1000 + [MEGABYTE] * 24
    assert executor.largest < 5 * MEGABYTE


async def test_leaving_early_leaves_nothing_behind(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [], [message(n, "x", session_id="a") for n in range(100)])
    async for one in store.iter_messages(org):
        assert one.ordinal == 0
        break
    assert len(await store.get_session_messages(org, "a")) == 100


async def test_bad_arguments_are_refused_at_the_first_step(store: AsyncClickHouseStore, org: str) -> None:
    with pytest.raises(InvalidArgumentError):
        [one async for one in store.iter_messages(org, 7)]  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        [one async for one in store.iter_sessions(org, SessionFilter(cursor="?"))]


async def test_another_organisation_is_never_seen(store: AsyncClickHouseStore, org: str) -> None:
    for owner in (org, f"{org}-other"):
        await store.write_session(owner, session("s"), [message(0, owner)])
    assert [one.content async for one in store.iter_messages(org)] == [org]
    assert [one.content async for one in store.iter_messages(org, "s")] == [org]
    assert [one.org_id async for one in store.iter_sessions(org)] == [org]
