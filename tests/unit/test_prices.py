"""Prices out of the package, and one's own: the same as the package says, as whole numbers; and which of them stay."""

from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import genai_prices
import msgspec
import pytest
from genai_prices import types
from genai_prices.data import providers

from agentstore import AsyncClickHouseStore, ConfigError, ModelPrice
from agentstore.prices.history import additions
from agentstore.prices.listed import edition_of, price_list, version_number
from agentstore.prices.own import own_rows
from agentstore.prices.row import ALWAYS, KINDS, TIERS, PriceRow, Quote, nanodollars, valid_at
from agentstore.read import price_book

CONTEXTS = {
    "": None,
    "batch": {"processing": "batch"},
    "default": {"service_tier": "default"},
    "fast": {"service_tier": "fast", "speed": "fast"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
MODELS = [(provider, model) for provider in providers for model in provider.models]
COUNTED = {
    "input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "output_reasoning_mtok",
    "web_searches_kcount", "requests_kcount",
}  # fmt: skip


def cost(rows: list[PriceRow], moment: dt.datetime, used: dict[str, int]) -> int:
    """In picodollars, of a response with these amounts by kind; each of them beside the others."""
    row = valid_at(rows, moment.date())
    assert row
    quote, seconds = row.quote, (moment.hour * 60 + moment.minute) * 60 + moment.second
    input = sum(used.get(kind, 0) for kind in KINDS[:4])
    level = max(place for place, begin in enumerate(quote.levels) if begin <= input)
    part = max(place for place, begin in enumerate(quote.day_parts) if begin <= seconds)
    place = part * len(quote.levels) + level
    return sum(prices[place] * used.get(kind, 0) for kind, prices in zip(KINDS, quote.prices, strict=True))


def by_the_package(provider: Any, model: Any, tier: str, moment: dt.datetime, used: dict[str, int]) -> Fraction:
    """In picodollars."""
    usage = genai_prices.Usage(
        input_tokens=sum(used[kind] for kind in KINDS[:4]),
        cache_read_tokens=used["cache_read"],
        cache_write_tokens=used["cache_write"] + used["cache_write_1h"],
        cache_write_1h_tokens=used["cache_write_1h"],
        output_tokens=used["output"] + used["reasoning"],
        output_reasoning_tokens=used["reasoning"],
        web_searches=used["web_search"],
    )
    found = model.calc_price(usage, provider, genai_request_timestamp=moment, price_context=CONTEXTS[tier])
    return Fraction(found.total_price) * 10**12


def prices_of(model: Any) -> list[Any]:
    listed = [one.prices for one in model.prices] if isinstance(model.prices, list) else [model.prices]
    return listed + [one.prices for one in model.price_variants or ()]


def is_exact(model: Any) -> bool:
    """Whether all that we count of it is whole picodollars."""
    for prices in prices_of(model):
        for key, price in vars(prices).items():
            if key in COUNTED and price is not None:
                per = 1000 if key.endswith("kcount") else 10**6
                all_of_it = [price] if isinstance(price, Decimal) else [price.base, *(one.price for one in price.tiers)]
                if any((one * 10**12 / per) % 1 for one in all_of_it):
                    return False
    return True


def moments(model: Any) -> list[dt.datetime]:
    """Where something may change, and beside it."""
    constraints = [one.constraint for one in (model.price_variants or ())]
    constraints += [one.constraint for one in model.prices] if isinstance(model.prices, list) else []
    days = {dt.date(2025, 6, 1)}
    times = {dt.time(12)}
    for one in constraints:
        if isinstance(one, types.StartDateConstraint):
            days |= {one.start_date - dt.timedelta(days=1), one.start_date}
        if isinstance(one, types.TimeOfDateConstraint):
            times |= {one.start_time.replace(tzinfo=None), one.end_time.replace(tzinfo=None)}
    found = [dt.datetime.combine(day, time, dt.UTC) for day in days for time in times]
    return [one + dt.timedelta(seconds=more) for one in found for more in (-1, 0)]


def test_every_price_of_the_package_is_the_same_number() -> None:
    """All tiers, times and levels, by the package itself; where it is not exact, to half a picodollar a token."""
    seed = random.randrange(10**6)
    print("seed", seed)
    rng, listed = random.Random(seed), price_list()
    usual = [one for one in MODELS if one[0].id in ("anthropic", "deepseek", "openai")]
    for provider, model in [*usual, *rng.sample(MODELS, 150)]:
        exact = is_exact(model)
        for tier in ("", *TIERS):
            rows = [PriceRow("m", tier, day, 1, "", ALWAYS, quote) for day, quote in listed._history(model, tier)]
            for moment in moments(model):
                level = rng.choice([10, 32_001, 100_000, 128_000, 199_999, 200_001, 272_001, 600_000])
                used = {kind: rng.randrange(level) for kind in KINDS} | {"request": 1}
                difference = cost(rows, moment, used) - by_the_package(provider, model, tier, moment, used)
                if exact:
                    assert difference == 0, (provider.id, model.id, tier, moment, used)
                else:
                    assert abs(difference) * 2 <= sum(used.values()), (provider.id, model.id, tier, moment, used)


def test_nearly_all_prices_are_whole_picodollars() -> None:
    """Those that are not are thirds that somebody computed, and what a float made of a decimal."""
    inexact = {f"{provider.id}:{model.id}" for provider, model in MODELS if not is_exact(model)}
    print(len(inexact), "of", len(MODELS), sorted(inexact))
    assert len(inexact) * 50 < len(MODELS)
    assert {one.partition(":")[0] for one in inexact} <= {"openrouter", "huggingface_together"}


@pytest.mark.parametrize(
    ("name", "provider", "id"),
    [
        ("claude-opus-4-5-20251101", "anthropic", "claude-opus-4-5"),
        ("CLAUDE-Opus-4-5", "anthropic", "claude-opus-4-5"),
        ("anthropic/claude-sonnet-4.5", "anthropic", "claude-sonnet-4-5"),
        ("openai/gpt-5.1-codex", "openai", "gpt-5.1"),
        ("gpt-5.2-20251211", "openai", "gpt-5.2"),
        ("gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("vertex_ai/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock/us.anthropic.claude-opus-4-20250514-v1:0", "aws", "regional.anthropic.claude-opus-4-20250514-v1:0"),
        ("openrouter/anthropic/claude-sonnet-4.5", "openrouter", "anthropic/claude-sonnet-4.5"),
        ("qwen/qwen3-coder", "openrouter", "qwen/qwen3-coder"),
        ("kimi-k2", "moonshotai", "kimi-k2"),
    ],
)  # fmt: skip
def test_names_as_agents_write_them(name: str, provider: str, id: str) -> None:
    found = price_list()._find(name)
    assert found
    assert (found[0].id, found[1].id) == (provider, id)
    called = price_list().model(name)
    assert called in (id, f"{provider}:{id}")
    assert {row.model for row in price_list().rows(name)} == {called}
    assert price_list().rows(called) == price_list().rows(name)


@pytest.mark.parametrize(
    "name", ["", " ", "<synthetic>", "sonnet", "no-such-model", "claude" * 40, "a/" * 80, "/", "\x00", "'; --", "🦜/🦜"]
)
def test_other_names_have_no_price(name: str) -> None:
    assert price_list().rows(name) == []
    assert price_list().model(name) == ""


def test_what_is_paid_otherwise_is_not_free() -> None:
    """Models that are priced by the hour, the page or the character have no price by the token."""
    assert price_list().rows("whisper-1") == []
    assert price_list().rows("tts-1") == []


def test_the_date_of_the_price_table() -> None:
    """Not after the release: no price that is announced for later moves it."""
    listed = price_list()
    starts = [
        one.constraint.start_date
        for _, model in MODELS
        for one in model.price_variants or ()
        if isinstance(one.constraint, types.StartDateConstraint)
    ]
    assert dt.date(2026, 10, 14) <= listed.date < dt.date(2026, 11, 29)
    assert max(starts) >= dt.date(2026, 10, 14)
    assert listed.edition == edition_of(listed.date, listed.version)
    versions = ["", "0.2.3", "0.2.10", "0.3", "1.0.0", "1.0.1rc1"]
    assert [version_number(one) for one in versions] == [0, 2_003, 2_010, 3_000, 1_000_000, 1_000_001]
    editions = [(dt.date(2026, 1, 1), "9.0"), (dt.date(2026, 1, 2), "0.1"), (dt.date(2026, 1, 2), "0.2")]
    assert sorted(editions) == sorted(editions, key=lambda one: edition_of(*one))


def row(edition: int, price: int, *, since: dt.date = ALWAYS, date: dt.date, tier: str = "") -> PriceRow:
    return PriceRow("m", tier, since, edition, f"table {edition}", date, Quote((0,), (0,), ((price,),) * len(KINDS)))


JUNE, JULY, AUGUST, LATER = (dt.date(2026, month, 1) for month in (6, 7, 8, 12))


def priced(rows: list[PriceRow], day: dt.date, tier: str = "") -> int:
    of_tier = [one for one in rows if one.tier == tier] or [one for one in rows if not one.tier]
    found = valid_at(of_tier, day)
    assert found
    return found.quote.prices[0][0]


def test_a_newer_table_counts_from_its_date_on() -> None:
    known = [row(1, 10, date=JUNE), row(1, 99, since=LATER, date=JUNE)]
    newer = [row(2, 7, date=AUGUST), row(2, 20, since=JULY, date=AUGUST)]
    added = additions(known, newer)
    assert [(one.valid_from, one.edition, one.quote.prices[0][0]) for one in added] == [(AUGUST, 2, 20)]
    both = known + added
    days = [JUNE, JULY, AUGUST - dt.timedelta(days=1), AUGUST, LATER]
    # What the older one announced for later does not come: the newer one knows better.
    assert [priced(both, day) for day in days] == [10, 10, 10, 20, 20]
    assert additions(both, newer) == []
    assert additions(both, known) == []


def test_a_newer_table_that_says_the_same_adds_nothing() -> None:
    known = [row(1, 10, date=JUNE)]
    assert additions(known, [row(2, 7, date=AUGUST), row(2, 10, since=JULY, date=AUGUST)]) == []
    assert additions(known, []) == []
    assert additions([], known) == known


def test_an_older_table_changes_nothing() -> None:
    known = [row(2, 10, date=AUGUST)]
    assert additions(known, [row(1, 5, date=JUNE)]) == []
    assert additions(known, [row(2, 5, date=AUGUST)]) == []


def test_two_tables_that_were_written_at_once() -> None:
    """Neither store saw the other's rows: all of the newer one counts, whoever came first."""
    older, newer = [row(1, 10, date=JUNE), row(1, 11, since=JULY, date=JUNE)], [row(2, 20, date=AUGUST)]
    assert [priced(older + newer, day) for day in (JUNE, JULY, LATER)] == [20, 20, 20]


def test_a_tier_that_comes_and_one_that_goes() -> None:
    known = [row(1, 10, date=JUNE), row(1, 5, date=JUNE, tier="batch")]
    newer = [row(2, 10, date=AUGUST), row(2, 30, date=AUGUST, tier="fast")]
    both = known + additions(known, newer)
    assert [priced(both, day, "fast") for day in (JUNE, AUGUST)] == [10, 30]
    assert [priced(both, day, "batch") for day in (JUNE, AUGUST)] == [5, 10]
    assert [priced(both, day) for day in (JUNE, AUGUST)] == [10, 10]


def test_nanodollars_are_rounded_half_to_even() -> None:
    for picodollars in (0, 1, 499, 500, 501, 999, 1000, 1499, 1500, 1501, 2500, 3500, 10**40 + 500, 10**40 + 1500):
        assert nanodollars(picodollars) == round(Fraction(picodollars, 1000))
        assert isinstance(nanodollars(picodollars), int)


def test_own_prices_have_levels_and_parts() -> None:
    rows = own_rows(
        [ModelPrice("m", 10, 20), ModelPrice("m", 30, 40, cache_read=1, cache_write=2, above=1000, web_search=9)]
    )
    (base,) = rows
    assert base.tier == ""
    assert base.quote.levels == (0, 1001)
    assert dict(zip(KINDS, base.quote.prices, strict=True)) == {
        "input": (10, 30), "cache_read": (10, 1), "cache_write": (10, 2), "cache_write_1h": (10, 2),
        "output": (20, 40), "reasoning": (20, 40), "web_search": (0, 9), "request": (0, 0),
    }  # fmt: skip


def test_names_of_too_many_organisations_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_book, "_MOST_NAMES", 10)
    book = price_book.PriceBook()
    for org in "abcd":
        book._names[org] = dict.fromkeys(("x", "y", "z"), "")
        book._forget()
    assert list(book._names) == ["c", "d"]
    book._names["e"] = dict.fromkeys(map(str, range(50)), "")
    book._forget()
    assert list(book._names) == ["e"]


WRONG: list[tuple[Any, str]] = [
    (5, "expected ModelPrices"),
    ("m", "expected ModelPrices"),
    ([{"model": "m"}], "expected ModelPrices"),
    ([ModelPrice("", 1, 1)], "model"),
    ([ModelPrice(5, 1, 1)], "model"),  # type: ignore[arg-type]
    ([ModelPrice("m", -1, 1)], "input"),
    ([ModelPrice("m", 1, 1.5)], "output"),  # type: ignore[arg-type]
    ([ModelPrice("m", True, 1)], "input"),
    ([ModelPrice("m", 1, 2**63)], "output"),
    ([ModelPrice("m", 1, 1, service_tier=None)], "service_tier"),  # type: ignore[arg-type]
    ([ModelPrice("m", 1, 1, valid_from=dt.datetime(2026, 1, 1))], "valid_from"),
    ([ModelPrice("m", 1, 1, valid_from="2026-01-01")], "valid_from"),  # type: ignore[arg-type]
    ([ModelPrice("m", 1, 1, valid_from=ALWAYS)], "valid_from"),
    ([ModelPrice("m", 1, 1), ModelPrice("m", 2, 2)], "same tier"),
    ([ModelPrice("m", 1, 1, above=5)], "none below"),
]


@pytest.mark.parametrize(("prices", "reason"), WRONG, ids=lambda one: str(one)[:40])
def test_own_prices_that_cannot_be_are_refused(prices: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=rf"^prices: .*{reason}"):
        AsyncClickHouseStore("clickhouse://nowhere", prices=prices)


def test_a_price_survives_json() -> None:
    price = ModelPrice("m", 1, 2, valid_from=JUNE, service_tier="batch")
    assert msgspec.json.decode(msgspec.json.encode(price), type=ModelPrice) == price


def test_the_package_is_loaded_when_a_price_is_asked_for() -> None:
    code = (
        "import sys; from agentstore import AsyncClickHouseStore, ModelPrice;"
        "AsyncClickHouseStore('clickhouse://nowhere', prices=[ModelPrice('m', 1, 1)]);"
        "assert not {'genai_prices', 'pydantic'} & set(sys.modules);"
        "from agentstore.prices.listed import price_list; assert price_list().rows('claude-opus-4-5')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
