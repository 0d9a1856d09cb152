"""What a small read, a ping and a write wait while many clients of the same store search.

Twenty tasks search a corpus without a pause. Beside them one task asks for a session, one pings, and one writes a
session, each again and again. The first store keeps searches to half of its connections, as a store does by itself;
the second lets them have all but one. They take turns, so a busy machine is busy for both.

python -m benchmarks.crowd local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable

from agentstore import AsyncClickHouseStore, Message, SearchQuery, Session, SessionFilter
from benchmarks.corpus import BIG_ORG

NEEDLES = ("connection", "retry", "needle", "the", "timeout", "error")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a loaded corpus")
    parser.add_argument("--database", default="corpus")
    parser.add_argument("--searching", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| heavy reads | get_session p50, p99 | ping p50, p99 | write_session p50, p99 | searches/s |")
    print("|---|---|---|---|---|")
    for _ in range(options.rounds):
        for heavy in (0, 7):
            async with AsyncClickHouseStore(
                options.target, database=options.database, pool_size=8, pool_heavy_size=heavy
            ) as store:
                await _measure(store, options.searching, options.seconds)


async def _measure(store: AsyncClickHouseStore, searching: int, seconds: float) -> None:
    first = (await store.list_sessions(BIG_ORG, SessionFilter(limit=1))).sessions[0]
    searches = itertools.count()

    async def search(number: int) -> None:
        for needle in itertools.islice(itertools.cycle(NEEDLES), number, None):
            await store.search(BIG_ORG, SearchQuery(query=needle))
            next(searches)

    numbers = itertools.count()

    async def write() -> None:
        session = Session(id=f"crowd-{next(numbers)}", user_message_count=1)
        await store.write_session("crowd", session, [Message(ordinal=0, role="user", content="written in a crowd")])

    crowd = [asyncio.create_task(search(number)) for number in range(searching)]
    try:
        timed = await asyncio.gather(
            *(_times(run, seconds) for run in (lambda: store.get_session(BIG_ORG, first.id), store.ping, write))
        )
    finally:
        for task in crowd:
            task.cancel()
        ended = await asyncio.gather(*crowd, return_exceptions=True)
    if failed := [error for error in ended if not isinstance(error, asyncio.CancelledError)]:
        raise RuntimeError(f"a search failed: {failed[0]!r}")
    cells = " | ".join(f"{statistics.median(t) * 1e3:.0f}, {sorted(t)[len(t) * 99 // 100] * 1e3:.0f} ms" for t in timed)
    print(f"| {store.options.heavy_size} of 8 | {cells} | {next(searches) / seconds:.1f} |", flush=True)


async def _times(run: Callable[[], Awaitable[object]], seconds: float) -> list[float]:
    times = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        await run()
        times.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)
    return times


if __name__ == "__main__":
    asyncio.run(main())
