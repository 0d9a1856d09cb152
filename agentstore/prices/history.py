"""Which rows a newer price table adds to what is known of a model. What was priced once keeps its price."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from agentstore.prices.row import PriceRow, valid_at


def additions(known: Sequence[PriceRow], listed: Sequence[PriceRow]) -> list[PriceRow]:
    """What is to be stored of the prices ``listed`` in one table for one model, where ``known`` is stored.

    Of a model that was not known: all. Else nothing of a table that is not newer, and of a newer one what differs from
    its own date on: before that day nothing changes, whatever it says about it.
    """
    if not known or not listed:
        return list(listed)
    edition, day = listed[0].edition, listed[0].prices_date
    if max(row.edition for row in known) >= edition:
        return []
    added: list[PriceRow] = []
    for tier in sorted({row.tier for row in (*known, *listed)}):
        before, after = _of_tier(known, tier), _of_tier(listed, tier)
        if _differ(before, after, day):
            # A tier that nobody knew had the price of none; its rows say so, since each tier's have to be complete.
            added += [row._replace(tier=tier) for row in before if row.tier != tier]
            added += _from_day_on(after, tier, day)
    return added


def _of_tier(rows: Sequence[PriceRow], tier: str) -> list[PriceRow]:
    """Those of the tier, or of none where it has no prices of its own."""
    return [row for row in rows if row.tier == tier] or [row for row in rows if not row.tier]


def _differ(before: list[PriceRow], after: list[PriceRow], day: dt.date) -> bool:
    days = {day, *(row.valid_from for row in (*before, *after) if row.valid_from > day)}
    pairs = ((valid_at(before, one), valid_at(after, one)) for one in days)
    return any((old and old.quote) != (new and new.quote) for old, new in pairs)


def _from_day_on(rows: list[PriceRow], tier: str, day: dt.date) -> list[PriceRow]:
    first = valid_at(rows, day)
    begin = [first._replace(tier=tier, valid_from=day)] if first else []
    return begin + [row._replace(tier=tier) for row in rows if row.valid_from > day]
