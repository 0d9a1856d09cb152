"""Which prices one store has beside those in the table: its own ones, and those that it could not store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from agentstore.connection.sql import sql
from agentstore.errors import AgentStoreError
from agentstore.prices.history import additions
from agentstore.prices.listed import PriceList, can_be_listed, installed, price_list
from agentstore.prices.own import EDITION
from agentstore.prices.row import ALWAYS, PriceRow
from agentstore.protocols import Executor
from agentstore.read.conditions import text
from agentstore.read.price_rows_sql import Prices, insert_rows, rows_of, stored_rows

logger = logging.getLogger("agentstore")

_EVER = ("", ALWAYS)
# Of an INSERT, and of a list of models in a statement.
_PORTION = 500
# So many names are remembered, those of the organisations that were asked about last.
_MOST_NAMES = 100_000


class PriceBook:
    """Knows which models organisations have, and what they are in the table, under the names that the package has for
    them: what somebody called a model is a text of theirs, and stays with their messages.

    Learns the prices of models as they are met, and stores what it learns where it may. What it has looked up once it
    does not look up again: the package does not change while a process runs.
    """

    def __init__(self, own: Sequence[PriceRow] = ()) -> None:
        self._own: dict[str, list[PriceRow]] = {}
        for row in own:
            self._own.setdefault(row.model, []).append(row)
        # Of these no price of a list ever counts.
        self._settled = {row.model for row in own if row.edition == EDITION and (row.tier, row.valid_from) == _EVER}
        # By organisation, of each name that was met its model in the table, "" where there is none.
        self._names: dict[str, dict[str, str]] = {}
        self._looked_up: set[str] = set()
        self._not_stored: dict[str, list[PriceRow]] = {}
        self._warned = False

    async def prices(self, executor: Executor, org_id: str) -> Prices:
        """What a statement about the organisation has to be told."""
        if (names := self._names.get(org_id)) is not None:
            return self._told(names)
        of_org = sql(
            "SELECT DISTINCT toString(model) FROM message_facts WHERE org_id = {id}", id=text(org_id, "org_id")
        )
        columns = await executor.fetch(of_org)
        return await self._learn(executor, org_id, self._that_matter(columns[0] if columns else ()))

    async def learn(self, executor: Executor, org_id: str, models: Iterable[str], told: Prices) -> Prices | None:
        """What the next statement has to be told, where one that was ``told`` these prices found models that nobody
        had met before; None where there need not be a next one."""
        if not (new := [name for name in self._that_matter(models) if name not in told.met]):
            return None
        prices = await self._learn(executor, org_id, new)
        matter = any(self._names[org_id].get(name) or name in self._own for name in new)
        return prices if matter else None

    def _that_matter(self, models: Iterable[str]) -> list[str]:
        return [name for name in models if name in self._own or can_be_listed(name)]

    async def _learn(self, executor: Executor, org_id: str, names: Collection[str]) -> Prices:
        listed = await self._listed() if set(names) - self._settled else None
        found = await asyncio.to_thread(_models, listed, [name for name in names if name not in self._settled])
        new = await self._look_up(executor, listed, sorted(set(found.values()) - self._looked_up - {""}))
        known = self._names.pop(org_id, {})
        self._names[org_id] = known | dict.fromkeys(names, "") | found
        self._forget()
        return self._told(self._names[org_id], new)

    async def _look_up(self, executor: Executor, listed: PriceList | None, models: list[str]) -> list[PriceRow]:
        """The rows of these models that were not stored before."""
        known: dict[str, list[PriceRow]] = {}
        for portion in _portions(models):
            for row in rows_of(await executor.fetch(stored_rows(portion))):
                known.setdefault(row.model, []).append(row)
        if listed is None:
            self._warn(len(known) < len(models))
            return []
        new = await asyncio.to_thread(_new_rows, listed, models, known)
        try:
            for rows in _portions(new):
                await executor.execute(insert_rows(rows))
        except AgentStoreError as error:
            # Most likely this user may not write. The answer is the same; another store will have to look them up, too.
            # Where the server cannot be reached, the statement that follows says so.
            logger.debug("prices are not stored: %s", error)
            for model in models:
                self._not_stored[model] = [row for row in new if row.model == model]
        # Only now: who asks meanwhile has to look as well, since nothing is stored yet.
        self._looked_up.update(models)
        return new

    def _told(self, names: Mapping[str, str], new: Iterable[PriceRow] = ()) -> Prices:
        called: dict[str, list[str]] = {}
        for name, model in names.items():
            if model:
                called.setdefault(model, []).append(name)
        # What was stored just now another replica may not have yet.
        listed = {row: None for model in called for row in self._not_stored.get(model, ())} | dict.fromkeys(new)
        own = [row for name in names for row in self._own.get(name, ())]
        return Prices(called, list(listed), own, names)

    def _forget(self) -> None:
        """The organisations that were asked about first, where there are too many names."""
        many = sum(len(names) + 1 for names in self._names.values())
        while many > _MOST_NAMES and len(self._names) > 1:
            many -= len(self._names.pop(next(iter(self._names)))) + 1

    async def _listed(self) -> PriceList | None:
        return await asyncio.to_thread(price_list) if installed() else None

    def _warn(self, some_lack: bool) -> None:
        if some_lack and not self._warned:
            self._warned = True
            logger.warning("no list prices: pip install 'agentstore[cost]'; models without a price count as unpriced")


def _models(listed: PriceList | None, names: Collection[str]) -> dict[str, str]:
    """By name the model that it means. Without the package only what is called as the table has it is known."""
    return {name: listed.model(name) if listed else name for name in names if can_be_listed(name)}


def _new_rows(listed: PriceList, models: Collection[str], known: dict[str, list[PriceRow]]) -> list[PriceRow]:
    return [row for model in models for row in additions(known.get(model, []), listed.rows(model))]


def _portions(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + _PORTION] for start in range(0, len(items), _PORTION))
