"""What sessions cost. It takes the store as long as the page that it is for, and seldom changes: it is kept a while."""

from __future__ import annotations

import datetime as dt
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agentstore.faces.money import dollars
from agentstore.integrations.running import Turns
from agentstore.models import CostRow
from agentstore.store import AsyncClickHouseStore

_SECONDS = 60.0
_MOST_KNOWN = 20_000
# What the store is asked about at a time: as much as ``session_costs`` takes.
_MOST_ASKED = 1_000


class Spent(NamedTuple):
    """What a session took; no row where that is nothing. ``prices_date`` as in ``CostReport``."""

    row: CostRow | None = None
    prices_date: dt.date | None = None


class KnownCosts:
    """Costs of sessions, at most a minute old. One question at a time to the store, however many look: what is wanted
    while one is asked is asked for together."""

    def __init__(self, store: AsyncClickHouseStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        # By organisation, id and whether without subagents; the longest known first.
        self._known: OrderedDict[tuple[str, str, bool], tuple[float, Spent]] = OrderedDict()
        self._wanted: dict[tuple[str, bool], set[str]] = {}
        self._turns = Turns(running=1, waiting=200)

    async def of(self, org: str, ids: Sequence[str], *, own: bool = False) -> dict[str, Spent]:
        """By the session's id; with what its subagents cost, or its own alone."""
        if missing := self._missing(org, ids, own):
            self._wanted.setdefault((org, own), set()).update(missing)
            async with self._turns:
                # Who was before us may have asked for the same.
                if missing := self._missing(org, ids, own):
                    others = self._missing(org, sorted(self._wanted.pop((org, own), ())), own)
                    await self._ask(org, list(dict.fromkeys([*missing, *others]))[:_MOST_ASKED], own)
        return {id: self._known[org, id, own][1] for id in ids if (org, id, own) in self._known}

    def _missing(self, org: str, ids: Sequence[str], own: bool) -> list[str]:
        since = self._clock() - _SECONDS
        return [id for id in dict.fromkeys(ids) if (org, id, own) not in self._known or self._at(org, id, own) < since]

    def _at(self, org: str, id: str, own: bool) -> float:
        return self._known[org, id, own][0]

    async def _ask(self, org: str, ids: Sequence[str], own: bool) -> None:
        report = await self._store.session_costs(org, ids, own=own)
        rows = {row.key: row for row in report.rows}
        now = self._clock()
        for id in ids:
            self._known[org, id, own] = (now, Spent(rows.get(id), report.prices_date))
            self._known.move_to_end((org, id, own))
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def shown(row: CostRow | None) -> str:
    """Dollars, with a sign where something has no price; "" where there is nothing to pay."""
    if row is None:
        return ""
    amount = dollars(row.cost_nanodollars) if row.cost_nanodollars else ""
    return f"{amount} + ?".strip() if row.unpriced_tokens else amount
