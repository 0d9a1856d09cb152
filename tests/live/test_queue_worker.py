"""The worker on a queue: two of them, one killed, one told to end, messages that nobody can store."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from agentstore import AsyncClickHouseStore
from tests.builders import message, session
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = "examples/queue_worker.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return importlib.import_module("queue_worker")


def started(server: Server, database: str, *command: str) -> subprocess.Popen[str]:
    dsn = f"{server.dsn}{'&' if '?' in server.dsn else '?'}database={database}"
    return subprocess.Popen(
        [sys.executable, "-W", "error", WORKER, *command],
        cwd=ROOT,
        env={**os.environ, "AGENTSTORE_DSN": dsn, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(count: int) -> str:
    jobs = [
        {"session": session(f"s{n}"), "messages": [message(i, f"text {i}") for i in range(3)]} for n in range(count)
    ]
    return "".join(f"{msgspec.json.encode(job).decode()}\n" for job in jobs)


def put(server: Server, database: str, queue: Path, text: str) -> None:
    out, err = started(server, database, "put", str(queue)).communicate(text, timeout=60)
    assert (out, err) == ("", "")


async def counted(store: AsyncClickHouseStore, org: str) -> int:
    assert sum(one.message_count for one in (await store.list_sessions(org)).sessions) == 0  # as they say themselves
    return (await store.list_sessions(org)).total


async def test_all_is_stored_and_what_nobody_can_store_is_put_aside(
    server: Server, database: str, store: AsyncClickHouseStore, org: str, tmp_path: Path
) -> None:
    queue = tmp_path / "queue"
    bad = json.dumps({"session": {"id": "bad"}, "messages": [{"ordinal": -1}]})
    await asyncio.to_thread(put, server, database, queue, f"{lines(150)}garbage\n{bad}\n")
    worker = started(server, database, "work", str(queue), org, "--until-empty")
    out, err = await asyncio.to_thread(worker.communicate, None, 90)
    assert (worker.returncode, out, err) == (0, "", "")
    assert await counted(store, org) == 150
    told = await asyncio.to_thread(started(server, database, "dead", str(queue)).communicate, None, 60)
    first, second = told[0].splitlines()
    assert first.startswith("151 not understood: JSON is malformed")
    assert second.startswith("152 messages[0].ordinal: ")


async def test_one_is_killed_and_the_others_do_the_rest(
    server: Server,
    database: str,
    store: AsyncClickHouseStore,
    org: str,
    tmp_path: Path,
    example: ModuleType,
) -> None:
    path = tmp_path / "queue"
    await asyncio.to_thread(put, server, database, path, lines(400))
    queue = example.Queue(str(path))
    workers = [started(server, database, "work", str(path), org) for _ in range(2)]
    try:
        deadline = time.monotonic() + 60
        while (await store.list_sessions(org)).total < 64:
            assert time.monotonic() < deadline
            assert workers[0].poll() is None
        workers[0].kill()
        workers[0].communicate(timeout=30)
        # Its lease would end in two minutes; nobody here waits that long.
        queue._db.execute("UPDATE jobs SET free_at = 0")
        while not queue.is_empty():
            assert time.monotonic() < deadline
            await asyncio.sleep(0)
        workers[1].send_signal(signal.SIGTERM)
        out, err = await asyncio.to_thread(workers[1].communicate, None, 60)
        assert (workers[1].returncode, out, err) == (0, "", "")
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.communicate()
    assert await counted(store, org) == 400
    assert list(queue.dead()) == []
    assert len(await store.get_session_messages(org, "s399")) == 3


async def test_what_may_succeed_later_is_tried_again(
    server: Server, database: str, tmp_path: Path, example: ModuleType
) -> None:
    queue = example.Queue(str(tmp_path / "queue"))
    queue.put(b"x")
    (taken,) = queue.take(5)
    assert queue.take(5) == []
    queue.again(taken.id, -1.0)
    (again,) = queue.take(5)
    assert (again.id, again.attempts) == (taken.id, 2)
    queue.done(again.id)
    assert queue.is_empty()
