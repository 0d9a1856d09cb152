"""What sessions cost, for many who ask at once: one question at a time to the store, about all of them.

Of the time that a question about money takes most is planning, whether it is about one session or a thousand: twenty
people who leaf through lists would keep it busy with that. Nothing is kept: a question is asked after all who get
its answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from agentstore.models import CostReport, CostRow
from agentstore.store import AsyncClickHouseStore

# What the store takes at a time.
_MOST_SESSIONS = 1000
# So long after each question, as a share of what it took, the store is left to pages.
_REST = 0.5


class _Batch:
    """Sessions of one organisation that are asked about together."""

    def __init__(self, org: str, own: bool) -> None:
        self.org = org
        self.own = own
        self.ids: set[str] = set()
        self.answer: asyncio.Future[CostReport] = asyncio.get_running_loop().create_future()
        # An error that nobody waits for any more is nobody's.
        self.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())


class Costs:
    """Asks what sessions cost."""

    def __init__(self, store: AsyncClickHouseStore) -> None:
        self._store = store
        self._waiting: list[_Batch] = []
        self._asking: asyncio.Task[None] | None = None

    async def of(self, org: str, ids: Iterable[str], *, own: bool = False) -> dict[str, CostRow]:
        """By their ids, those by which anything was spent, as ``session_costs`` has it."""
        wanted = set(ids)
        if not wanted:
            return {}
        batch = self._batch(org, own, wanted)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Who goes away must not take the answer from the others.
        report = await asyncio.shield(batch.answer)
        return {row.key: row for row in report.rows if row.key in wanted}

    def _batch(self, org: str, own: bool, wanted: set[str]) -> _Batch:
        for one in self._waiting:
            if (one.org, one.own) == (org, own) and len(one.ids | wanted) <= _MOST_SESSIONS:
                break
        else:
            one = _Batch(org, own)
            self._waiting.append(one)
        one.ids |= wanted
        return one

    async def _ask(self) -> None:
        while self._waiting:
            batch = self._waiting.pop(0)
            began = time.monotonic()
            try:
                report = await self._store.session_costs(batch.org, sorted(batch.ids), own=batch.own)
            except Exception as error:
                batch.answer.set_exception(error)
            except asyncio.CancelledError:
                for one in (batch, *self._waiting):
                    one.answer.cancel()
                raise
            else:
                batch.answer.set_result(report)
            if self._waiting:
                await asyncio.sleep(_REST * (time.monotonic() - began))
