"""A write's deadline is kept while the server hangs, with and without sniffio, under both loops. In its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
