"""Walking the pages of 10,000 sessions with equal and missing start times: each exactly once, in one order."""

from __future__ import annotations

import asyncio
import datetime as dt
import random

import pytest

from agentstore import AsyncClickHouseStore, Session, SessionFilter
from tests.builders import at, session
from tests.servers import Server

COUNT = 10_000
SEED = 20260105


def started(number: int) -> dt.datetime | None:
    """A tenth has no start, a third the same one, the others a few microseconds apart and often equal."""
    if number % 10 == 0:
        return None
    return at(5) if number % 3 == 0 else at(6, micro=number % 500)


@pytest.fixture(scope="module")
def walked(server: Server, database: str) -> str:
    """An organisation with all of them, in no order."""
    org = f"pages-{database}"
    sessions = [session(f"id {n * 7919 % COUNT:05}|", started_at=started(n), user_id=f"{n % 4}") for n in range(COUNT)]
    random.Random(SEED).shuffle(sessions)

    async def write() -> None:
        async with AsyncClickHouseStore(server.dsn, database=database) as store:
            await store.write_batch(org, sessions)

    asyncio.run(write())
    return org


async def walk(store: AsyncClickHouseStore, org: str, filter: SessionFilter) -> tuple[list[Session], set[int]]:
    found, totals, cursor = list[Session](), set[int](), ""
    while True:
        page = await store.list_sessions(
            org,
            SessionFilter(cursor=cursor, limit=filter.limit, user_id=filter.user_id, date_from=filter.date_from),
        )
        found += page.sessions
        totals.add(page.total)
        assert page.next_cursor != cursor
        assert len(page.sessions) == filter.limit or not page.next_cursor
        cursor = page.next_cursor
        if not cursor:
            return found, totals


def in_order(sessions: list[Session]) -> list[Session]:
    def key(one: Session) -> tuple[bool, dt.datetime, str]:
        return one.started_at is not None, one.started_at or at(), one.id

    return sorted(sessions, key=key, reverse=True)


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("limit", [1000, 999, 313])
async def test_every_session_exactly_once(store: AsyncClickHouseStore, walked: str, limit: int) -> None:
    found, totals = await walk(store, walked, SessionFilter(limit=limit))
    assert totals == {COUNT}
    assert len(found) == COUNT
    assert len({one.id for one in found}) == COUNT
    assert found == in_order(found)


async def test_the_filter_holds_on_every_page(store: AsyncClickHouseStore, walked: str) -> None:
    found, totals = await walk(store, walked, SessionFilter(limit=400, user_id="1"))
    assert (len({one.id for one in found}), totals) == (COUNT // 4, {COUNT // 4})
    assert {one.user_id for one in found} == {"1"}
    dated, _ = await walk(store, walked, SessionFilter(limit=700, user_id="1", date_from=at(6)))
    assert dated == [one for one in found if one.started_at and one.started_at >= at(6)]


async def test_pages_of_one(store: AsyncClickHouseStore, org: str) -> None:
    sessions = [session(f"{n}", started_at=None if n < 4 else at(1, micro=n % 3)) for n in range(12)]
    await store.write_batch(org, sessions)
    found, totals = await walk(store, org, SessionFilter(limit=1))
    assert [one.id for one in found] == [one.id for one in in_order(sessions)]
    assert totals == {12}


async def test_what_is_written_meanwhile_moves_nobody(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session(f"{n}", started_at=at(n)) for n in range(10)])
    first = await store.list_sessions(org, SessionFilter(limit=5))
    await store.write_session(org, session("newer", started_at=at(20)))
    await store.delete_sessions(org, ["9", "5"])
    rest = await store.list_sessions(org, SessionFilter(limit=100, cursor=first.next_cursor))
    assert [one.id for one in rest.sessions] == ["4", "3", "2", "1", "0"]
