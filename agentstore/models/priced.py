"""Records about money: one's own prices, what a cost is made of, and the summary that has one."""

from __future__ import annotations

import datetime as dt

import msgspec

from agentstore.models.answered import (
    DailyActivity,
    HeatmapCell,
    ModelTokenUsage,
    ProjectUsage,
    SummaryTotals,
    ToolUsageStat,
    UserUsage,
)
from agentstore.models.record import Record


class ModelPrice(Record, frozen=True):
    """A price of one's own, for ``AsyncClickHouseStore(…, prices=[…])``: it wins over the list price.

    ``model`` is the name as messages have it. Prices are whole picodollars per token (a dollar for a million tokens is
    1,000,000 of them), ``web_search`` picodollars for a search. None is the price that this is a part of: of
    ``cache_read`` and ``cache_write`` that of ``input``, of ``cache_write_1h`` that of ``cache_write``, of
    ``reasoning`` that of ``output``.

    It holds from midnight UTC of ``valid_from`` on, None always, and where the response had more input than
    ``above`` tokens, those in caches counted: several prices that differ in ``above`` alone are the levels of one,
    and that of 0 has to be there. With a ``service_tier`` ("batch", "priority", …) it is for that tier alone; without
    one, for each tier that has no price of one's own then.
    """

    model: str
    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    web_search: int = 0
    service_tier: str = ""
    valid_from: dt.date | None = None
    above: int = 0


class CostRow(Record, frozen=True):
    """What the responses of one key cost at list prices, in nanodollars, rounded once (half to even).

    ``name`` is that of a user, or the title of a session; "" otherwise. Tokens are all there are, priced or not:
    ``cache_write_1h_tokens`` are a part of ``cache_write_tokens``, ``reasoning_tokens`` of ``output_tokens``.
    ``unpriced_tokens`` of them, input and output, cost something that is not in here: no price of their models is
    known. ``reported_cost_nanodollars`` is what agents themselves said of these responses, 0 where they said nothing;
    the two are never mixed.
    """

    key: str = ""
    name: str = ""
    cost_nanodollars: int = 0
    reported_cost_nanodollars: int = 0
    responses: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0
    unpriced_tokens: int = 0


class UnpricedModel(Record, frozen=True):
    """A model of which no price is known, at least not for these responses."""

    model: str = ""
    responses: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0


class CostReport(Record, frozen=True):
    """What ``cost_by`` found. ``total`` is all of it, also what a limit left out of ``rows``, rounded once.

    ``prices_date`` is the date of the newest price table that a price in here is from; None where there is no price, or
    all are one's own.
    """

    rows: list[CostRow] = msgspec.field(default_factory=list)
    total: CostRow = CostRow()
    unpriced: list[UnpricedModel] = msgspec.field(default_factory=list)
    prices_date: dt.date | None = None


class Summary(Record, frozen=True):
    """All that an overview shows, over one span: what ``summary`` found.

    ``days``, ``heatmap``, ``tools`` and ``models`` are as their own methods answer, ``cost`` as ``cost_by`` "model". Of
    ``users``, each has one row over all agents and projects, whose names are ""; users and projects are those with the
    most sessions first.
    """

    totals: SummaryTotals = SummaryTotals()
    days: list[DailyActivity] = msgspec.field(default_factory=list)
    heatmap: list[HeatmapCell] = msgspec.field(default_factory=list)
    tools: list[ToolUsageStat] = msgspec.field(default_factory=list)
    models: list[ModelTokenUsage] = msgspec.field(default_factory=list)
    users: list[UserUsage] = msgspec.field(default_factory=list)
    projects: list[ProjectUsage] = msgspec.field(default_factory=list)
    cost: CostReport = CostReport()
