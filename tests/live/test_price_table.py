"""The table of prices: filled as models are met, by whoever meets them; and what was priced once keeps its price."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, Message, ModelPrice, UnpricedModel
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, sql
from agentstore.prices import listed
from agentstore.prices.listed import edition_of, price_list
from agentstore.prices.row import ALWAYS, KINDS, PriceRow, Quote
from agentstore.read.price_rows_sql import insert_rows
from tests.builders import at, session
from tests.live.connections import connected
from tests.servers import Server

HAIKU = "claude-haiku-4-5"
MILLION = 1_000_000
# A dollar for a million tokens, in nanodollars for so many tokens.
DOLLAR = 10**9


def said(ordinal: int, model: str = HAIKU, when: dt.datetime | None = None, **fields: Any) -> Message:
    """A million tokens of input, at a time."""
    made = {"input_tokens": MILLION, "context_tokens": MILLION, "timestamp": when or at(), **fields}
    return Message(ordinal=ordinal, role="assistant", model=model, **made)


async def told(store: AsyncClickHouseStore, query: Sql) -> Any:
    async with connected(store) as connection:
        return await connection.fetch(query, {}, timeout=60)


async def stored(store: AsyncClickHouseStore) -> dict[str, int]:
    """How many rows there are of each model."""
    found = await told(store, sql("SELECT model, toInt64(count()) FROM model_prices FINAL GROUP BY model"))
    return dict(zip(*found, strict=True)) if found else {}


def table(edition: int, date: dt.date, *prices: tuple[dt.date, int], tier: str = "") -> list[PriceRow]:
    """Of another release: what a million tokens of input cost, in dollars, from days on. All else costs nothing."""
    return [
        PriceRow(HAIKU, tier, day, edition, "genai-prices, another", date,
                 Quote((0,), (0,), ((dollars * MILLION,), *((0,),) * (len(KINDS) - 1))))
        for day, dollars in prices
    ]  # fmt: skip


async def costs(store: AsyncClickHouseStore, key: str = "day") -> dict[str, int]:
    """In dollars."""
    found = {row.key: row.cost_nanodollars for row in (await store.cost_by("o", key)).rows}
    assert all(cost % DOLLAR == 0 for cost in found.values()), found
    return {of: cost // DOLLAR for of, cost in found.items()}


@pytest.fixture
async def own(server: Server, fresh_database: str) -> Any:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        yield store


async def speak(store: AsyncClickHouseStore, *days: dt.date) -> None:
    """A session of each day, with a response of a million tokens."""
    for day in days:
        when = dt.datetime.combine(day, dt.time(12), dt.UTC)
        await store.write_session("o", session(f"{day}", started_at=when), [said(0, when=when)])


async def test_a_model_is_stored_when_it_is_met(own: AsyncClickHouseStore) -> None:
    assert await own.cost_by("o", "model") is not None
    assert await stored(own) == {}
    await own.write_session("o", session("s"), [said(0), said(1, "no-such-model"), said(2, "<synthetic>")])
    report = await own.cost_by("o", "model")
    assert [(row.key, row.cost_nanodollars) for row in report.rows] == [
        (HAIKU, DOLLAR), ("<synthetic>", 0), ("no-such-model", 0),
    ]  # fmt: skip
    assert report.unpriced == [
        UnpricedModel("<synthetic>", responses=1, input_tokens=MILLION),
        UnpricedModel("no-such-model", responses=1, input_tokens=MILLION),
    ]
    assert report.prices_date == price_list().date
    assert await stored(own) == {HAIKU: len(price_list().rows(HAIKU))}
    assert await own.cost_by("o", "model") == report


async def test_two_stores_load_at_once(server: Server, own: AsyncClickHouseStore, fresh_database: str) -> None:
    models = [HAIKU, "gpt-5.4", "deepseek-chat", "gemini-2.5-pro"]
    await own.write_session("o", session("s"), [said(n, model) for n, model in enumerate(models)])
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as other:
        reports = await asyncio.gather(*(one.cost_by("o", "model") for one in (own, other, own, other)))
        assert reports[0].unpriced == []
        assert reports == [await other.cost_by("o", "model")] * 4
    assert await stored(own) == {model: len(price_list().rows(model)) for model in models}


async def test_a_newer_price_table_counts_from_its_date_on(own: AsyncClickHouseStore) -> None:
    """The installed package is the newer one here: what the older one said keeps its price until its date."""
    date = price_list().date
    days = [dt.date(2026, 1, 5), date - dt.timedelta(days=1), date, date + dt.timedelta(days=300)]
    await speak(own, *days)
    old = dt.date(2026, 2, 1)
    rows = table(edition_of(old, "0.0.1"), old, (ALWAYS, 7), (dt.date(2026, 10, 1), 9), (days[3], 999))
    await told(own, insert_rows(rows))
    expected = dict(zip(map(str, days), [7, 9, 1, 1], strict=True))
    assert await costs(own) == expected
    assert await costs(own) == expected
    assert (await own.cost_by("o", "model")).prices_date == date
    assert (await own.cost_by("o", "model", date_to=days[1])).prices_date == old
    # Of the other tiers only what differs: nothing of theirs was known, and the base price says it until then.
    assert (await stored(own))[HAIKU] > len(rows)


async def test_an_older_package_changes_nothing(own: AsyncClickHouseStore) -> None:
    date = price_list().date + dt.timedelta(days=30)
    days = [dt.date(2026, 1, 5), date]
    await speak(own, *days)
    rows = table(edition_of(date, "0.2.9"), date, (ALWAYS, 7), (date, 8))
    await told(own, insert_rows(rows))
    assert await costs(own) == dict(zip(map(str, days), [7, 8], strict=True))
    assert await stored(own) == {HAIKU: len(rows)}


async def test_both_wrote_all_of_theirs_at_once(own: AsyncClickHouseStore) -> None:
    """All of the newer one counts, though rows of the older one are valid later."""
    days = [dt.date(2026, 1, 5), dt.date(2026, 6, 1)]
    await speak(own, *days)
    date = price_list().date + dt.timedelta(days=30)
    await told(own, insert_rows(table(edition_of(date, "0.2.8"), date, (ALWAYS, 5), (days[1], 500))))
    newer = date + dt.timedelta(days=1)
    await told(own, insert_rows(table(edition_of(newer, "0.2.9"), newer, (ALWAYS, 7))))
    assert await costs(own) == dict.fromkeys(map(str, days), 7)


async def test_own_prices_are_of_one_store_alone(
    server: Server, own: AsyncClickHouseStore, fresh_database: str
) -> None:
    await own.write_session("o", session("s"), [said(0), said(1, "mine")])
    prices = [ModelPrice(HAIKU, 20 * MILLION, 0), ModelPrice("mine", 30 * MILLION, 0)]
    async with AsyncClickHouseStore(server.dsn, database=fresh_database, prices=prices) as other:
        report = await other.cost_by("o", "model")
        assert {row.key: row.cost_nanodollars // DOLLAR for row in report.rows} == {HAIKU: 20, "mine": 30}
        assert (report.unpriced, report.prices_date) == ([], None)
    assert await stored(own) == {}
    assert await costs(own, "model") == {HAIKU: 1, "mine": 0}


@pytest.mark.parametrize("day", [None, dt.date(2026, 1, 1)])
async def test_many_own_prices(
    server: Server, own: AsyncClickHouseStore, fresh_database: str, day: dt.date | None
) -> None:
    """Of the models that are met, and of as many that are not."""
    names = [f"m{number} \\' \x00 \U0001f99c" for number in range(500)]
    await own.write_session("o", session("s"), [said(n, name, input_tokens=n) for n, name in enumerate(names)])
    prices = [ModelPrice(name, n, 0, valid_from=day) for n, name in enumerate([*names, *map(str, range(500))])]
    async with AsyncClickHouseStore(server.dsn, database=fresh_database, prices=prices) as other:
        report = await other.cost_by("o", "model")
        assert report.unpriced == []
        assert report.total.cost_nanodollars == round(sum(n * n for n in range(500)) / 1000)


async def test_many_names_of_a_few_models(own: AsyncClickHouseStore) -> None:
    """What they are called stays with the messages, and there are no more prices than models."""
    names = [f"{model}-secret-of-acme-{n}" for n in range(700) for model in (HAIKU, "claude-sonnet-4-5")]
    await own.write_session("o", session("s"), [said(n, name, input_tokens=1000) for n, name in enumerate(names)])
    await own.write_session("other", session("s"), [said(0, "claude-haiku-4-5-20251001")])
    for _ in range(2):
        report = await own.cost_by("o", "model")
        assert (len(report.rows), report.unpriced) == (1400, [])
        assert report.total.cost_nanodollars == 700 * (1_000_000 + 3_000_000)
    assert (await own.cost_by("other", "model")).total.cost_nanodollars == DOLLAR
    await own.purge_sessions("o", ["s"])
    assert set(await stored(own)) == {HAIKU, "claude-sonnet-4-5"}


async def test_a_model_that_is_met_later(own: AsyncClickHouseStore) -> None:
    """Also where two ask at once, of which one has looked it up while the other one's statement ran."""
    await own.write_session("o", session("s"), [said(0)])
    assert await costs(own, "model") == {HAIKU: 1}
    await own.write_session("o", session("t"), [said(0, "gpt-4o-2024-08-06"), said(1, "no-such-model")])
    reports = await asyncio.gather(*(own.cost_by("o", "model") for _ in range(4)))
    assert [len(one.unpriced) for one in reports] == [1] * 4
    assert reports == [await own.cost_by("o", "model")] * 4


async def test_what_has_no_time_does_not_depend_on_who_asked(
    server: Server, own: AsyncClickHouseStore, fresh_database: str
) -> None:
    """Of a model with a list price that is the list's, whether or not anybody has asked for it."""
    await own.write_session("o", session("s", started_at=None), [said(0, timestamp=None)])
    prices = [ModelPrice(HAIKU, 20 * MILLION, 0, valid_from=dt.date(2026, 1, 5))]
    async with AsyncClickHouseStore(server.dsn, database=fresh_database, prices=prices) as other:
        before = await other.cost_by("o", "model")
        await own.cost_by("o", "model")
        assert before == await other.cost_by("o", "model")
    assert before.total.cost_nanodollars == DOLLAR


async def test_own_prices_from_a_day_on(server: Server, own: AsyncClickHouseStore, fresh_database: str) -> None:
    days = [dt.date(2026, 1, 4), dt.date(2026, 1, 5), dt.date(2026, 1, 6)]
    for day in days:
        when = dt.datetime.combine(day, dt.time(), dt.UTC)
        rows = [said(0, when=when), said(1, "mine", when=when)]
        await own.write_session("o", session(f"{day}", started_at=when), rows)
    # No time at all: the earliest price, which of a model with a list price is that.
    await own.write_session("o", session("none", started_at=None),
                            [said(0, timestamp=None), said(1, "mine", timestamp=None)])  # fmt: skip
    prices = [
        ModelPrice(model, dollars * MILLION, 0, valid_from=day)
        for model in (HAIKU, "mine")
        for dollars, day in ((100, days[1]), (200, days[2]))
    ]
    async with AsyncClickHouseStore(server.dsn, database=fresh_database, prices=prices) as other:
        assert await costs(other, "session") == {
            "2026-01-06": 400, "2026-01-05": 200, "none": 101, "2026-01-04": 1,
        }  # fmt: skip
        assert (await other.cost_by("o", "model")).unpriced == [
            UnpricedModel("mine", responses=1, input_tokens=MILLION)
        ]


async def test_a_user_who_may_not_write_is_answered(
    server: Server, own: AsyncClickHouseStore, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await own.write_session("o", session("s"), [said(0), said(1, "gpt-5.4"), said(2, "nobody's")])
    connect = NativeConnection.connect

    async def connect_readonly(*where: Any, **options: Any) -> NativeConnection:
        connection = await connect(*where, **options)
        await connection.fetch(sql("SET readonly = 1"), {}, timeout=60)
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(NativeConnection, "connect", connect_readonly)
        async with AsyncClickHouseStore(server.dsn, database=fresh_database) as reader:
            reports = [await reader.cost_by("o", "model") for _ in range(3)]
        assert await stored(own) == {}
    assert reports == [await own.cost_by("o", "model")] * 3
    assert [one.model for one in reports[0].unpriced] == ["nobody's"]
    assert set(await stored(own)) == {HAIKU, "gpt-5.4"}


async def test_without_the_package_what_is_stored_is_there(
    server: Server, own: AsyncClickHouseStore, fresh_database: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    await own.write_session("o", session("s"), [said(0)])
    before = await own.cost_by("o", "model")
    await own.write_session("o", session("t"), [said(0, "gpt-5.4")])
    monkeypatch.setattr(listed, "PACKAGE", "no-such-package")
    listed.installed.cache_clear()
    try:
        async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
            with caplog.at_level(logging.WARNING, "agentstore"):
                after = [await store.cost_by("o", "model") for _ in range(2)]
    finally:
        monkeypatch.undo()
        listed.installed.cache_clear()
    assert after[0] == after[1]
    assert after[0].rows[0] == before.rows[0]
    assert [one.model for one in after[0].unpriced] == ["gpt-5.4"]
    assert [record.getMessage() for record in caplog.records] == [
        "no list prices: pip install 'agentstore[cost]'; models without a price count as unpriced"
    ]
