"""What it cost: tokens of responses, each counted once, times what their models cost at that time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any, Unpack

from agentstore.connection.sql import Sql
from agentstore.errors import InvalidArgumentError
from agentstore.filters import AnalyticsFilter, AnalyticsKeywords, takes_analytics_keywords
from agentstore.models import CostReport, CostRow, UnpricedModel
from agentstore.prices.row import nanodollars
from agentstore.protocols import Columns, Executor
from agentstore.read import session_costs_sql as few
from agentstore.read.concurrent import gather_both
from agentstore.read.conditions import expect, page_limit, several_ids, text
from agentstore.read.costs_sql import KEYS, OF_BOTH, OF_KEY, OF_MODEL, cost_of_sessions, cost_statement
from agentstore.read.lanes import ReadLanes
from agentstore.read.price_book import PriceBook
from agentstore.read.price_rows_sql import Prices, day_of
from agentstore.read.session_costs import Chains, Response, counted, paying, spending, spent
from agentstore.read.totals import OF_MANY_SESSIONS, OfSessions

# Of which costs are told at a time.
_MOST_SESSIONS = 1000


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
        they are stored in it. Without the package only models are priced that are called as that table has them
        ("claude-opus-4-5", not "claude-opus-4-5-20251101"). What was priced once keeps its price, with whatever package
        anybody comes. What a newer one says differently holds from its own date on. A model without a price is in
        ``unpriced`` with its tokens, and costs nothing in the rows, which say so.
        """
        heavy, book = self._heavy, self._price_book
        filter = AnalyticsFilter(**keywords)
        if key not in KEYS:
            raise InvalidArgumentError(f"key: expected one of {', '.join(KEYS)}, got {key!r}", field="key")
        most = page_limit(limit)

        def statement(prices: Prices) -> Sql:
            if key == "session":
                return cost_of_sessions(org_id, filter, prices, most)
            return cost_statement(org_id, key, filter, prices)

        found = await _found(heavy, book, org_id, statement, OF_MANY_SESSIONS)
        return found.report(by_key=key == "day")

    async def session_costs(self, org_id: str, session_ids: Iterable[str], *, own: bool = False) -> CostReport:
        """What these sessions cost, at most 1,000: a row for each by which anything was spent, as ``cost_by`` has it.

        With ``own`` each for itself, without its subagents; then subagents have rows, too. Else what a subagent spends
        is in the row of its root session alone. So the own costs of a session and of all subagents below it are what
        it costs without ``own``.

        It counts as ``cost_by`` does: sessions that are listed, deleted ones not, each response once. What a fork or a
        resume copied costs nothing there, but in the session that it belongs to. Only these sessions and their
        subagents are read.
        """
        pool, book, organisation = self._open_pool, self._price_book, text(org_id, "org_id")
        ids = several_ids(session_ids, "session_ids")
        expect(own, bool, "own")
        if len(ids) > _MOST_SESSIONS:
            raise InvalidArgumentError(
                f"session_ids: expected at most {_MOST_SESSIONS}, got {len(ids)}", field="session_ids"
            )
        if not ids:
            return _Costs([]).report(by_key=False)
        if (found := await _of_rows(pool, book, organisation, ids, own=own)) is None:
            filter = OfSessions(ids=tuple(ids), own=own)
            found = await _found(
                pool,
                book,
                organisation,
                lambda prices: cost_of_sessions(organisation, filter, prices, _MOST_SESSIONS),
                {},
            )
        return found.report(by_key=False)


async def _found(
    executor: Executor,
    book: PriceBook,
    org_id: str,
    statement: Callable[[Prices], Sql],
    settings: Mapping[str, Any],
) -> _Costs:
    """What a statement finds that knows all prices it needs."""
    statement(Prices())  # what cannot be asked is refused before anything is
    told = await book.prices(executor, org_id)
    found = _Costs(_rows(await executor.fetch(statement(told), settings)))
    if (more := await book.learn(executor, org_id, found.models, told)) is not None:
        found = _Costs(_rows(await executor.fetch(statement(more), settings)))
    return found


async def _of_rows(executor: Executor, book: PriceBook, org_id: str, ids: Sequence[str], *, own: bool) -> _Costs | None:
    """The same of some sessions, from their rows; None where there are too many of these."""
    may_pay = spending(await executor.fetch(few.payers(org_id, ids, own=own)))
    sessions = sorted(may_pay)
    if not sessions:
        return _Costs(())
    if len(sessions) > few.MOST_SESSIONS:
        return None
    subagents = [id for id, payers in may_pay.items() if not all(one.itself for one in payers)]
    rows, itself = await gather_both(
        lambda: executor.fetch(few.responses(org_id, sessions)),
        lambda: _sessions_of_their_own(executor, org_id, subagents),
    )
    if not rows:
        return _Costs(())
    if len(rows[0]) > few.MOST_ROWS:
        return None
    told = await book.prices(executor, org_id)
    told = await book.learn(executor, org_id, {*rows[4]}, told) or told
    chains = Chains(await executor.fetch(few.price_chains(told.of({*rows[4]}))))
    responses = counted(starmap(Response, zip(*rows, strict=True)))
    # In a thread: twenty thousand rows would hold the loop for a tenth of a second.
    amounts_of = await asyncio.to_thread(spent, responses, paying(may_pay, itself), chains, told.tiers)
    return _Costs(
        (OF_BOTH, id, model, title, itself, started, id, *amounts.sums, amounts.edition, amounts.date)
        for (id, model), amounts in amounts_of.items()
        for itself, started, title in (amounts.name,)
    )


async def _sessions_of_their_own(executor: Executor, org_id: str, subagents: Sequence[str]) -> set[str]:
    columns = await executor.fetch(few.sessions_of_their_own(org_id, subagents)) if subagents else ()
    return {*columns[0]} if columns else set()


def _rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    return zip(*columns, strict=True)


class _Sums:
    """Of one key or one model, exact: in the order of ``costs_sql``."""

    def __init__(self) -> None:
        self.name = ""
        self.named = (-1, 0, "")
        self.edition = 0
        self.prices_day = 0
        self.amounts = [0] * 15

    def add(self, amounts: Sequence[int], edition: int, prices_day: int) -> None:
        self.amounts = [one + more for one, more in zip(self.amounts, amounts, strict=True)]
        if edition:  # else the prices are one's own, or there is none
            self.edition, self.prices_day = max((self.edition, self.prices_day), (edition, prices_day))

    def call(self, name: str, named: tuple[int, int, str]) -> None:
        """By the name that came last."""
        if named > self.named:
            self.name, self.named = name, named

    @property
    def counts(self) -> bool:
        """Whether there is anything but responses: an agent may write some that nobody asked for."""
        cost, reported, _, *tokens = self.amounts[:10]
        return any((cost, reported, *tokens))

    def row(self, key: str) -> CostRow:
        cost, reported, responses, input, read, short_write, long_write, said, thought, searches = self.amounts[:10]
        return CostRow(
            key=key,
            name=self.name,
            cost_nanodollars=nanodollars(cost),
            reported_cost_nanodollars=reported,
            responses=responses,
            input_tokens=input,
            cache_read_tokens=read,
            cache_write_tokens=short_write + long_write,
            cache_write_1h_tokens=long_write,
            output_tokens=said + thought,
            reasoning_tokens=thought,
            web_searches=searches,
            unpriced_tokens=self.unpriced_tokens,
        )

    @property
    def unpriced_tokens(self) -> int:
        return sum(self.amounts[11:])

    def unpriced(self, model: str) -> UnpricedModel:
        return UnpricedModel(model, *self.amounts[10:])


class _Costs:
    """Rows as those of ``cost_statement`` by key and by model. A row that is of both is added to both."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._keys: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._models: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._total = _Sums()
        for kind, key, model, name, own, moment, id, *amounts, edition, day in rows:
            if kind != OF_MODEL:
                self._keys[key].add(amounts, edition, day)
                self._keys[key].call(name, (own, moment, id))
            if kind != OF_KEY:
                self._models[model].add(amounts, edition, day)
                self._total.add(amounts, edition, day)

    @property
    def models(self) -> list[str]:
        """Those of which there is anything."""
        return [model for model, sums in self._models.items() if sums.counts]

    def report(self, *, by_key: bool) -> CostReport:
        """The most expensive first, or by key."""
        rows = sorted(((key, sums) for key, sums in self._keys.items() if sums.counts), key=lambda row: row[0])
        if not by_key:
            rows.sort(key=lambda row: -row[1].amounts[0])
        unpriced = sorted((-sums.unpriced_tokens, model) for model, sums in self._models.items())
        return CostReport(
            rows=[sums.row(key) for key, sums in rows],
            total=self._total.row(""),
            unpriced=[self._models[model].unpriced(model) for tokens, model in unpriced if tokens],
            prices_date=day_of(self._total.prices_day) if self._total.edition else None,
        )
