"""What the writer reaches, beside the bare driver, on one server in one run.

    python -m benchmarks.writer                # a local store of its own, in a temporary directory
    python -m benchmarks.writer --dsn DSN      # any server; its database agentstore_bench is dropped and recreated
    python -m benchmarks.writer --quick        # a smoke test: shows that it runs, measures nothing

* small: 64 concurrent tasks write their own small sessions (1 session, 20 messages of 500 bytes, 10 tool calls),
  against three inserts of the bare driver for each session over a pool of the same size; and one bulk write of them.
* bulk: client CPU per row of ``write_batch``, against the bare driver's insert of the same columns ready made.
* lone: one ``write_session`` at a time, against the same three inserts.
* stall: the longest time the event loop was held while 200 MB were written, by a task that ticks each millisecond. On a
  machine that does other things as well the loop is also held by them, so the CPU time this process used meanwhile is
  said too.
* memory: the server is stopped (SIGSTOP) while writers push on; the process's memory is shown as it goes.

Both sides take turns; the figures are medians of the rounds, a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import gc
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from agentstore import AsyncClickHouseStore, ConnectOptions, Message, Session, ToolCall, __version__
from agentstore.local.client.acquire import acquire, stop
from agentstore.settings import resolve_target
from benchmarks.plain import PlainWriter, columns_of

DATABASE = "agentstore_bench"
ORG = "bench"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TASKS = 64
MEGABYTE = 1024 * 1024

SmallSession = tuple[Session, list[Message], list[ToolCall]]


class Records:
    """Sessions of the size in question, with texts that do not compress to nothing."""

    def __init__(self) -> None:
        rng = random.Random(20260101)
        words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(5000)]
        self._texts = [" ".join(rng.choices(words, k=400)) for _ in range(500)]
        self._numbers = iter(range(10**9))

    def small(self) -> SmallSession:
        """A session, 20 messages of 500 bytes, 10 tool calls."""
        id = f"session-{next(self._numbers)}"
        session = Session(id=id, org_id=ORG, project_name="p", started_at=START, user_message_count=1)
        return session, self.messages(id, 20, 500), [self._call(id, n) for n in range(10)]

    def messages(self, id: str, count: int, size: int) -> list[Message]:
        """Messages of one session."""
        return [
            Message(
                ordinal=n,
                org_id=ORG,
                session_id=id,
                role="user",
                content=self._text(n, size),
                timestamp=START,
                model="m",
            )
            for n in range(count)
        ]

    def _call(self, id: str, number: int) -> ToolCall:
        return ToolCall(
            message_ordinal=number,
            org_id=ORG,
            session_id=id,
            tool_use_id=f"t{number}",
            tool_name="Bash",
            input_json='{"command": "make test"}',
            result_content=self._text(number, 100),
            result_content_length=100,
        )

    def _text(self, number: int, size: int) -> str:
        text = self._texts[number % len(self._texts)]
        while len(text) < size:
            text += self._texts[(number + len(text)) % len(self._texts)]
        return text[:size]


class Bench:
    """Both sides on one server."""

    def __init__(self, store: AsyncClickHouseStore, plain: PlainWriter, rounds: int, scale: float) -> None:
        self.store = store
        self.plain = plain
        self.rounds = rounds
        self.scale = scale
        self.records = Records()

    async def ours(self, one: SmallSession) -> None:
        await self.store.write_session(ORG, *one)

    async def bare(self, one: SmallSession) -> None:
        await self.plain.write_session(*one)

    async def small_sessions(self) -> None:
        """Sessions per second of 64 tasks, both ways, and of one bulk write."""
        rounds = []
        for _ in range(self.rounds):
            plain = await self._rate(self.bare, int(200 * self.scale))
            ours = await self._rate(self.ours, int(4000 * self.scale))
            bulk = await self._bulk_rate(int(4000 * self.scale))
            rounds.append((plain, ours, bulk))
        plain, ours, bulk = (median(column) for column in zip(*rounds, strict=True))
        ratio = median(ours / plain for plain, ours, _ in rounds)
        share = median(ours / bulk for _, ours, bulk in rounds)
        line("small sessions, 64 tasks", f"{ours:,.0f}/s", f"{plain:,.0f}/s", f"{ratio:.1f} ×", "≥ 20 ×")
        line("  beside one bulk write of them", f"{ours:,.0f}/s", f"{bulk:,.0f}/s", f"{share:.2f} ×")

    async def _rate(self, write: Callable[[SmallSession], Awaitable[None]], count: int) -> float:
        sessions = [self.records.small() for _ in range(max(count, TASKS))]
        todo = iter(sessions)

        async def work() -> None:
            for one in todo:
                await write(one)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(TASKS)))
        return len(sessions) / (time.perf_counter() - began)

    async def _bulk_rate(self, count: int) -> float:
        sessions = [self.records.small() for _ in range(count)]
        messages = [message for one in sessions for message in one[1]]
        calls = [call for one in sessions for call in one[2]]
        began = time.perf_counter()
        await self.store.write_batch(ORG, [one[0] for one in sessions], messages, calls)
        return count / (time.perf_counter() - began)

    async def bulk(self) -> None:
        """Client CPU per row."""
        messages = self.records.messages("bulk", int(50_000 * self.scale), 500)
        fields, columns = columns_of(messages)
        rounds = []
        for _ in range(self.rounds):
            bare = await cpu(lambda: self.plain.insert_columns("messages", fields, columns))
            ours = await cpu(lambda: self.store.write_batch(ORG, [], messages))
            rounds.append((ours / len(messages) * 1e6, bare / len(messages) * 1e6))
        ours, bare = (median(column) for column in zip(*rounds, strict=True))
        ratio = median(ours / bare for ours, bare in rounds)
        line("bulk, client CPU per row", f"{ours:.1f} µs", f"{bare:.1f} µs", f"{ratio:.2f} ×", "≤ 1.25 ×")

    async def lone(self) -> None:
        """Milliseconds of one write at a time."""
        linger = self.store.options.linger_milliseconds
        rounds = []
        for _ in range(max(2, int(60 * self.scale))):
            one, other = self.records.small(), self.records.small()
            rounds.append((await wall(partial(self.ours, one)) * 1e3, await wall(partial(self.bare, other)) * 1e3))
        ours, bare = (median(column) for column in zip(*rounds, strict=True))
        allowed = f"≤ {1.3 * (bare + linger):.1f} ms"
        line("lone write_session", f"{ours:.1f} ms", f"{bare:.1f} ms", f"{ours / (bare + linger):.2f} ×", allowed)

    async def stall(self) -> None:
        """The longest gap between two ticks while much is written."""
        messages = self.records.messages("stall", int(200_000 * self.scale), 1000)
        fields, columns = columns_of(messages)
        gc.collect()
        megabytes = sum(len(message.content) for message in messages) / MEGABYTE
        ours = await longest_gap(self.store.write_batch(ORG, [Session(id="stall", user_message_count=1)], messages))
        bare = await longest_gap(self.plain.insert_columns("messages", fields, columns))
        name = f"longest stall, {megabytes:.0f} MB"
        line(name, f"{ours[0]:.1f} ms", f"{bare[0]:.1f} ms", f"{ours[0] / bare[0]:.2f} ×", "≤ 25 ms")
        line("  of it this process's CPU", f"{ours[1]:.1f} ms", f"{bare[1]:.1f} ms")

    async def memory(self, pid: int) -> None:
        """Writers push on while the server stands still."""
        options = self.store.options
        megabyte = self.records.messages("pushed", 100, 10_000)
        written = 0

        async def push(number: int) -> None:
            nonlocal written
            for n in range(1_000_000):
                id = f"pushed-{number}-{n}"
                await self.store.write_batch(ORG, [], [msgspec.structs.replace(one, session_id=id) for one in megabyte])
                written += 1

        gc.collect()
        before = resident()
        os.kill(pid, signal.SIGSTOP)
        tasks = [asyncio.create_task(push(number)) for number in range(int(128 * self.scale))]
        seen = []
        try:
            for _ in range(max(2, int(20 * self.scale))):
                await asyncio.sleep(0.5)
                seen.append((resident() - before, self.store.statistics()["messages"].waiting_bytes / MEGABYTE))
        finally:
            os.kill(pid, signal.SIGCONT)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self.store.flush()
        print(f"memory while the server stands still, {len(tasks)} writers of 1 MB calls,")
        print(f"  bound {options.waiting_bytes / MEGABYTE:.0f} MB a table; over {len(seen) / 2:.0f} s:")
        print("  waiting MB ", " ".join(f"{waiting:4.0f}" for _, waiting in seen))
        print("  RSS + MB   ", " ".join(f"{rss:4.0f}" for rss, _ in seen), flush=True)


async def cpu(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds of CPU this process takes for it."""
    began = time.process_time()
    await call()
    return time.process_time() - began


async def wall(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds it takes."""
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def longest_gap(work: Awaitable[object]) -> tuple[float, float]:
    """Milliseconds the loop was held at worst, and this process's CPU milliseconds in the gap with the most of it."""
    gaps = []

    async def tick() -> None:
        while True:
            began, used = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.001)
            gaps.append((time.perf_counter() - began - 0.001, time.process_time() - used))

    ticking = asyncio.create_task(tick())
    await work
    await asyncio.sleep(0.002)  # one more tick: the loop may have been held at the very end
    ticking.cancel()
    return max(gap for gap, _ in gaps) * 1e3, max(used for _, used in gaps) * 1e3


def resident() -> float:
    """Megabytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def line(name: str, ours: str, bare: str, ratio: str = "", target: str = "") -> None:
    """A line of the table."""
    print(f"{name:34} {ours:>12} {bare:>12} {ratio:>9} {target:>12}", flush=True)


async def run(options: ConnectOptions, pid: int, *, rounds: int, scale: float, only: str) -> None:
    """Measure everything on one server and print it."""
    async with AsyncClickHouseStore(options) as store:
        await store.reset_database(store.options.database)
        async with PlainWriter(options, options.pool_size) as plain:
            bench = Bench(store, plain, rounds, scale)
            await bench.ours(bench.records.small())
            await bench.bare(bench.records.small())
            line("", "store", "driver", "ratio", "target")
            measures = {"small": bench.small_sessions, "bulk": bench.bulk, "lone": bench.lone, "stall": bench.stall}
            for name, measure in measures.items():
                if only in ("", name):
                    await measure()
            if pid and only in ("", "memory"):
                await bench.memory(pid)


async def run_local(path: str, overrides: dict[str, float], *, rounds: int, scale: float, only: str) -> None:
    """The same on a local store, of which the bare driver needs to know the address."""
    found = await acquire(path)
    address = {"host": found.host, "port": found.port, "user": found.user, "password": found.password}
    options = resolve_target(ConnectOptions(), {**address, "database": DATABASE, **overrides})
    await run(options, found.pid, rounds=rounds, scale=scale, only=only)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="a server (default: a local store in a temporary directory)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="little of everything: a smoke test")
    parser.add_argument("--only", default="", choices=["small", "bulk", "lone", "stall", "memory"])
    parser.add_argument("--linger", type=float, metavar="MS", help="another linger than the default")
    arguments = parser.parse_args()
    rounds, scale = (1, 0.02) if arguments.quick else (arguments.rounds, 1.0)
    overrides = {} if arguments.linger is None else {"linger_milliseconds": arguments.linger}
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    print(f"agentstore {__version__}, Python {platform.python_version()}, {machine}")
    if arguments.dsn:
        options = resolve_target(arguments.dsn, {"database": DATABASE, **overrides})
        asyncio.run(run(options, 0, rounds=rounds, scale=scale, only=arguments.only))
        return 0
    with tempfile.TemporaryDirectory(prefix="agentstore-bench-") as path:
        try:
            asyncio.run(run_local(path, overrides, rounds=rounds, scale=scale, only=arguments.only))
        finally:
            stop(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
