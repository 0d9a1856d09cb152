"""What it cost: tokens of responses, each counted once, times what their models cost at that time."""

from __future__ import annotations

from typing import NamedTuple, Unpack

from agentstore.errors import InvalidArgumentError
from agentstore.filters import AnalyticsFilter, AnalyticsKeywords, takes_analytics_keywords
from agentstore.models import CostReport, CostRow, UnpricedModel
from agentstore.protocols import Columns
from agentstore.read.conditions import page_limit
from agentstore.read.costs_sql import KEYS, OF_ALL, OF_KEY, OF_MODEL, cost_statement
from agentstore.read.lanes import ReadLanes
from agentstore.read.price_book import PriceBook
from agentstore.read.price_rows_sql import day_of


class CostReads(ReadLanes):
    """Reads of money."""

    # What this store knows of prices beside the table: set by the store, which is told one's own.
    _price_book = PriceBook()

    @takes_analytics_keywords
    async def cost_by(
        self, org_id: str, key: str, *, limit: int = 100, **keywords: Unpack[AnalyticsKeywords]
    ) -> CostReport:
        """What responses cost at list price, by "model", "user", "project" (its name), "day", "agent" or "session".

        The most expensive first, days ascending; of sessions the ``limit`` most expensive (1 … 1000). Nothing is
        rounded but the sums: whole nanodollars, in each row and in the total.

        **What counts.** Each API response once, as in ``token_usage_by_model``. What a subagent spends is for user,
        project and agent of its root session, and for that session; it counts by the day on which the subagent began,
        and the filters' dates are about that, too. A day is that of a session's start in ``tz``, as in
        ``daily_activity``.

        **Which price.** That of the time of the response, or of the session's start where it does not say, or of the
        earliest price. Of its service tier (batch, flex, priority, fast), where that has prices of its own; of the
        level of its input, caches included. Tokens written to a cache for an hour and for five minutes, reasoning and
        web searches each have their price.

        **Where prices are from.** One's own (``prices`` of the store) win. Others are those of the table
        ``model_prices``, and where a model is not in there, of the package genai-prices (``agentstore[cost]``): then
        they are stored in it. So what was priced once keeps its price, with whatever package anybody comes. What a
        newer one says differently holds from its own date on. A model without a price is in ``unpriced`` with its
        tokens, and costs nothing in the rows, which say so.
        """
        heavy, book = self._heavy, self._price_book
        filter = AnalyticsFilter(**keywords)
        if key not in KEYS:
            raise InvalidArgumentError(f"key: expected one of {', '.join(KEYS)}, got {key!r}", field="key")
        most = page_limit(limit) if key == "session" else 0
        rows = _rows(await heavy.fetch(cost_statement(org_id, key, filter, book.rows, most)))
        unknown = book.unknown(_editions(rows))
        if unknown and (learned := await book.learn(heavy, unknown)):
            rows = _rows(await heavy.fetch(cost_statement(org_id, key, filter, [*book.rows, *learned], most)))
        return _report(key, rows)


class _Row(NamedTuple):
    """As ``cost_statement`` answers."""

    kind: int
    cost: CostRow
    unpriced: UnpricedModel
    edition: int
    prices_day: int


def _rows(columns: Columns) -> list[_Row]:
    # After the kind those of ``CostRow``, then those of ``UnpricedModel`` but for the model.
    return [
        _Row(row[0], CostRow(*row[1:14]), UnpricedModel(row[1], *row[14:19]), row[19], row[20])
        for row in zip(*columns, strict=True)
    ]


def _editions(rows: list[_Row]) -> dict[str, int]:
    """By model the edition of the prices that were found, 0 where some have none; without those that are one's own."""
    models = [row for row in rows if row.kind == OF_MODEL]
    return {
        row.cost.key: 0 if row.unpriced.responses else row.edition
        for row in models
        if row.unpriced.responses or row.edition
    }


def _report(key: str, rows: list[_Row]) -> CostReport:
    of_key = [row.cost for row in rows if row.kind == OF_KEY]
    total = next((row for row in rows if row.kind == OF_ALL), None)
    unpriced = [row.unpriced for row in rows if row.kind == OF_MODEL and row.cost.unpriced_tokens]
    return CostReport(
        rows=sorted(of_key, key=lambda row: row.key) if key == "day" else of_key,
        total=total.cost if total else CostRow(),
        unpriced=sorted(unpriced, key=lambda one: (-_tokens(one), one.model)),
        prices_date=day_of(total.prices_day) if total and total.edition else None,
    )


def _tokens(one: UnpricedModel) -> int:
    return one.input_tokens + one.cache_read_tokens + one.cache_write_tokens + one.output_tokens
