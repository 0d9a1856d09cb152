"""Search beside the plain SQL of ``baseline.py``: one run, one server, one corpus (see ``corpus.py``).

The plain SQL runs twice: over plain tables, as a first store has them, and over agentstore's own, which shows what is
owed to the tables and what to the queries.

python -m benchmarks.corpus --messages 1000000 local:/tmp/corpus
python -m benchmarks.search --merge local:/tmp/corpus
python -m benchmarks.search --fresh 20000 local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median, quantiles

from agentstore import SearchQuery, Session, ToolCall
from agentstore.connection.sql import sql
from benchmarks import plain_tables
from benchmarks.baseline import Baseline
from benchmarks.corpus import BIG_ORG, MEDIUM, PHRASE, RARE, Corpus, load
from benchmarks.sides import HEADER, Sides, open_sides
from benchmarks.timing import medians, seconds

NEEDLES = {
    "rare (under 100 hits)": (RARE.upper(), "≥ 35 ×, ≤ 50 ms"),
    "rare, pasted phrase": (PHRASE, "≥ 35 ×, ≤ 50 ms"),
    "absent": ("zzyzxnowhere", "≥ 80 ×, ≤ 20 ms"),
    "medium (1 %)": (MEDIUM, "≥ 6 ×"),
    "in nearly every row": ("the", "≥ 4 ×"),
    "two characters": ("st", "≥ 0.9 ×"),
    "two characters, absent": ("zj", "≥ 0.9 ×"),
}
WORDS = {
    "rare": RARE,
    "absent": "zzyzxnowhere",
    "sixty-four, all absent": " ".join(f"zzyzx{number}" for number in range(64)),
    "medium (1 %)": MEDIUM,
    "in nearly every row": "the",
    "in every second tool call": "undefined",
    "frequent and medium": f"the {MEDIUM}",
}
_FRESH_TARGET = "half of the merged"
_CLIENTS = 32
_GIANT_BYTES = 4_000_000
_GIANTS = 60


async def search_table(sides: Sides, target: str = "") -> None:
    """Every kind of needle, first page."""
    print(HEADER.format(what="needle"))
    for name, (needle, own_target) in NEEDLES.items():
        await sides.row(
            name,
            lambda plain, needle=needle: plain.search(needle),  # type: ignore[misc]
            partial(sides.store.search, BIG_ORG, SearchQuery(query=needle)),
            target or own_target,
        )


async def words_table(sides: Sides) -> None:
    """Every kind of words, first page; there is no plain SQL that ranks."""
    print("\n| words | agentstore | target |\n|---|---|---|")
    for name, query in WORDS.items():
        [time] = await medians(
            partial(sides.store.search, BIG_ORG, SearchQuery(query=query, mode="words")), rounds=sides.rounds
        )
        print(f"| {name} | {time * 1e3:,.0f} ms | ≤ 1,000 ms |", flush=True)


async def second_page(sides: Sides) -> None:
    """Page 2 beside page 1."""
    store = sides.store
    first = SearchQuery(query=MEDIUM)
    second = SearchQuery(query=MEDIUM, cursor=(await store.search(BIG_ORG, first)).next_cursor)
    times = await medians(
        partial(store.search, BIG_ORG, first), partial(store.search, BIG_ORG, second), rounds=sides.rounds
    )
    print(f"\npage 2 takes {times[1] / times[0]:.2f} × the time of page 1 (target ≤ 1 ×)")


async def concurrent(sides: Sides) -> None:
    """32 clients at once, each with its own kind of needle."""
    needles = [needle for needle, _ in list(NEEDLES.values())[:5]]

    async def ours(number: int) -> float:
        query = SearchQuery(query=needles[number % len(needles)])
        return await seconds(lambda: sides.store.search(BIG_ORG, query))

    async def theirs(number: int) -> float:
        return await seconds(lambda: sides.plain.search(needles[number % len(needles)]))

    async def all_of(one: Callable[[int], Awaitable[float]]) -> tuple[float, list[float]]:
        times: list[float] = []

        async def at_once() -> None:
            times.extend(await asyncio.gather(*(one(number) for number in range(_CLIENTS))))

        return await seconds(at_once), times

    plain, _ = await all_of(theirs)
    walls, times = [], []
    for _ in range(sides.rounds):
        wall, each = await all_of(ours)
        walls.append(wall)
        times += each
    p50, p99 = median(times), quantiles(times, n=100)[98]
    print(
        f"\n{_CLIENTS} concurrent searches: {plain / median(walls):.1f} × the throughput of the plain SQL"
        f" (target ≥ 10 ×), p50 {p50 * 1e3:,.0f} ms, p99 {p99 * 1e3:,.0f} ms = {p99 / p50:.1f} × p50 (target ≤ 5 ×)"
    )


async def memory(sides: Sides) -> None:
    """What the client holds at most while it fetches a page of hits in texts of megabytes."""
    org_id, needle = "giants", "needle"
    text = "x" * (_GIANT_BYTES // 2) + needle + "y" * (_GIANT_BYTES // 2)
    for number in range(_GIANTS):
        call = ToolCall(message_ordinal=number, tool_use_id=f"t{number}", result_content=text)
        await sides.store.write_session(org_id, Session(id="giant", user_message_count=1), [], [call])
    del text
    await plain_tables.fill(sides.store.options, merge=False)
    peaks = []
    for run in (
        lambda: Baseline(sides.plain.executor, org_id).search(needle),
        lambda: sides.store.search(org_id, SearchQuery(query=needle)),
    ):
        tracemalloc.start()
        await run()
        peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    await sides.store.delete_sessions(org_id, ["giant"])
    print(
        f"\na page of 50 hits in texts of {_GIANT_BYTES / 1e6:.0f} MB each: the client holds at most {peaks[1]:.1f} MB,"
        f" the plain SQL's {peaks[0]:,.0f} MB"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a loaded corpus")
    parser.add_argument("--database", default="corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--merge", action="store_true", help="merge all parts first, which indexes them")
    parser.add_argument("--fresh", type=int, default=0, help="stop merges and write so many messages more first")
    options = parser.parse_args()
    async with open_sides(options.target, options.database, rounds=options.rounds, merge=options.merge) as sides:
        if options.fresh:
            await fresh(sides, options.fresh)
            return
        await search_table(sides)
        await words_table(sides)
        await second_page(sides)
        await concurrent(sides)
        await memory(sides)


async def fresh(sides: Sides, messages: int) -> None:
    """The table again, with parts that were written a moment ago and have no index yet."""
    tables = [sql("messages"), sql("tool_calls")]
    for table in tables:
        await sides.pool.execute(sql("SYSTEM STOP MERGES {table}", table=table))
    try:
        await load(sides.store, Corpus(messages, seed=messages), quiet=True)
        await plain_tables.fill(sides.store.options, merge=False)
        print(f"with {messages:,} messages written just now, unmerged:\n")
        await search_table(sides, _FRESH_TARGET)
    finally:
        for table in tables:
            await sides.pool.execute(sql("SYSTEM START MERGES {table}", table=table))


if __name__ == "__main__":
    asyncio.run(main())
