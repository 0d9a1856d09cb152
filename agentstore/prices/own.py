"""A caller's own prices as rows. They are sent with the question and never stored.

A database is shared: were they stored, what one program was given as an option would decide what another one answers,
and would go on to when nobody gives it any more. ``valid_from`` keeps their answers equal over time: who changes a
price adds one, and leaves the one before where it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agentstore.errors import ConfigError
from agentstore.models import ModelPrice
from agentstore.prices.row import ALWAYS, KINDS, NO_QUOTE, SECOND_DAY, PriceRow, Quote

SOURCE = "own"
# After all price tables.
EDITION = 2**64 - 1
# Before all price tables, and of a tier after what is for each.
BEFORE, OF_THE_TIER = 0, 1
_PART = {"cache_read": "input", "cache_write": "input", "cache_write_1h": "cache_write", "reasoning": "output"}


def own_rows(prices: Any) -> list[PriceRow]:
    """Rows of these prices, or ``ConfigError`` where one of them says what cannot be."""
    if isinstance(prices, str) or not isinstance(prices, Iterable):
        raise ConfigError(f"prices: expected ModelPrices, got {type(prices).__name__}")
    levels: dict[tuple[str, str, dt.date], dict[int, ModelPrice]] = {}
    for price in prices:
        _check(price)
        of_key = levels.setdefault((price.model, price.service_tier, price.valid_from or ALWAYS), {})
        if price.above in of_key:
            raise ConfigError(f"prices: two of {price.model!r} are for the same tier, day and level")
        of_key[price.above] = price
    rows = []
    for (model, tier, day), found in levels.items():
        if 0 not in found:
            raise ConfigError(f"prices: {model!r} has a price above {min(found):,} tokens and none below")
        quote = _quote([found[above] for above in sorted(found)])
        rows.append(PriceRow(model, tier, day, EDITION, SOURCE, ALWAYS, quote))
    return rows + list(_before_the_first(rows))


def _before_the_first(rows: Sequence[PriceRow]) -> Iterator[PriceRow]:
    """What has no time pays the earliest price, which stands at the very first day; from the second on to the first
    price there is none. Of the least edition there is: where a model has a list price, that has always been."""
    first: dict[tuple[str, str], PriceRow] = {}
    # Those without a tier are for each of them: of two of one day that of the tier counts, which comes first.
    for row in sorted(rows, key=lambda row: (row.valid_from, row.tier == "")):
        first.setdefault((row.model, row.tier), row)
    for model, tier in sorted(first):
        row = min((first[key] for key in ((model, tier), (model, "")) if key in first), key=lambda one: one.valid_from)
        if row.valid_from > SECOND_DAY:
            before = row._replace(tier=tier, edition=OF_THE_TIER if tier else BEFORE)
            yield before._replace(valid_from=ALWAYS)
            yield before._replace(valid_from=SECOND_DAY, quote=NO_QUOTE)


def _quote(levels: Sequence[ModelPrice]) -> Quote:
    begins = tuple(one.above + 1 if one.above else 0 for one in levels)
    return Quote(begins, (0,), tuple(tuple(_price(one, kind) for one in levels) for kind in KINDS))


def _price(price: ModelPrice, kind: str) -> int:
    found: int | None = getattr(price, kind, 0)  # a request has no price of one's own
    return _price(price, _PART[kind]) if found is None else found


def _check(price: Any) -> None:
    if not isinstance(price, ModelPrice):
        raise ConfigError(f"prices: expected ModelPrices, got {type(price).__name__}")
    for name in ("model", "service_tier"):
        if not isinstance(getattr(price, name), str):
            raise ConfigError(f"prices: {name}: expected str, got {type(getattr(price, name)).__name__}")
    if not price.model:
        raise ConfigError("prices: model: must not be empty")
    for name in ("input", "output", "web_search", "above", *_PART):
        value = getattr(price, name)
        if value is None and name in _PART:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise ConfigError(f"prices: {name} of {price.model!r}: expected a whole number from 0 on, got {value!r}")
    day = price.valid_from
    if day is not None and (not isinstance(day, dt.date) or isinstance(day, dt.datetime) or day <= SECOND_DAY):
        raise ConfigError(
            f"prices: valid_from of {price.model!r}: expected a date, from 3 January 1900 on, got {day!r}"
        )
