"""A program that ends without closing its store, or by Ctrl-C, says nothing about it. Each runs in its own process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent

START = """
import asyncio, sys
from agentstore import AsyncClickHouseStore, Message, Session
dsn, database = sys.argv[1:]
def quiet():
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is not what this is about
def records(n):
    session = Session(id=f"loop-end-{n}", user_message_count=20)
    return session, [Message(ordinal=i, role="user", content="x" * 500) for i in range(20)]
"""

ENDS = {
    "with a store left open": """
async def main():
    quiet()
    store = await AsyncClickHouseStore.connect(dsn, database=database)
    await store.write_session("end", *records(0))
    print("ready", flush=True)
""",
    "with writes under way": """
async def main():
    quiet()
    store = await AsyncClickHouseStore.connect(dsn, database=database)
    for n in range(300):
        store.submit_session("end", *records(n))
    tasks = [asyncio.create_task(store.write_session("end", *records(n))) for n in range(50)]
    while not store.statistics()["messages"].accepted_rows:
        await asyncio.sleep(0)
    print("ready", flush=True)
""",
    "with submits that never began": """
async def main():
    quiet()
    store = await AsyncClickHouseStore.connect(dsn, database=database)
    receipts = [store.submit_session("end", *records(n)) for n in range(5)]
    print("ready", flush=True)
""",
    "with receipts that outlive it": """
receipts = []
async def main():
    quiet()
    store = await AsyncClickHouseStore.connect(dsn, database=database)
    receipts.extend(store.submit_session("end", *records(n)) for n in range(50))
    await store.flush()
    await store.aclose()
    print("ready", flush=True)
""",
}

INTERRUPTED = """
async def main():
    quiet()
    async with AsyncClickHouseStore(dsn, database=database) as store:
        async def write(n):
            while True:
                await store.write_session("end", *records(n))
        tasks = [asyncio.create_task(write(n)) for n in range(8)]
        while not store.statistics()["messages"].rows_written:
            await asyncio.sleep(0.001)
        print("ready", flush=True)
        await asyncio.gather(*tasks)
"""


def start(program: str, server: Server, database: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", START + program, server.dsn, database],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("end", ENDS)
def test_a_loop_that_ends_says_nothing(end: str, server: Server, database: str) -> None:
    process = start(ENDS[end] + "asyncio.run(main())\n", server, database)
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("ready\n", "", 0)


def test_an_interrupted_program_says_nothing_but_that(server: Server, database: str) -> None:
    caught = "try:\n    asyncio.run(main())\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    process = start(INTERRUPTED + caught, server, database)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("interrupted\n", "", 0)
