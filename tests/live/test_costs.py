"""What it cost: equal to a plain sum, whatever was said by whom and when."""

from __future__ import annotations

import datetime as dt
import os
import random
from fractions import Fraction

import pytest
from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, CostReport, CostRow, ModelPrice
from agentstore.read.costs_sql import KEYS
from tests.live.plain_costs import LISTED, Response, counted, forest, listed_price, own_price, plain_costs
from tests.servers import Server

# More of them in `make test-faults`.
SEEDS = range(int(os.environ.get("AGENTSTORE_FAMILIES", "4")))
MILLION = 1_000_000  # picodollars for a token are a dollar for a million of them


def random_prices(rng: random.Random) -> list[ModelPrice]:
    """One's own prices: of models that have list prices and of others, from days on, of tiers, with levels."""
    found: dict[tuple[str, str, dt.date | None, int], ModelPrice] = {}
    for _ in range(rng.randrange(8)):
        model = rng.choice(["mine", "gpt-5.4", "claude-sonnet-4-5-20250929", "it's \\'); -- `a` \x00 \U0001f99c"])
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
    prices, sessions = random_prices(rng), forest(rng, models)

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
        for user, project in (("ada", ""), ("", "q"), ("bob", "p")):
            some = [one for one in responses if matches(one, user, project)]
            found = await store.cost_by(org, "model", user_id=user, project_name=project)
            await agree(found, plain_costs("model", some, price), "model")
        day = dt.date(2026, 10, 13)
        since = [one for one in responses if (started := one.of.session.started_at) and started.date() >= day]
        await agree(await store.cost_by(org, "user", date_from=day), plain_costs("user", since, price), "user")
        total = await store.cost_by(org, "session", limit=1)
        assert len(total.rows) <= 1
        assert total.total == (await store.cost_by(org, "model")).total


def matches(response: Response, user: str, project: str) -> bool:
    payer = response.of.payer
    return user in ("", payer.user_id) and project in ("", payer.project_name)


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
