"""Costs for many who ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from agentstore import AsyncClickHouseStore, SessionFilter
from agentstore.errors import InvalidArgumentError
from agentstore.faces.money import dollars
from agentstore.models import CostReport
from agentstore.web.costing import Costs
from agentstore.web.links import session_path
from tests.cli.running import Cli
from tests.web.serving import Pages


class Counting(AsyncClickHouseStore):
    """Notes what it is asked, and answers the first question when it is let."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.asked: list[tuple[str, bool, set[str]]] = []
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def session_costs(self, org_id: str, session_ids: Iterable[str], *, own: bool = False) -> CostReport:
        ids = list(session_ids)
        self.asked.append((org_id, own, set(ids)))
        self.is_asked.set()
        await self.may_answer.wait()
        return await super().session_costs(org_id, ids, own=own)


@pytest.fixture
async def store(sample_cli: Cli) -> AsyncIterator[Counting]:
    async with Counting(sample_cli.dsn) as store:
        yield store


async def ids_of(store: AsyncClickHouseStore) -> list[str]:
    return [one.id for one in (await store.list_sessions("local", SessionFilter(limit=100))).sessions]


async def test_those_that_come_while_a_question_is_asked_are_asked_about_together(store: Counting) -> None:
    ids = await ids_of(store)
    assert len(ids) > 3
    costs = Costs(store)
    first = asyncio.create_task(costs.of("local", ids[:1]))
    await store.is_asked.wait()
    later = [asyncio.create_task(costs.of("local", [id])) for id in ids]
    own = asyncio.create_task(costs.of("local", ids[:2], own=True))
    nobody = asyncio.create_task(costs.of("elsewhere", ids))
    await asyncio.sleep(0)  # all of them have asked
    store.may_answer.set()
    found = {id: row for one in [first, *later] for id, row in (await one).items()}
    told = await AsyncClickHouseStore.session_costs(store, "local", ids)
    assert found == {row.key: row for row in told.rows}
    assert len(found) > 3
    assert set(await own) <= set(ids[:2])
    assert await nobody == {}
    assert store.asked == [
        ("local", False, set(ids[:1])),
        ("local", False, set(ids)),
        ("local", True, set(ids[:2])),
        ("elsewhere", False, set(ids)),
    ]


async def test_who_goes_away_takes_the_answer_from_nobody(store: Counting) -> None:
    ids = await ids_of(store)
    costs = Costs(store)
    gone, stays = (asyncio.create_task(costs.of("local", ids)) for _ in range(2))
    await store.is_asked.wait()
    gone.cancel()
    store.may_answer.set()
    assert await stays
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_what_is_refused_is_told_and_the_next_is_answered(store: Counting) -> None:
    store.may_answer.set()
    costs = Costs(store)
    with pytest.raises(InvalidArgumentError, match="org_id"):
        await costs.of("\ud800", ["s"])
    assert await costs.of("local", await ids_of(store))


async def test_no_session_is_no_question(store: Counting) -> None:
    assert await Costs(store).of("local", []) == {}
    assert store.asked == []


async def told_by_the_store(dsn: str) -> dict[str, tuple[int, int]]:
    """Of each session, subagents too: what it cost by itself, and with its subagents."""
    async with AsyncClickHouseStore(dsn) as store:
        found = await store.list_sessions("local", SessionFilter(limit=100, include_subagents=True))
        ids = [one.id for one in found.sessions]
        own, whole = await store.session_costs("local", ids, own=True), await store.session_costs("local", ids)
    alone, together = ({row.key: row.cost_nanodollars for row in one.rows} for one in (own, whole))
    return {id: (alone.get(id, 0), together.get(id, 0)) for id in ids}


def test_a_session_says_what_it_cost_by_itself_and_with_its_subagents(sample_cli: Cli, sample_pages: Pages) -> None:
    costs = asyncio.run(told_by_the_store(sample_cli.dsn))
    assert any(own != whole and whole for own, whole in costs.values())
    assert any(own == whole and whole for own, whole in costs.values())
    assert any(own and not whole for own, whole in costs.values())  # a subagent
    with sample_pages.client() as client:
        for id, (own, whole) in costs.items():
            told = client.get(session_path(id) + "/spent", headers={"x-part": "panel"}).text
            assert (f"{dollars(own)} at API prices" in told) is bool(own), id
            assert (f"{dollars(whole)} with subagents" in told) is (whole not in (0, own)), id
