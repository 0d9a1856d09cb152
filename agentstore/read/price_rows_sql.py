"""Rows of ``model_prices`` in statements. Pure.

What a statement is told is one text of JSON in it, which the server takes apart: as values of SQL some dozens of prices
would be too large a statement to be analysed.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.prices.own import EDITION as OWN
from agentstore.prices.own import OF_THE_TIER
from agentstore.prices.row import ALWAYS, KINDS, TIERS, PriceRow, Quote
from agentstore.protocols import Columns

_EPOCH = dt.date(1970, 1, 1)
ALWAYS_DAY = (ALWAYS - _EPOCH).days
_COLUMNS = ("model", "tier", "valid_from", "edition", "source", "prices_date", "levels", "day_parts", *KINDS)
_NAMES = join(", ", map(identifier, _COLUMNS))
# As they are sent, each row an array of JSON: days as numbers, and the prices of all kinds in one array.
_STRUCTURE = (
    "Array(Tuple(String, String, Int32, UInt64, String, Int32, Array(UInt64), Array(UInt32), Array(Array(UInt64))))"
)
_SENT = join(
    ", ",
    [sql("one.{place} AS {name}", place=place, name=identifier(name)) for place, name in enumerate(_COLUMNS[:8], 1)]
    + [sql("one.9[{place}] AS {name}", place=place, name=identifier(name)) for place, name in enumerate(KINDS, 1)],
)
# Of the table, days as numbers as well.
_READ = sql(
    "model, toString(tier) AS tier, toInt32(valid_from) AS valid_from, edition, toString(source) AS source,"
    " toInt32(prices_date) AS prices_date, levels, day_parts, {kinds}",
    kinds=join(", ", map(identifier, KINDS)),
)
# Editions of price lists are smaller; of a tier all that is said of itself counts more than what is lent to it.
_ITS_OWN = 2**60


class Prices(NamedTuple):
    """What a statement has to be told: what the names of models mean in the table, the rows that are to be in the table
    and are not, or not everywhere yet, and one's own."""

    names: Mapping[str, Sequence[str]] = {}
    """By the model as the table has it."""
    listed: Sequence[PriceRow] = ()
    own: Sequence[PriceRow] = ()
    met: Collection[str] = ()
    """All names that were looked at, also what means nothing."""

    @property
    def tiers(self) -> tuple[str, ...]:
        """All that may have a price of their own."""
        return tuple(sorted({*TIERS, *(row.tier for row in self.own)} - {""}))

    def of(self, names: Collection[str]) -> Prices:
        """Of these names alone."""
        called = {model: [one for one in its if one in names] for model, its in self.names.items()}
        meant = {model: its for model, its in called.items() if its}
        return self._replace(names=meant, listed=[row for row in self.listed if row.model in meant])


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
        "INSERT INTO model_prices ({columns}) SELECT {columns} FROM (SELECT * REPLACE ("
        "toDate32(valid_from) AS valid_from, toDate32(prices_date) AS prices_date) FROM ({rows}))",
        columns=_NAMES,
        rows=_told(rows),
    )


def chains(prices: Prices) -> Sql:
    """The prices of each model, as it is called, and tier, ``its_tier``, one after the other, without what a later
    edition says otherwise.

    Each of the tiers has a chain, of what is said of itself and of what holds without a tier: before one's own price
    of a tier holds, that of the list does.
    """
    return sql(
        "SELECT * FROM (SELECT *, max(rank) OVER (PARTITION BY model, its_tier ORDER BY valid_from) AS newest FROM ("
        "SELECT *, arrayJoin(if(tier = '', {tiers}, [tier])) AS its_tier, tier != its_tier AS lent,"
        " multiIf(edition <= {of_the_tier}, edition, edition = {own}, toUInt64(edition - lent),"
        " if(lent, edition, edition + {its_own})) AS rank FROM ({rows})))"
        " WHERE rank = newest LIMIT 1 BY model, its_tier, valid_from",
        tiers=["", *prices.tiers],
        of_the_tier=OF_THE_TIER,
        own=OWN,
        its_own=_ITS_OWN,
        rows=_all_rows(prices),
    )


def changes(prices: Prices) -> Sql:
    """The days on which prices change, the levels at which they do, and the parts of the day: three arrays.

    Also such as are of rows that do not count: by more of them, groups of responses are only smaller.
    """
    rows = [*prices.listed, *prices.own]
    days = sorted({ALWAYS_DAY, *(_day(row.valid_from) for row in rows)})
    levels = sorted({0, *(level for row in rows for level in row.quote.levels)})
    parts = sorted({0, *(part for row in rows for part in row.quote.day_parts)})
    told = sql(
        "JSONExtract({told}, 'Tuple(Array(Int32), Array(UInt64), Array(UInt32))')", told=_json([days, levels, parts])
    )
    if not prices.names:
        return sql("(SELECT {told})", told=told)
    return sql(
        "(SELECT (arraySort(arrayDistinct(arrayConcat(groupUniqArray(toInt32(valid_from)), told.1))),"
        " arraySort(arrayDistinct(arrayConcat(groupUniqArrayArray(levels), told.2))),"
        " arraySort(arrayDistinct(arrayConcat(groupUniqArrayArray(day_parts), told.3))), {told} AS told)"
        " FROM model_prices WHERE model IN {models})",
        told=told,
        models=tuple(prices.names),
    )


def is_listed(edition: Sql) -> Sql:
    """Whether a price of this edition is out of a price list."""
    return sql("{edition} > {no_list} AND {edition} < {own}", edition=edition, no_list=OF_THE_TIER, own=OWN)


def day_of(number: int) -> dt.date:
    """The date of so many days since 1970."""
    return _EPOCH + dt.timedelta(days=number)


def _all_rows(prices: Prices) -> Sql:
    rows = []
    if prices.own or not prices.names:
        rows.append(sql("SELECT {columns} FROM ({rows})", columns=_NAMES, rows=_told(prices.own)))
    if prices.names:
        listed = [stored_rows(tuple(prices.names))]
        if prices.listed:
            listed.append(sql("SELECT {columns} FROM ({rows})", columns=_NAMES, rows=_told(prices.listed)))
        called = sql("names.2[transform(model, names.1, arrayEnumerate(names.1), toUInt32(0))]")
        rows.append(
            sql(
                "SELECT * REPLACE (arrayJoin({called}) AS model) FROM ({listed})",
                called=called,
                listed=join(" UNION ALL ", listed),
            )
        )
    return join(" UNION ALL ", rows)


def names_of(prices: Prices) -> Sql:
    """``names``: the models as the table has them, and what each is called."""
    names = _json([list(prices.names), list(map(list, prices.names.values()))])
    return sql("(SELECT JSONExtract({names}, 'Tuple(Array(String), Array(Array(String)))')) AS names", names=names)


def _told(rows: Iterable[PriceRow]) -> Sql:
    """A SELECT of these rows, days as numbers."""
    # Materialized: of a large constant the server would make names of columns.
    return sql(
        "SELECT {columns} FROM (SELECT arrayJoin(JSONExtract(materialize({rows}), {structure})) AS one)",
        columns=_SENT,
        rows=_json([list(_row(row)) for row in rows]),
        structure=_STRUCTURE,
    )


def _day(date: dt.date) -> int:
    return (date - _EPOCH).days


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _row(row: PriceRow) -> Iterator[object]:
    yield from (row.model, row.tier, _day(row.valid_from), row.edition, row.source)
    yield from (_day(row.prices_date), row.quote.levels, row.quote.day_parts, row.quote.prices)
