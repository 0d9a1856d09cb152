"""Which prices one store has beside those in the table: its own ones, and those that it could not store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from agentstore.errors import AgentStoreError
from agentstore.prices.history import additions
from agentstore.prices.listed import PriceList, can_be_listed, installed, price_list, version_number
from agentstore.prices.row import PriceRow
from agentstore.protocols import Executor
from agentstore.read.price_rows_sql import insert_rows, rows_of, stored_rows

logger = logging.getLogger("agentstore")


class PriceBook:
    """Learns the prices of models as they are met, and stores what it learns where it may.

    What it has looked up once it does not look up again: the package does not change while a process runs.
    """

    def __init__(self, own: Sequence[PriceRow] = ()) -> None:
        self._own = list(own)
        # In the order in which they were learned, each once.
        self._not_stored: dict[PriceRow, None] = {}
        self._looked_up: dict[str, int] = {}
        self._lookups = 0
        self._warned = False

    @property
    def rows(self) -> list[PriceRow]:
        """What a statement has to be told of."""
        return [*self._own, *self._not_stored]

    @property
    def moment(self) -> int:
        """Before a statement: what others look up while it runs it may not have seen."""
        return self._lookups

    def unknown(self, editions: dict[str, int], since: int) -> list[str]:
        """Which models to look up, of those met: ``editions`` are of the prices that they were found to have, or 0, by
        a statement that began at the moment ``since``."""
        version = version_number(installed())
        return [
            model
            for model, edition in editions.items()
            # Of an edition of this version nothing new is to be learned, and the package need not be loaded.
            if can_be_listed(model)
            and self._looked_up.get(model, since + 1) > since
            and (not edition or edition % 10**9 < version)
        ]

    async def learn(self, executor: Executor, models: Collection[str]) -> list[PriceRow] | None:
        """Look these models up, and store what is new: the new rows, which the next statement has to be told of.

        None where no price of any of them is known: there need not be a next one.
        """
        listed = await self._listed()
        if listed is None:
            return None
        known: dict[str, list[PriceRow]] = {}
        for row in rows_of(await executor.fetch(stored_rows(list(models)))):
            known.setdefault(row.model, []).append(row)
        new = await asyncio.to_thread(_new_rows, listed, models, known)
        if new:
            await self._store(executor, new)
        # Only now: who asks meanwhile has to look as well, since nothing is stored yet.
        self._lookups += 1
        self._looked_up.update(dict.fromkeys(models, self._lookups))
        # Another store may have stored since the statement what is not new to this one.
        return new if new or known else None

    async def _listed(self) -> PriceList | None:
        if installed():
            return await asyncio.to_thread(price_list)
        if not self._warned:
            self._warned = True
            logger.warning("no list prices: pip install 'agentstore[cost]'; models without a price count as unpriced")
        return None

    async def _store(self, executor: Executor, rows: list[PriceRow]) -> None:
        try:
            await executor.execute(insert_rows(rows))
        except AgentStoreError as error:
            # Most likely this user may not write. The answer is the same; another store will have to look them up, too.
            # Where the server cannot be reached, the statement that follows says so.
            logger.debug("prices are not stored: %s", error)
            self._not_stored |= dict.fromkeys(rows)


def _new_rows(listed: PriceList, models: Collection[str], known: dict[str, list[PriceRow]]) -> list[PriceRow]:
    return [row for model in models for row in additions(known.get(model, []), listed.rows(model))]
