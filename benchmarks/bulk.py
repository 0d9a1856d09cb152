"""What the library costs on top of its driver: client CPU and wall time, side by side on one server, in one run.

    python benchmarks/bulk.py                  # a local store of its own, in a temporary directory
    python benchmarks/bulk.py --dsn DSN        # any server; its database agentstore_bench is dropped
    python benchmarks/bulk.py --quick          # seconds instead of a minute: shows that it runs, measures nothing

Three pairs, after one warm-up each, in rounds of A B A B:

* write: ``write_batch`` of 100,000 messages of 1 KB, against asynch's columnar insert of the same rows into a table of
  the same layout. The driver gets its columns ready made; the store gets Structs, and checks and encodes them.
* read: ``get_session_messages`` of 10,000 messages, against asynch's columnar select of the same fields, with the same
  FINAL and WHERE. The driver returns columns; the store returns Structs.
* statement: the same read against asynch sending the store's own statement, which lets times travel as integers and
  leaves out the two ids the caller knows already. What is left is the price of the Structs and of the pool.

CPU is ``time.process_time`` of this process; the server is another one. The table shows medians; a ratio is the median
of the ratios of the rounds, so that a noisy neighbour disturbs both sides of it.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from asynch.proto.connection import Connection

from agentstore import AsyncClickHouseStore, ConnectOptions, Message, __version__
from agentstore.local.client.acquire import acquire, stop

DATABASE = "agentstore_bench"
TABLE = f"{DATABASE}.bare_messages"
ORG = "bench"
FIELDS = Message.__struct_fields__
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TEXT = (  # what transcripts are made of: prose, code, paths, JSON, a little of other alphabets
    "the function returns an error when file is missing so we read it again and test passes now commit "
    "Größe läuft über naïve café 修正 async def await self._pool.acquire() raise ValueError None if not in for "
    "TODO: src/agent/store.py line 142 expected str got bytes {'type': 'tool_use'} https://example.com/a?b=c"
)
WORDS = TEXT.split()


class Cost(NamedTuple):
    """One measured call."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Pair:
    """Two ways to do the same, and how much dearer the first may be."""

    name: str
    ours: Callable[[], Awaitable[Any]]
    bare: Callable[[], Awaitable[Any]]
    target: float | None = None


def realistic_text(rng: random.Random, size: int) -> str:
    """Prose and code of about ``size`` characters, different every time."""
    words: list[str] = []
    length = 0
    while length < size:
        words.append(rng.choice(WORDS))
        length += len(words[-1]) + 1
    return " ".join(words)


def make_messages(session_count: int, per_session: int) -> list[Message]:
    """Messages as a transcript has them: every second one with a usage object."""
    rng = random.Random(20260101)
    return [
        make_message(rng, f"session-{session:04}", ordinal)
        for session in range(session_count)
        for ordinal in range(per_session)
    ]


def make_message(rng: random.Random, session_id: str, ordinal: int) -> Message:
    """One message of 1 KB."""
    content = realistic_text(rng, 1000)
    answered = ordinal % 2 == 1
    return Message(
        org_id=ORG,
        session_id=session_id,
        ordinal=ordinal,
        role="assistant" if answered else "user",
        content=content,
        timestamp=START + dt.timedelta(seconds=ordinal, microseconds=rng.randrange(1_000_000)),
        has_thinking=answered,
        has_tool_use=answered and ordinal % 3 == 0,
        content_length=len(content),
        model="claude-opus-4-5" if answered else "",
        token_usage='{"input_tokens":4,"cache_read_input_tokens":9000,"output_tokens":214}' if answered else "",
        input_tokens=4 * answered,
        cache_read_tokens=9000 * answered,
        output_tokens=rng.randrange(1000) * answered,
        context_tokens=9004 * answered,
        source_id=f"msg_{rng.getrandbits(64):016x}",
    )


class Bench:
    """Both sides on one server: a store, and a bare connection of the driver it is built on."""

    def __init__(self, store: AsyncClickHouseStore, bare: Connection, per_session: int) -> None:
        self.store = store
        self.bare = bare
        self.per_session = per_session

    async def prepare(self) -> None:
        """Create both tables anew, equal in layout."""
        await self.store.reset_database(self.store.options.database)
        await self.bare.execute(f"CREATE TABLE {TABLE} AS {DATABASE}.messages")

    def write(self, messages: Sequence[Message]) -> Pair:
        """The pair that writes. The driver's columns are made beforehand, outside the measurement."""
        columns = [[getattr(message, field) for message in messages] for field in FIELDS]
        insert = f"INSERT INTO {TABLE} ({', '.join(FIELDS)}) VALUES"
        return Pair(
            f"write_batch, {len(messages):,} messages",
            lambda: self.store.write_batch(ORG, [], messages),
            lambda: self.bare.execute(insert, columns, columnar=True),
            1.3,
        )

    def read(self, messages: Sequence[Message]) -> list[Pair]:
        """The pairs that read the first session back; the driver's is a plain select, or the store's own statement."""
        where = f"org_id = '{ORG}' AND session_id = '{messages[0].session_id}'"
        source = f"FROM {DATABASE}.messages FINAL WHERE {where} ORDER BY ordinal"
        lean = [
            "toUnixTimestamp64Micro(timestamp)" if field == "timestamp" else field
            for field in FIELDS
            if field not in ("org_id", "session_id")
        ]
        name = f"get_session_messages, {self.per_session:,} messages"
        return [
            Pair(name, self.read_store, lambda: self.select(f"SELECT {', '.join(FIELDS)} {source}"), 1.5),
            Pair(f"{name}, statement", self.read_store, lambda: self.select(f"SELECT {', '.join(lean)} {source}")),
        ]

    async def read_store(self) -> None:
        """Read with the store, and see that everything came."""
        found = await self.store.get_session_messages(ORG, "session-0000")
        if len(found) != self.per_session:
            raise RuntimeError(f"read {len(found)} messages, not {self.per_session}")

    async def select(self, query: str) -> None:
        """Read with the bare driver, and see that everything came."""
        columns = await self.bare.execute(query, columnar=True)
        if len(columns[0]) != self.per_session:
            raise RuntimeError(f"read {len(columns[0])} messages, not {self.per_session}")


async def measure(call: Callable[[], Awaitable[Any]]) -> Cost:
    """What one call costs this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    await call()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


async def compare(pair: Pair, rounds: int) -> list[tuple[Cost, Cost]]:
    """Both ways in turn, after a warm-up that does not count."""
    await pair.ours()
    await pair.bare()
    return [(await measure(pair.ours), await measure(pair.bare)) for _ in range(rounds)]


def report(pair: Pair, costs: Sequence[tuple[Cost, Cost]]) -> str:
    """The lines of one pair."""
    lines = []
    for what, kind in (("CPU", 0), ("wall", 1)):
        ours = statistics.median(ours[kind] for ours, _ in costs) * 1000
        bare = statistics.median(bare[kind] for _, bare in costs) * 1000
        ratio = statistics.median(ours[kind] / bare[kind] for ours, bare in costs)
        target = f"{pair.target:.1f}" if pair.target and what == "CPU" else ""
        lines.append(
            f"{pair.name if what == 'CPU' else '':50} {what:4} {ours:9.1f} {bare:9.1f} {ratio:7.2f} {target:>7}"
        )
    return "\n".join(lines)


async def run(options: ConnectOptions, *, quick: bool, rounds: int) -> None:
    """Measure everything on one server and print it."""
    session_count, per_session = (2, 500) if quick else (10, 10_000)
    messages = make_messages(session_count, per_session)
    bare = Connection(
        host=options.host, port=options.native_port, user=options.user, password=options.password, secure=options.secure
    )
    async with AsyncClickHouseStore(options) as store:
        await bare.connect()
        try:
            bench = Bench(store, bare, per_session)
            await bench.prepare()
            title = f"milliseconds, medians of {rounds} rounds"
            print(f"{title:55} {'store':>9} {'driver':>9} {'ratio':>7} {'target':>7}")
            print(report(pair := bench.write(messages), await compare(pair, rounds)), flush=True)
            for pair in bench.read(messages):
                print(report(pair, await compare(pair, rounds * 3)), flush=True)
            await bare.execute(f"DROP DATABASE {DATABASE}")
        finally:
            await bare.disconnect()


async def run_local(path: str, *, quick: bool, rounds: int) -> None:
    """The same on a local store, of which the bare driver needs to know the address."""
    found = await acquire(path)
    options = ConnectOptions(
        host=found.host, port=found.port, user=found.user, password=found.password, database=DATABASE
    )
    await run(options, quick=quick, rounds=rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description="The cost of agentstore beside that of its driver.")
    parser.add_argument("--dsn", help="a server (default: a local store in a temporary directory)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few rows: a smoke test")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    print(
        f"agentstore {__version__}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs,"
        f" load {os.getloadavg()[0]:.1f}"
    )
    if arguments.dsn:
        options = AsyncClickHouseStore(arguments.dsn, database=DATABASE).options
        asyncio.run(run(options, quick=arguments.quick, rounds=rounds))
        return 0
    with tempfile.TemporaryDirectory(prefix="agentstore-bench-") as path:
        try:
            asyncio.run(run_local(path, quick=arguments.quick, rounds=rounds))
        finally:
            stop(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
