"""The three sides of a comparison: the store, and the plain SQL over plain tables and over the store's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from agentstore import AsyncClickHouseStore
from agentstore.connection.dial import new_pool
from agentstore.connection.pool import Pool
from agentstore.connection.sql import sql
from agentstore.write.narrow import NARROW
from benchmarks import plain_tables
from benchmarks.baseline import Baseline
from benchmarks.corpus import BIG_ORG
from benchmarks.timing import Run, medians

HEADER = (
    "| {what} | plain SQL, plain tables | plain SQL, agentstore's tables | agentstore | faster than plain | target |\n"
    "|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Sides:
    """One corpus, asked three ways."""

    store: AsyncClickHouseStore
    pool: Pool
    plain: Baseline
    same_tables: Baseline
    rounds: int

    async def row(self, name: str, plainly: Callable[[Baseline], Awaitable[None]], ours: Run, target: str) -> None:
        """Print a line of a Markdown table: the medians of the sides, which take turns."""
        times = await medians(lambda: plainly(self.plain), lambda: plainly(self.same_tables), ours, rounds=self.rounds)
        cells = " | ".join(f"{time * 1e3:,.1f} ms" for time in times)
        print(f"| {name} | {cells} | {times[0] / times[2]:,.1f} × | {target} |", flush=True)


@asynccontextmanager
async def open_sides(target: str, database: str, *, rounds: int, merge: bool = False) -> AsyncIterator[Sides]:
    """Open the corpus and make the plain tables. ``merge``: merge all parts of both first, which indexes the texts."""
    patient: dict[str, Any] = {"query_timeout_seconds": 3600, "pool_timeout_seconds": 3600}
    async with AsyncClickHouseStore(target, database=database, **patient) as store:
        pool = new_pool(store.options)
        plain_pool = new_pool(plain_tables.options_of(store.options))
        try:
            if merge:
                for table in (*plain_tables.SORT_KEYS, *(copy.name for copy in NARROW), "session_floors"):
                    await plain_tables.merge_parts(pool, table)
            await plain_tables.fill(store.options, merge=merge)
            await _describe(pool)
            yield Sides(store, pool, Baseline(plain_pool, BIG_ORG), Baseline(pool, BIG_ORG), rounds)
        finally:
            await pool.aclose()
            await plain_pool.aclose()


async def _describe(pool: Pool) -> None:
    ((sessions,), (messages,), (calls,)) = await pool.fetch(
        sql("SELECT (SELECT count() FROM sessions), (SELECT count() FROM messages), (SELECT count() FROM tool_calls)")
    )
    ((parts,),) = await pool.fetch(
        sql("SELECT count() FROM system.parts WHERE active AND database = currentDatabase()")
    )
    print(f"{sessions:,} session, {messages:,} message and {calls:,} tool call rows in {parts} parts\n", flush=True)
