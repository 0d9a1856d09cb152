"""Costs of lists are kept for a minute, and asked for once however many look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from agentstore.faces.money import dollars
from agentstore.models import CostReport, CostRow, SessionFilter
from agentstore.store import AsyncClickHouseStore
from agentstore.web.links import session_path
from agentstore.web.spending import KnownCosts, shown
from tests.cli.running import Cli
from tests.web.serving import Pages


class Store:
    """Answers like the store, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def session_costs(self, org: str, ids: Sequence[str], *, own: bool) -> CostReport:
        self.asked.append((org, *ids, *(["own"] if own else [])))
        await asyncio.sleep(0)
        return CostReport([CostRow(id, cost_nanodollars=10**9 * len(id)) for id in ids if id != "free"])


def costs_of(store: Store, now: list[float]) -> KnownCosts:
    return KnownCosts(cast(AsyncClickHouseStore, store), clock=lambda: now[0])


async def test_what_is_known_is_not_asked_for_again_for_a_minute() -> None:
    store, now = Store(), [1000.0]
    costs = costs_of(store, now)
    assert {id: shown(one.row) for id, one in (await costs.of("o", ["a", "bb", "free"])).items()} == {
        "a": "$1.00",
        "bb": "$2.00",
        "free": "",
    }
    now[0] += 59
    await costs.of("o", ["free", "a", "ccc"])
    assert store.asked == [("o", "a", "bb", "free"), ("o", "ccc")]
    now[0] += 2
    await costs.of("o", ["a", "ccc"])
    assert store.asked[2:] == [("o", "a")]
    await costs.of("other", ["a"])
    await costs.of("o", ["a"], own=True)
    assert store.asked[3:] == [("other", "a"), ("o", "a", "own")]


async def test_many_who_look_at_once_ask_once() -> None:
    store = Store()
    costs = costs_of(store, [0.0])
    await asyncio.gather(*(costs.of("o", ["a", "b"]) for _ in range(20)))
    assert store.asked == [("o", "a", "b")]


async def test_what_is_wanted_while_one_is_asked_is_asked_for_together() -> None:
    store = Store()
    costs = costs_of(store, [0.0])
    several = [["a"], ["bb", "a"], ["ccc"], ["dddd", "bb"]]
    found = await asyncio.gather(*(costs.of("o", ids) for ids in several), costs.of("o", ["a"], own=True))
    assert store.asked == [("o", "a"), ("o", "bb", "ccc", "dddd"), ("o", "a", "own")]
    assert [list(one) for one in found] == [*several, ["a"]]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (None, ""),
        (CostRow("a"), ""),
        (CostRow("a", cost_nanodollars=10**9), "$1.00"),
        (CostRow("a", unpriced_tokens=5), "+ ?"),
        (CostRow("a", cost_nanodollars=10**9, unpriced_tokens=5), "$1.00 + ?"),
    ],
)
def test_what_is_shown(row: CostRow | None, expected: str) -> None:
    assert shown(row) == expected


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
            is_other = whole != 0 and dollars(whole) != dollars(own)
            assert (f"{dollars(whole)} with subagents" in told) is is_other, id
