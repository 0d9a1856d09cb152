"""What it cost: equal to a plain sum, whatever was said by whom and when."""

from __future__ import annotations

import datetime as dt
import os
import random
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
    ModelTokenUsage,
)
from agentstore.read.costs_sql import KEYS
from tests.builders import at, session
from tests.live.plain_costs import LISTED, Response, counted, forest, listed_price, own_price, plain_costs
from tests.servers import Server

# More of them in `make test-faults`.
SEEDS = range(int(os.environ.get("AGENTSTORE_FAMILIES", "4")))
MILLION = 1_000_000  # picodollars for a token are a dollar for a million of them


def random_prices(rng: random.Random, models: list[str]) -> list[ModelPrice]:
    """One's own prices: of models that have list prices and of others, from days on, of tiers, with levels."""
    found: dict[tuple[str, str, dt.date | None, int], ModelPrice] = {}
    for _ in range(rng.randrange(8)):
        model = rng.choice([one for one in models if one])
        tier = rng.choice(["", "", "batch", "scale"])
        day = rng.choice([None, dt.date(2026, 10, 13), dt.date(2026, 11, 3)])

        def price() -> int | None:
            return rng.choice([None, 0, 1, 333, rng.randrange(10**8)])

        for above in rng.choice([[0], [0, 200_000], [0, 1, 100_000]]):
            found[model, tier, day, above] = ModelPrice(
                model=model,
                input=rng.randrange(10**7),
                output=rng.randrange(10**8),
                cache_read=price(),
                cache_write=price(),
                cache_write_1h=price(),
                reasoning=price(),
                web_search=rng.choice([0, 7]),
                service_tier=tier,
                valid_from=day,
                above=above,
            )
    return list(found.values())


@pytest.mark.parametrize("seed", SEEDS)
async def test_costs_are_a_plain_sum(server: Server, database: str, org: str, seed: int) -> None:
    print("seed", seed)
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
        for key in KEYS:
            tz = rng.choice(["UTC", "Pacific/Auckland", "America/New_York"])
            await agree(await store.cost_by(org, key, tz=tz), plain_costs(key, responses, price, tz), key)
        for user, project, agent in (("ada", "", ""), ("", "q", ""), ("bob", "p", ""), ("", "", "codex")):
            some = [one for one in responses if matches(one, user, project, agent)]
            found = await store.cost_by(org, "model", user_id=user, project_name=project, agent_type=agent)
            await agree(found, plain_costs("model", some, price), "model")
        day = dt.date(2026, 10, 13)
        since = [one for one in responses if (started := one.of.session.started_at) and started.date() >= day]
        await agree(await store.cost_by(org, "user", date_from=day), plain_costs("user", since, price), "user")
        total = await store.cost_by(org, "session", limit=1)
        assert len(total.rows) == min(1, len(plain_costs("session", responses, price)))
        # One row decides about a response, for costs and for tokens.
        spent = {row.key: row for row in (await store.cost_by(org, "model")).rows if row.key and row.output_tokens}
        used = {row.model: row for row in await store.token_usage_by_model(org) if row.model}
        assert {model: tokens_of(row) for model, row in spent.items()} == {
            model: tokens_of(row) for model, row in used.items()
        }
        assert total.total == (await store.cost_by(org, "model")).total


def tokens_of(row: CostRow | ModelTokenUsage) -> tuple[int, ...]:
    return row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens


def matches(response: Response, user: str, project: str, agent: str) -> bool:
    payer = response.of.payer
    wanted = (user, payer.user_id), (project, payer.project_name), (agent, payer.agent_type)
    return all(one in ("", theirs) for one, theirs in wanted)


async def agree(found: CostReport, expected: dict[str, CostRow], key: str) -> None:
    assert {row.key: replace(row, name="") for row in found.rows} == expected
    ordered = [row.key for row in found.rows]
    if key == "day":
        assert ordered == sorted(ordered)
    else:
        assert ordered == sorted(ordered, key=lambda one: (-expected[one].cost_nanodollars, one.encode()))
    assert sum(row.unpriced_tokens for row in found.rows) == found.total.unpriced_tokens
    tokens = [
        one.input_tokens + one.cache_read_tokens + one.cache_write_tokens + one.output_tokens for one in found.unpriced
    ]
    assert sum(tokens) == found.total.unpriced_tokens
    assert tokens == sorted(tokens, reverse=True)
    if key == "model":
        assert {one.model for one in found.unpriced} == {row.key for row in found.rows if row.unpriced_tokens}


async def cost_of(server: Server, database: str, org: str, rows: list[Message], *prices: ModelPrice) -> CostReport:
    async with AsyncClickHouseStore(server.dsn, database=database, prices=prices) as store:
        await store.write_session(org, session("s"), rows)
        return await store.cost_by(org, "model")


async def test_sums_beyond_64_bits(server: Server, database: str, org: str) -> None:
    """Of picodollars: ten responses of a billion tokens at a dollar each are ten billion dollars."""
    rows = [
        Message(ordinal=n, role="assistant", model="gold", timestamp=at(), input_tokens=10**9, output_tokens=1)
        for n in range(10)
    ]
    report = await cost_of(server, database, org, rows, ModelPrice("gold", 10**12, 1))
    assert report.total.cost_nanodollars == 10 * 10**9 * 10**9
    assert 10 * 10**9 * 10**12 + 10 > 2**64


async def test_tokens_beyond_64_bits(store: AsyncClickHouseStore, org: str) -> None:
    """Sums of them, what they cost, and the level that they reach together."""
    many = 2**63 + 5
    one = Message(ordinal=0, role="assistant", model="claude-haiku-4-5", timestamp=at(), input_tokens=many,
                  output_tokens=many, reported_cost_nanodollars=many)  # fmt: skip
    level = Message(ordinal=2, role="assistant", model="claude-sonnet-4-5", timestamp=at(), input_tokens=2**63,
                    cache_read_tokens=2**63)  # fmt: skip
    await store.write_session(org, session("s"), [one, replace(one, ordinal=1), level])
    report = await store.cost_by(org, "model")
    haiku, sonnet = sorted(report.rows, key=lambda row: row.key)
    assert (haiku.input_tokens, haiku.output_tokens, haiku.reported_cost_nanodollars) == (2 * many,) * 3
    assert haiku.cost_nanodollars == 2 * many * 6_000
    assert sonnet.cost_nanodollars == 2**63 * 6_000 + 2**63 * 600
    assert report.total.input_tokens == 2 * many + 2**63
    (used,) = await store.token_usage_by_model(org)
    assert (used.input_tokens, used.output_tokens) == (2 * many, 2 * many)


async def test_the_largest_prices_of_the_largest_responses(server: Server, database: str, org: str) -> None:
    most, price = 2**64 - 1, 2**63 - 1
    rows = [
        Message(ordinal=n, role="assistant", model="m", timestamp=at(), input_tokens=most, output_tokens=most - n)
        for n in range(5)
    ]
    report = await cost_of(server, database, org, rows, ModelPrice("m", price, price))
    assert report.total.cost_nanodollars == round(Fraction((10 * most - 10) * price, 1000))


async def test_a_session_without_anything_takes_no_place(store: AsyncClickHouseStore, org: str) -> None:
    empty = Message(ordinal=0, role="assistant", model="unknown", timestamp=at())
    for id in ("a", "b"):
        await store.write_session(org, session(id), [empty])
    await store.write_session(org, session("c"), [replace(empty, input_tokens=5)])
    assert [row.key for row in (await store.cost_by(org, "session", limit=1)).rows] == ["c"]


async def test_a_user_has_the_name_of_the_latest_session(store: AsyncClickHouseStore, org: str) -> None:
    models = ["gpt-5.4", "gpt-5", "claude-opus-4-1", "gemini-2.5-pro", "claude-sonnet-4-5", "unknown"]
    for day, name in ((8, "New"), (7, "Mid"), (6, "Old")):
        rows = [
            Message(ordinal=number, role="assistant", model=model, timestamp=at(), input_tokens=9)
            for number, model in enumerate(models if day == 6 else models[day - 7 : day - 6])
        ]
        await store.write_session(org, session(f"{day}", user_id="ada", user_name=name, started_at=at(day=day)), rows)
    # Of the oldest, and later than all of them.
    agent = session("agent", started_at=at(day=9), parent_session_id="6", relationship_type="subagent")
    await store.write_session(org, agent, [Message(ordinal=0, role="assistant", model="x", output_tokens=1)])
    (row,) = (await store.cost_by(org, "user")).rows
    assert (row.key, row.name) == ("ada", "New")
    assert [one.name for one in await store.list_users(org)] == ["New"]


async def test_searches_without_a_model_count(store: AsyncClickHouseStore, org: str) -> None:
    usage = '{"server_tool_use":{"web_search_requests":3}}'
    row = Message(ordinal=0, role="assistant", timestamp=at(), token_usage=usage)
    await store.write_session(org, session("s"), [row])
    assert [(one.key, one.web_searches) for one in (await store.cost_by(org, "model")).rows] == [("", 3)]


@pytest.mark.parametrize(("picodollars", "expected"), [(500, 0), (501, 1), (1500, 2), (2500, 2), (2501, 3), (1, 0)])
async def test_each_row_is_rounded_once_half_to_even(
    server: Server, database: str, org: str, picodollars: int, expected: int
) -> None:
    """Two models and two sessions that cost so much together: rounded in each row, and in the total by itself."""
    half = Message(ordinal=0, role="assistant", model="a", timestamp=at(), output_tokens=picodollars)
    prices = [ModelPrice("a", 0, 1), ModelPrice("b", 0, 1)]
    async with AsyncClickHouseStore(server.dsn, database=database, prices=prices) as store:
        for number in range(2):
            rows = [half, replace(half, ordinal=1, model="b")]
            await store.write_session(org, session(f"s{number}", user_id=f"u{number}"), rows)
        models, users = await store.cost_by(org, "model"), await store.cost_by(org, "user")
        assert [row.cost_nanodollars for row in models.rows] == [round(Fraction(2 * picodollars, 1000))] * 2
        assert [row.cost_nanodollars for row in users.rows] == [round(Fraction(2 * picodollars, 1000))] * 2
        assert models.total == users.total
        assert models.total.cost_nanodollars == round(Fraction(4 * picodollars, 1000))
    assert (await cost_of(server, database, f"{org}-", [half], *prices)).total.cost_nanodollars == expected


async def test_what_a_response_is_made_of(server: Server, database: str, org: str) -> None:
    """Every kind of token once, with prices that tell them apart."""
    usage = (
        '{"cache_creation":{"ephemeral_1h_input_tokens":30},"reasoning_tokens":5,'
        '"server_tool_use":{"web_search_requests":2}}'
    )
    row = Message(
        ordinal=0, role="assistant", model="m", timestamp=at(), input_tokens=10, cache_read_tokens=20,
        cache_write_tokens=100, output_tokens=50, context_tokens=130, token_usage=usage,
    )  # fmt: skip
    price = ModelPrice("m", 10**3, 10**9, 10**4, 10**5, 10**7, 10**11, 10**15)
    report = await cost_of(server, database, org, [row], price)
    exact = 10 * 10**3 + 20 * 10**4 + 70 * 10**5 + 30 * 10**7 + 45 * 10**9 + 5 * 10**11 + 2 * 10**15
    assert report.total.cost_nanodollars == round(Fraction(exact, 1000))
    assert report.rows == [
        CostRow("m", "", report.total.cost_nanodollars, 0, 1, 10, 20, 100, 30, 50, 5, 2, 0)
    ]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
async def test_copies_and_subagents_count_once(store: AsyncClickHouseStore, org: str, key: str) -> None:
    """For the owner, the root, and on the subagent's own day."""

    def row(ordinal: int, source: str) -> Message:
        return Message(ordinal=ordinal, role="assistant", model="claude-haiku-4-5", timestamp=at(), source_id=source,
                       input_tokens=1_000_000, context_tokens=1_000_000)  # fmt: skip

    root = session("a", user_id="ada", user_name="Ada", project_name="p", agent_type="x", display_name="A title")
    fork = session("b", user_id="bob", project_name="q", agent_type="y", started_at=at(day=6),
                   parent_session_id="a", relationship_type="fork")  # fmt: skip
    agent = session("c", user_id="none", project_name="r", agent_type="z", started_at=at(day=7),
                    parent_session_id="a", relationship_type="subagent")  # fmt: skip
    await store.write_session(org, root, [row(0, "1"), row(1, "2")])
    await store.write_session(org, fork, [row(0, "1"), row(1, "2"), row(2, "3")])
    await store.write_session(org, agent, [row(0, "4"), row(1, "4")])
    dollar = 10**9
    expected = {
        "model": {"claude-haiku-4-5": (4, "")},
        "user": {"ada": (3, "Ada"), "bob": (1, "")},
        "project": {"p": (3, ""), "q": (1, "")},
        "agent": {"x": (3, ""), "y": (1, "")},
        "day": {"2026-01-05": (2, ""), "2026-01-06": (1, ""), "2026-01-07": (1, "")},
        "session": {"a": (3, "A title"), "b": (1, "")},
    }[key]
    report = await store.cost_by(org, key)
    assert {row.key: (row.cost_nanodollars // dollar, row.name) for row in report.rows} == expected
    assert report.total.cost_nanodollars == 4 * dollar


@pytest.mark.parametrize("key", ["", "models", "user_id", None, 5, ["model"], "model'; --"])
async def test_an_unknown_key_is_refused(store: AsyncClickHouseStore, org: str, key: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^key: expected one of agent, ") as caught:
        await store.cost_by(org, key)
    assert caught.value.field == "key"


@pytest.mark.parametrize("limit", [0, -1, 1001, None, "5", True])
async def test_a_limit_that_is_none_is_refused(store: AsyncClickHouseStore, org: str, limit: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^limit: "):
        await store.cost_by(org, "session", limit=limit)


async def test_the_most_expensive_sessions(store: AsyncClickHouseStore, org: str) -> None:
    """The others are in the total, and what has no price is told."""
    for number in range(7):
        rows = [
            Message(ordinal=0, role="assistant", model="claude-haiku-4-5", timestamp=at(), input_tokens=number % 4),
            Message(ordinal=1, role="assistant", model="unknown", timestamp=at(), input_tokens=1),
        ]
        await store.write_session(org, session(f"s{number}"), rows)
    report = await store.cost_by(org, "session", limit=3)
    assert [row.key for row in report.rows] == ["s3", "s2", "s6"]
    assert report.total.cost_nanodollars == (0 + 1 + 2 + 3 + 0 + 1 + 2) * 1000
    assert [(one.model, one.responses) for one in report.unpriced] == [("unknown", 7)]


async def test_levels_tiers_and_hours(store: AsyncClickHouseStore, org: str) -> None:
    """By hand, in dollars for a million tokens: Sonnet above 200,000 tokens, in a batch; DeepSeek by night."""
    sonnet, deepseek, late = "claude-sonnet-4-5-20250929", "deepseek-chat", dt.datetime(2026, 10, 20, tzinfo=dt.UTC)

    def row(ordinal: int, model: str, when: dt.datetime, input: int, tier: str = "standard") -> Message:
        usage = f'{{"service_tier":"{tier}"}}'
        return Message(ordinal=ordinal, role="assistant", model=model, timestamp=when, input_tokens=input,
                       context_tokens=input, token_usage=usage)  # fmt: skip

    cases = [
        (row(0, sonnet, late, 200_000), 200_000 * 3_000),
        (row(0, sonnet, late, 200_001), 200_001 * 6_000),
        (row(0, sonnet, late, 200_000, "batch"), 200_000 * 1_500),
        (row(0, sonnet, late, 200_000, "priority"), 200_000 * 3_000),
        (row(0, sonnet, dt.datetime(2026, 10, 13, 23, 59, 59, tzinfo=dt.UTC), 1_000, "batch"), 1_000 * 3_000),
        (row(0, deepseek, late.replace(hour=0, minute=29, second=59), 1_000), 1_000 * 135),
        (row(0, deepseek, late.replace(hour=0, minute=30), 1_000), 1_000 * 270),
        (row(0, deepseek, late.replace(hour=16, minute=29), 1_000), 1_000 * 270),
        (row(0, deepseek, late.replace(hour=16, minute=30), 1_000), 1_000 * 135),
    ]
    for number, (one, _) in enumerate(cases):
        await store.write_session(org, session(f"s{number}"), [one])
    found = {row.key: row.cost_nanodollars for row in (await store.cost_by(org, "session")).rows}
    assert found == {f"s{number}": cost for number, (_, cost) in enumerate(cases)}
