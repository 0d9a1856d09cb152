"""What certain sessions cost: as all sessions are told to cost, and without their subagents."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from agentstore import (
    AsyncClickHouseStore,
    CostReport,
    CostRow,
    InvalidArgumentError,
    Message,
    ModelPrice,
    SessionDelete,
)
from agentstore.connection.sql import Sql
from agentstore.protocols import Columns
from agentstore.read import session_costs_sql
from tests.builders import at, message, session
from tests.live.plain_costs import LISTED, Response, counted, forest, listed_price, own_price, plain_costs
from tests.live.test_costs import SEEDS, random_prices
from tests.reads import ReadsThrough
from tests.servers import Server

PRICES = [ModelPrice("m", input=1_000_000, output=3_000_001)]


def rows(report: CostReport) -> dict[str, CostRow]:
    return {row.key: replace(row, name="") for row in report.rows}


@pytest.mark.parametrize("most_rows", [session_costs_sql.MOST_ROWS, 0], ids=["from their rows", "by the server"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_they_are_a_plain_sum(
    server: Server, database: str, org: str, seed: int, most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("seed", seed)
    monkeypatch.setattr(session_costs_sql, "MOST_ROWS", most_rows)
    rng = random.Random(seed)
    models = rng.sample([*LISTED, "mine"], 8)
    prices, sessions = random_prices(rng, models), forest(rng, models)

    def price(response: Response) -> Fraction | None:
        mine = own_price(prices, response)
        return listed_price(response) if mine is None else mine

    responses = list(counted(sessions))
    async with AsyncClickHouseStore(server.dsn, database=database, prices=prices) as store:
        for one in rng.sample(sessions, len(sessions)):
            await store.write_session(org, one.session, one.messages)
        every = await store.cost_by(org, "session", limit=1000)
        roots = [one.session.id for one in sessions if not one.root]
        whole = await store.session_costs(org, [*roots, "unknown"])
        assert (whole.rows, whole.total, whole.unpriced) == (every.rows, every.total, every.unpriced)
        some = rng.sample(roots, rng.randrange(1, len(roots) + 1))
        expected = [row for row in every.rows if row.key in some]
        found = await store.session_costs(org, some)
        assert found.rows == expected
        assert found.total.responses == sum(row.responses for row in expected)
        # Each for itself: the same responses, by the session they are of.
        own = await store.session_costs(org, [one.session.id for one in sessions], own=True)
        alone = {
            one.session.id: plain_costs("model", [each for each in responses if each.of is one], price)
            for one in sessions
        }
        assert {key: tokens(row) for key, row in rows(own).items()} == {
            id: [sum(amounts) for amounts in zip(*map(tokens, by_model.values()), strict=True)]
            for id, by_model in alone.items()
            if by_model
        }
        assert own.total == every.total
        for id in roots:
            below = [one.session.id for one in sessions if one.root and one.root.id == id]
            apart = await store.session_costs(org, [id, *below], own=True)
            assert apart.total == (await store.session_costs(org, [id])).total
            assert (await store.session_costs(org, below)).rows == []


def tokens(row: CostRow) -> list[int]:
    return [row.responses, row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens,
            row.reasoning_tokens, row.web_searches, row.unpriced_tokens, row.reported_cost_nanodollars]  # fmt: skip


def said(ordinal: int, output: int, **fields: Any) -> Message:
    return message(ordinal, role="assistant", model="m", output_tokens=output, timestamp=at(), **fields)


async def test_deleted_copied_replaced_and_another_organisation(server: Server, database: str, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=database, prices=PRICES) as store:

        async def outputs(*ids: str, own: bool = False) -> dict[str, int]:
            return {row.key: row.output_tokens for row in (await store.session_costs(org, ids, own=own)).rows}

        copied = [said(0, 10, source_id="r0"), said(1, 20, source_id="r1")]
        await store.write_session(org, session("a'", display_name="A title"), copied)
        fork = session("fork", parent_session_id="a'", relationship_type="fork", started_at=at(1))
        await store.write_session(org, fork, [*copied, said(2, 5, source_id="r2")])
        sub = session("sub", parent_session_id="a'", relationship_type="subagent", user_message_count=0)
        await store.write_session(org, sub, [said(0, 100)])
        await store.write_session(org, session("orphan", parent_session_id="?", relationship_type="subagent"),
                                  [said(0, 7)])  # fmt: skip
        await store.write_session(f"{org}-other", session("a'"), [said(0, 1000)])
        every = ("a'", "fork", "sub", "orphan")
        assert await outputs(*every) == {"a'": 130, "fork": 5}
        assert await outputs(*every, own=True) == {"a'": 30, "fork": 5, "sub": 100}
        (row,) = (await store.session_costs(org, ["a'"])).rows
        assert (row.name, row.cost_nanodollars) == ("A title", round(Fraction(130 * 3_000_001, 1000)))
        await store.write_session(org, fork, [*copied, said(2, 6, source_id="r2")], replace=True)
        assert await outputs("fork", own=True) == {"fork": 6}
        await store.delete_sessions(org, ["sub"])
        assert await outputs(*every) == await outputs(*every, own=True) == {"a'": 30, "fork": 6}
        await store.purge_sessions(org, ["a'"])
        assert await outputs(*every) == {"fork": 36}  # the copies are its own from now on


@pytest.mark.parametrize("most_rows", [session_costs_sql.MOST_ROWS, 0], ids=["from their rows", "by the server"])
async def test_what_a_deleted_session_has_told_as_well_counts_in_the_other(
    server: Server, database: str, org: str, most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_costs_sql, "MOST_ROWS", most_rows)
    async with AsyncClickHouseStore(server.dsn, database=database, prices=PRICES) as store:
        for id in ("a", "b"):  # neither came from the other, and the deleted one has told more of the response
            await store.write_session(org, session(id), [said(0, 20 if id == "a" else 10, source_id="r")])
        await store.write_session_deletes(org, [SessionDelete(session_id="a")])
        report = await store.session_costs(org, ["a", "b"])
        assert {row.key: row.output_tokens for row in report.rows} == {"b": 10}


class ReplacingAfterEach:
    """An executor that sends one statement at a time, and writes a session again after each."""

    def __init__(self, store: AsyncClickHouseStore, write: Callable[[], Awaitable[object]]) -> None:
        self._executor = store._open_pool
        self._write = write
        self._turn = asyncio.Lock()

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        async with self._turn:
            columns = await self._executor.fetch(query, settings)
            await self._write()
        return columns

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        await self._executor.execute(query, settings, timeout_seconds=timeout_seconds)


async def test_a_replace_that_writes_the_same_again_hides_nothing(store: AsyncClickHouseStore, org: str) -> None:
    async def write() -> None:
        await store.write_session(org, session("a"), [said(0, 10), said(1, 20)], replace=True)

    await write()
    report = await ReadsThrough(ReplacingAfterEach(store, write)).session_costs(org, ["a"])
    assert [row.output_tokens for row in report.rows] == [30]


async def test_what_may_be_asked(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s0"), [said(0, 1)])
    most = [f"s{number}" for number in range(1000)]
    assert [row.key for row in (await store.session_costs(org, most)).rows] == ["s0"]
    assert (await store.session_costs(org, [])).rows == []
    with pytest.raises(InvalidArgumentError, match=r"^session_ids: expected at most 1000, got 1001$"):
        await store.session_costs(org, [*most, "t"])
    bad: Any = 1
    with pytest.raises(InvalidArgumentError, match=r"^own: "):
        await store.session_costs(org, most, own=bad)
