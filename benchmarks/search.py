"""Search beside the plain SQL of ``baseline.py``: one run, one server, one corpus (see ``corpus.py``).

python -m benchmarks.corpus --messages 1000000 local:/tmp/corpus
python -m benchmarks.search local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median, quantiles

from agentstore import AsyncClickHouseStore, SearchQuery
from agentstore.connection.dial import new_pool
from agentstore.connection.sql import sql
from benchmarks.baseline import Baseline
from benchmarks.corpus import BIG_ORG, MEDIUM, PHRASE, RARE
from benchmarks.timing import compare, seconds

NEEDLES = {
    "rare (under 100 hits)": (RARE.upper(), "15"),
    "rare, pasted phrase": (PHRASE, "15"),
    "absent": ("zzyzxnowhere", "30"),
    "medium (1 %)": (MEDIUM, "5"),
    "in nearly every row": ("the", "2"),
    "two characters": ("st", "1 / 1.1"),
    "two characters, absent": ("zj", "1 / 1.1"),
}
_CLIENTS = 32


async def search_table(store: AsyncClickHouseStore, baseline: Baseline, rounds: int) -> None:
    """Every kind of needle, first page."""
    print("| needle | plain SQL | agentstore | faster | target |\n|---|---|---|---|---|")
    for name, (needle, target) in NEEDLES.items():
        query = SearchQuery(query=needle)
        compared = await compare(
            name, partial(baseline.search, needle), partial(store.search, BIG_ORG, query), rounds=rounds
        )
        print(compared.row(f"≥ {target} ×"), flush=True)


async def second_page(store: AsyncClickHouseStore, rounds: int) -> None:
    """Page 2 beside page 1."""
    first = SearchQuery(query=MEDIUM)
    second = SearchQuery(query=MEDIUM, cursor=(await store.search(BIG_ORG, first)).next_cursor)
    compared = await compare(
        "page 2", partial(store.search, BIG_ORG, first), partial(store.search, BIG_ORG, second), rounds=rounds
    )
    print(f"\npage 2 takes {1 / compared.ratio:.2f} × the time of page 1")


async def concurrent(store: AsyncClickHouseStore, baseline: Baseline, rounds: int) -> None:
    """32 clients at once, each with its own kind of needle."""
    needles = [needle for needle, _ in list(NEEDLES.values())[:5]]

    async def ours(number: int) -> float:
        query = SearchQuery(query=needles[number % len(needles)])
        return await seconds(lambda: store.search(BIG_ORG, query))

    async def theirs(number: int) -> float:
        return await seconds(lambda: baseline.search(needles[number % len(needles)]))

    async def all_of(one: Callable[[int], Awaitable[float]]) -> tuple[float, list[float]]:
        times: list[float] = []

        async def at_once() -> None:
            times.extend(await asyncio.gather(*(one(number) for number in range(_CLIENTS))))

        return await seconds(at_once), times

    plain, _ = await all_of(theirs)
    walls, times = [], []
    for _ in range(rounds):
        wall, each = await all_of(ours)
        walls.append(wall)
        times += each
    p50, p99 = median(times), quantiles(times, n=100)[98]
    print(
        f"\n{_CLIENTS} concurrent searches: {plain / median(walls):.1f} × the throughput of the plain SQL"
        f" (target ≥ 3 ×), p50 {p50 * 1e3:,.0f} ms, p99 {p99 * 1e3:,.0f} ms = {p99 / p50:.1f} × p50 (target ≤ 5 ×)"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a loaded corpus")
    parser.add_argument("--database", default="corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--merge", action="store_true", help="merge all parts first, which indexes them")
    options = parser.parse_args()
    async with AsyncClickHouseStore(options.target, database=options.database, query_timeout_seconds=3600) as store:
        pool = new_pool(store.options)
        try:
            if options.merge:
                for statement in (sql("OPTIMIZE TABLE messages FINAL"), sql("OPTIMIZE TABLE tool_calls FINAL")):
                    await pool.execute(statement)
            ((messages,),) = await pool.fetch(sql("SELECT count() FROM messages"))
            ((parts,),) = await pool.fetch(
                sql("SELECT count() FROM system.parts WHERE active AND database = currentDatabase()")
            )
            print(f"{messages:,} message rows, {parts} parts\n")
            baseline = Baseline(pool, BIG_ORG)
            await search_table(store, baseline, options.rounds)
            await second_page(store, options.rounds)
            await concurrent(store, baseline, options.rounds)
        finally:
            await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
