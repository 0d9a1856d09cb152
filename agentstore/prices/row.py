"""A row of the table ``model_prices``: what one model costs in one tier of service from one day on."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

# The first day that a column of dates holds: a price that is valid from then on has always been, and is that of what
# does not say when it was.
ALWAYS = dt.date(1900, 1, 1)
SECOND_DAY = dt.date(1900, 1, 2)

# Tiers of service that may have prices of their own. What says another, or none, pays the price of none.
TIERS = ("batch", "default", "fast", "flex", "priority")

# What is counted, in the order of the columns of prices.
KINDS = (
    "input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning", "web_search", "request",
)  # fmt: skip

# Of each kind one price for each part of the day, and in it for each level.
Prices = tuple[tuple[int, ...], ...]


class Quote(NamedTuple):
    """Prices in picodollars, by kind, and of each kind by part of the day and level.

    A level begins at so much input of a response, in tokens; a part of the day at so many seconds after midnight UTC.
    The first of both is 0. Of two parts and two levels, a kind's prices are (part 0, level 0), (part 0, level 1),
    (part 1, level 0), (part 1, level 1).
    """

    levels: tuple[int, ...]
    day_parts: tuple[int, ...]
    prices: Prices


# That there is none.
NO_QUOTE = Quote((), (), ((),) * len(KINDS))


class PriceRow(NamedTuple):
    """A quote, for whom it is, from which day on (midnight UTC), and which price table says so.

    ``edition`` orders price tables: of two rows that are valid at a time, that of the later edition counts, then the
    one that is valid from the later day.
    """

    model: str
    tier: str
    valid_from: dt.date
    edition: int
    source: str
    prices_date: dt.date
    quote: Quote


def valid_at(rows: list[PriceRow], day: dt.date) -> PriceRow | None:
    """Which of the rows of one model and tier counts on that day."""
    valid = [row for row in rows if row.valid_from <= day]
    return max(valid, key=lambda row: (row.edition, row.valid_from), default=None)


def nanodollars(picodollars: int) -> int:
    """Rounded to the nearest, half to even. The only place where money is rounded, once for each row of a report."""
    whole, rest = divmod(picodollars, 1000)
    return whole + (rest > 500 or (rest == 500 and whole % 2 == 1))
