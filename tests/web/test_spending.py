"""Costs of lists are kept for a minute, and asked for once however many look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from agentstore.models import CostReport, CostRow
from agentstore.store import AsyncClickHouseStore
from agentstore.web.spending import KnownCosts, shown


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
