"""How long a large read holds the event loop: at worst, and this process's CPU in that gap, as a task sees that ticks
each millisecond. Beside it the bare driver's columnar select of the same columns. Writes: ``benchmarks/writer.py``.

    python -m benchmarks.stalls                # a local store of its own, in a temporary directory
    python -m benchmarks.stalls --dsn DSN      # any server; its database agentstore_bench is reset
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from statistics import median

from agentstore import AsyncClickHouseStore, ConnectOptions, Message, Session, ToolCall, __version__
from agentstore.local.client.acquire import acquire, stop
from agentstore.settings import resolve_target
from benchmarks.plain import PlainWriter
from benchmarks.writer import DATABASE, ORG, START, Records, line, longest_gap

SESSION = "long"


async def run(options: ConnectOptions, *, rows: int, rounds: int) -> None:
    """Write one long session, and read it in each of the ways."""
    async with AsyncClickHouseStore(options) as store:
        await store.reset_database(store.options.database)
        messages = Records().messages(SESSION, rows, 200)
        calls = [ToolCall(message_ordinal=n, tool_use_id=f"t{n}", input_json=messages[n].content) for n in range(rows)]
        await store.write_session(ORG, Session(id=SESSION, started_at=START, user_message_count=1), messages, calls)
        del messages, calls

        async def iterate() -> None:
            async for _ in store.iter_messages(ORG, SESSION):
                pass

        line("", "stall", "its CPU", "took")
        await measured("get_session_messages", lambda: store.get_session_messages(ORG, SESSION), rounds)
        await measured("get_session_tool_calls", lambda: store.get_session_tool_calls(ORG, SESSION), rounds)
        await measured("iter_messages", iterate, rounds)
        async with PlainWriter(options, 1) as plain:
            await measured("the driver, messages", lambda: plain.select(Message, SESSION), rounds)
            await measured("the driver, tool calls", lambda: plain.select(ToolCall, SESSION), rounds)


async def measured(name: str, read: Callable[[], Awaitable[object]], rounds: int) -> None:
    """The worst of the rounds, since one stall is one too many; the time is the median."""
    gaps, times = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        gaps.append(await longest_gap(read()))
        times.append(time.perf_counter() - began)
    worst, used = (max(column) for column in zip(*gaps, strict=True))
    line(name, f"{worst:.1f} ms", f"{used:.1f} ms", f"{median(times) * 1e3:.0f} ms")


async def run_local(path: str, *, rows: int, rounds: int) -> None:
    """The same on a local store, of which the bare driver needs to know the address."""
    found = await acquire(path)
    address = {"host": found.host, "port": found.port, "user": found.user, "password": found.password}
    await run(resolve_target(ConnectOptions(), {**address, "database": DATABASE}), rows=rows, rounds=rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="a server (default: a local store in a temporary directory)")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    size = {"rows": arguments.rows, "rounds": arguments.rounds}
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    print(f"agentstore {__version__}, Python {platform.python_version()}, {machine}; {arguments.rows} rows")
    if arguments.dsn:
        asyncio.run(run(resolve_target(arguments.dsn, {"database": DATABASE}), **size))
        return 0
    with tempfile.TemporaryDirectory(prefix="agentstore-bench-") as path:
        try:
            asyncio.run(run_local(path, **size))
        finally:
            stop(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
