"""What people wait for who look at the pages together, beside an import, on a corpus.

The pages are a process of their own, as ``agentstore web`` starts it. Clients that have logged in ask for a page each
second (``web_viewers.py`` has the mix), with ``--scripts`` also for what a browser asks for then. Beside them
``agentstore import --watch`` stores what is written into a folder, event streams are open, and the library itself makes
the same store calls, which shows the store's own share. At the end the pages are started once more, and told to end
while everybody asks.

The corpus has a long session and what was imported more afterwards. The exit code is 1 where anything went wrong.

    python -m benchmarks.corpus --messages 1000000 local:/tmp/corpus
    python -m benchmarks.web local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import html
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from agentstore import AsyncClickHouseStore, Session, SessionFilter
from agentstore.errors import NotFoundError
from benchmarks import web_viewers as asked
from benchmarks.corpus import BIG_ORG
from benchmarks.web_calls import Calls
from benchmarks.web_ending import ending
from benchmarks.web_process import Pages, Target, importing, served
from benchmarks.web_viewers import Aim, Log, Viewer, browser, log_in, looks
from benchmarks.web_writing import written
from benchmarks.windows import transcript

LONG_ID = "web-long"
_CHARACTERS = 5000
_WARM_UP = 5.0
_KNOWN = 500
_LONGEST = 10
_CALLS_A_SECOND = 1.0
# p95, in milliseconds.
TARGETS = {
    **dict.fromkeys((asked.LIST, asked.FILTERED, asked.LATER, asked.FIRST, asked.LONG), 200),
    **dict.fromkeys((asked.SUBSTRING, asked.BY_WORDS), 500),
}


@dataclass
class Streams:
    """Event streams that are open: how much they were told, and how many ended by themselves."""

    news: int = 0
    ended: int = 0


async def aim_at(store: AsyncClickHouseStore, org: str, long: int) -> Aim:
    """What there is in the corpus, with a session of so many messages and ten thousand characters for each."""
    known_as_long = 0
    with contextlib.suppress(NotFoundError):
        known_as_long = (await store.get_session(org, LONG_ID)).message_count
    if long > known_as_long:
        said, calls = transcript(random.Random(18), LONG_ID, long, _CHARACTERS)
        begun = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        session = Session(LONG_ID, started_at=begun, user_message_count=1, message_count=long)
        await store.write_session(org, session, said, calls, replace=True)
    known, cursor = list[Session](), ""
    while len(known) < _KNOWN and (cursor or not known):
        page = await store.list_sessions(
            org, SessionFilter(cursor=cursor, active_to=dt.datetime(2026, 6, 1, tzinfo=dt.UTC))
        )
        known, cursor = known + page.sessions, page.next_cursor
    known.sort(key=lambda one: one.message_count)
    return Aim(
        ids=[one.id for one in known],
        long_ids=[LONG_ID] if long else [one.id for one in known[-_LONGEST:]],
        projects=sorted({one.project_id for one in known if one.project_id}),
        users=sorted({one.user_id for one in known if one.user_id}),
        agents=sorted({one.agent_type for one in known if one.agent_type}),
    )


async def panels_of(client: httpx.AsyncClient) -> list[str]:
    """The addresses of the panels of the overview, as its page has them."""
    answer = await client.get("/overview", params={"since": "all"})
    return [html.unescape(one) for one in re.findall(r'data-panel="([^"]+)"', answer.text)]


@contextlib.asynccontextmanager
async def listening(pages: Pages, number: int) -> AsyncIterator[Streams]:
    """So many event streams, until the end of the block."""
    told = Streams()

    async def listen(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/live", timeout=None) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                told.news += line == "event: news"
        told.ended += 1

    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(browser(pages.address))
        await log_in(client, pages.token)
        tasks = [asyncio.create_task(listen(client)) for _ in range(number)]
        try:
            yield told
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            told.ended += sum(isinstance(one, Exception) for one in ends)


async def again(run: Callable[[], object], a_second: float, until: float) -> None:
    """Something so often, without catching up."""
    while time.perf_counter() < until:
        began = time.perf_counter()
        found = run()
        if asyncio.iscoroutine(found):
            await found
        await asyncio.sleep(max(0.0, began + 1 / a_second - time.perf_counter()))


async def measure(options: argparse.Namespace, target: Target, store: AsyncClickHouseStore, aim: Aim) -> bool:
    """The long run. Whether all went well."""
    folder, began = target.home / "projects", dt.datetime.now(dt.UTC)
    write = written(folder)
    pages_log, store_log = Log(), Log()
    async with contextlib.AsyncExitStack() as stack:
        pages = await stack.enter_async_context(served(target))
        clients = [await stack.enter_async_context(browser(pages.address)) for _ in range(options.clients)]
        for client in clients:
            await log_in(client, pages.token)
        aim.panels = await panels_of(clients[0])
        viewers = [
            Viewer(client, aim, pages_log, number, scripts=options.scripts, heavy=options.heavy)
            for number, client in enumerate(clients)
        ]
        calls = Calls(store, target.org, aim, store_log)
        await stack.enter_async_context(importing(target, folder))
        streams = await stack.enter_async_context(listening(pages, options.streams))
        resident: list[float] = []

        async def warm() -> None:
            await asyncio.sleep(_WARM_UP)
            pages_log.clear()
            store_log.clear()
            resident.append(pages.resident())

        until = time.perf_counter() + _WARM_UP + options.seconds
        async with asyncio.TaskGroup() as group:
            for number, viewer in enumerate(viewers):
                group.create_task(looks(viewer, number / len(viewers), until))
            group.create_task(again(calls.one, _CALLS_A_SECOND, until))
            group.create_task(again(write, options.imports, until))
            group.create_task(warm())
        resident.append(pages.resident())
        ended = streams.ended
    stored = (await store.list_sessions(target.org, SessionFilter(active_from=began, limit=1))).total
    print(_table(pages_log, store_log))
    print(f"\n{options.clients} clients, {options.seconds:.0f} s; {stored} sessions were imported meanwhile;")
    print(f"{options.streams} event streams were told {streams.news} times, {ended} of them ended by themselves;")
    print(f"the pages' process had {resident[0]:.0f} MB after {_WARM_UP:.0f} s and {resident[1]:.0f} MB at the end.")
    for kind, wrong in pages_log.wrong_kinds.items():
        print(f"\nwrong: {kind}: {dict(wrong)}")
    return not (pages_log.errors or ended) and bool(stored)


def _table(pages: Log, store: Log) -> str:
    rows = [
        "| | asked | p50 | p95 | max | target of p95 | the store alone: p50, p95 | wrong |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in sorted({*pages.seconds, *pages.wrong}):
        times = sorted(pages.seconds.get(kind, ())) or [0.0]
        beside = sorted(store.seconds.get(kind, ()))
        target = f"{TARGETS[kind]} ms" if kind in TARGETS else ""
        own = f"{_at(beside, 50):.0f}, {_at(beside, 95):.0f} ms" if beside else ""
        figures = " | ".join(f"{_at(times, share):.0f} ms" for share in (50, 95, 100))
        rows.append(f"| {kind} | {len(times)} | {figures} | {target} | {own} | {pages.wrong[kind].total()} |")
    return "\n".join(rows)


def _at(times: list[float], percent: int) -> float:
    """Milliseconds of which so many times are no longer."""
    return times[min(len(times) - 1, len(times) * percent // 100)] * 1e3


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a loaded corpus")
    parser.add_argument("--database", default="corpus")
    parser.add_argument("--org", default=BIG_ORG)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--scripts",
        action="store_true",
        help="also what the scripts of the pages ask for: two and a half requests a second in place of one",
    )
    parser.add_argument("--heavy", action="store_true", help="also searches by words, and panels of the overview")
    parser.add_argument("--streams", type=int, default=7, help="event streams that are open meanwhile")
    parser.add_argument("--imports", type=float, default=1.0, help="sessions a second that the import has to store")
    parser.add_argument("--long", type=int, default=5000, help="messages of the long session; 0: the corpus's longest")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentstore-bench-") as home:
        dsn = f"{options.target}{'&' if '?' in options.target else '?'}database={options.database}"
        target = Target(dsn, options.org, Path(home))
        async with AsyncClickHouseStore(dsn) as store:
            aim = await aim_at(store, options.org, options.long)
            is_well = await measure(options, target, store, aim)
            is_well &= await ending(target, aim, options.clients)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
