"""Rows of ``model_prices`` in statements. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.prices.own import LEAST_EDITION
from agentstore.prices.row import ALWAYS, KINDS, PriceRow, Quote
from agentstore.protocols import Columns

_EPOCH = dt.date(1970, 1, 1)
ALWAYS_DAY = (ALWAYS - _EPOCH).days
_COLUMNS = ("model", "tier", "valid_from", "edition", "source", "prices_date", "levels", "day_parts", *KINDS)
_NAMES = join(", ", map(identifier, _COLUMNS))
# As they are sent: days as numbers, which a function of constants need not turn into dates one by one.
_STRUCTURE = (
    "model String, tier String, valid_from Int32, edition UInt64, source String, prices_date Int32,"
    " levels Array(UInt64), day_parts Array(UInt32), " + ", ".join(f"{kind} Array(UInt64)" for kind in KINDS)
)
# Of the table, days as numbers as well.
_READ = sql(
    "model, toString(tier) AS tier, toInt32(valid_from) AS valid_from, edition, toString(source) AS source,"
    " toInt32(prices_date) AS prices_date, levels, day_parts, {kinds}",
    kinds=join(", ", map(identifier, KINDS)),
)


def stored_rows(models: Sequence[str]) -> Sql:
    """What is stored of these models."""
    return sql("SELECT {columns} FROM model_prices FINAL WHERE model IN {models}", columns=_READ, models=tuple(models))


def rows_of(columns: Columns) -> list[PriceRow]:
    """The rows of ``stored_rows``."""
    found = []
    for model, tier, valid_from, edition, source, date, levels, parts, *prices in zip(*columns, strict=True):
        quote = Quote(tuple(levels), tuple(parts), tuple(map(tuple, prices)))
        found.append(PriceRow(model, tier, day_of(valid_from), edition, source, day_of(date), quote))
    return found


def insert_rows(rows: Iterable[PriceRow]) -> Sql:
    """Stores rows. Twice is harmless."""
    return sql(
        "INSERT INTO model_prices ({columns}) SELECT * REPLACE (toDate32(valid_from) AS valid_from,"
        " toDate32(prices_date) AS prices_date) FROM {rows}",
        columns=_NAMES,
        rows=_values(rows),
    )


def all_rows(more: Sequence[PriceRow]) -> Sql:
    """A SELECT of all rows that are stored, and ``more``; days are numbers."""
    rows = sql("SELECT {columns} FROM model_prices FINAL", columns=_READ)
    if more:
        rows = sql("{stored} UNION ALL SELECT {columns} FROM {more}", stored=rows, columns=_NAMES, more=_values(more))
    pairs = sorted({(row.model, row.tier) for row in more if row.tier and row.edition >= LEAST_EDITION})
    return _with_tiers(rows, pairs) if pairs else rows


def _with_tiers(rows: Sql, pairs: Sequence[tuple[str, str]]) -> Sql:
    """The rows, and where one's own prices have tiers that a list has not, what the list has without a tier.

    Each tier's rows are complete: before one's own price holds, that of the list does.
    """
    listed = sql("edition > 0 AND edition < {own}", own=LEAST_EDITION)
    return sql(
        "{rows} UNION ALL SELECT {columns} FROM (SELECT * EXCEPT tier, pair.2 AS tier FROM ("
        "SELECT *, arrayJoin(arrayFilter(one -> one.1 = model, {pairs})) AS pair FROM ({rows})"
        " WHERE tier = '' AND {listed}) WHERE pair NOT IN (SELECT model, tier FROM ({rows}) WHERE {listed}))",
        rows=rows,
        columns=_NAMES,
        pairs=list(pairs),
        listed=listed,
    )


def day_of(number: int) -> dt.date:
    """The date of so many days since 1970."""
    return _EPOCH + dt.timedelta(days=number)


def _values(rows: Iterable[PriceRow]) -> Sql:
    values = join(", ", [sql("{row}", row=tuple(_row(row))) for row in rows])
    return sql("values({structure}, {values})", structure=_STRUCTURE, values=values)


def _row(row: PriceRow) -> Iterator[object]:
    days = (row.valid_from - _EPOCH).days, (row.prices_date - _EPOCH).days
    yield from (row.model, row.tier, days[0], row.edition, row.source, days[1])
    yield from map(list, (row.quote.levels, row.quote.day_parts, *row.quote.prices))
