"""A server that hangs or fails: the deadline is kept, with and without sniffio, and the outage is logged."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import message, session
from tests.faults.proxy import Fault
from tests.live.relay import until
from tests.live.test_writer import behind_a_proxy
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent

PROGRAM = """
import asyncio, sys
dsn, database, sniffio, loop = sys.argv[1:]
if sniffio == "without":
    sys.modules["sniffio"] = None
import agentstore
from agentstore import OperationTimeoutError, WriteError
from tests.builders import message, session
from tests.live.test_writer import LONG, behind_a_proxy
from tests.servers import Server

async def main():
    server = Server(dsn, lambda: None)
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5, close_timeout_seconds=0.5) as (store, proxy):
        proxy.on_insert = lambda table: LONG
        receipt = store.submit_session("deadline", session("a"), [message(0)])
        for write in (store.write_session("deadline", session("b"), [message(0)]), receipt):
            try:
                await asyncio.wait_for(write, 30)
            except WriteError as error:
                print(type(error.__cause__).__name__, error.retriable)

def factory():
    import uvloop
    return uvloop.new_event_loop() if loop == "uvloop" else asyncio.SelectorEventLoop()

with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
assert ("sniffio" in sys.modules and sys.modules["sniffio"] is not None) == (sniffio == "with")
"""


@pytest.mark.parametrize("sniffio", ["with", "without"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_write_is_told_in_time_though_the_server_hangs(
    sniffio: str, loop: str, server: Server, database: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, server.dsn, database, sniffio, loop],
        cwd=ROOT, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("OperationTimeoutError True\n" * 2, 0), done.stderr


async def test_an_outage_is_said_once_for_each_table(
    server: Server, database: str, org: str, caplog: pytest.LogCaptureFixture
) -> None:
    """First failure and recovery, one line each, never per row or call; and no secret in them."""
    async with behind_a_proxy(server, database) as (store, proxy):
        proxy.on_insert = lambda table: Fault("refuse", code=241)
        writes = [
            asyncio.create_task(store.write_session(org, session(f"s{n}"), [message(m, "secret") for m in range(10)]))
            for n in range(50)
        ]
        await until(lambda: store.statistics()["messages"].retries >= 3)
        proxy.heal()
        await asyncio.gather(*writes)
    said = [record.getMessage() for record in caplog.records if record.name == "agentstore.write"]
    assert len(said) == 2
    assert re.match(r"messages: rows cannot be stored; \d+ rows wait, next attempt in [\d.]+ s: QueryError: ", said[0])
    assert re.match(r"messages: rows are stored again after \d+ s and \d+ failed attempts; \d+ rows waited", said[1])
    assert "secret" not in caplog.text
