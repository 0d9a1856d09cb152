"""A worker that takes sessions from a queue and stores them: at least once from the queue, once in the store.

    python examples/queue_worker.py put QUEUE < sessions.jsonl      # each line: {"session": {…}, "messages": […], …}
    AGENTSTORE_DSN=… python examples/queue_worker.py work QUEUE ORG [--until-empty]
    python examples/queue_worker.py dead QUEUE                      # what could not be stored, and why

The queue is a file of SQLite here; put yours in its place: what matters is ``work``. It takes in no more than the
server stores (``pipeline``), takes a message off the queue when the server has committed it, tries again what may
succeed later, and puts aside what never will. Run as many as you like: a message belongs to one of them for a while
(``LEASE_SECONDS``). SIGTERM: what was taken is stored, nothing more is taken. A worker that is killed leaves its
messages to the others; to write them again is harmless. But what is written last is what is seen: of a session that is
in the queue several times, as it grows, an old state that is tried again would win. Put it there once, when it is
whole, or give all messages of a session to one worker, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from agentstore import AgentStoreError, AsyncClickHouseStore, FailedWrite, Message, Session, StoredWrite, ToolCall

# Longer than a message may wait for room and be written (write_timeout_seconds, 60, each): else two workers would do
# the same, which is a waste.
LEASE_SECONDS = 180.0
ATTEMPTS = 5
AT_ONCE = 64


class Job(msgspec.Struct):
    """What is in a message of the queue."""

    session: Session
    messages: list[Message] = []
    tool_calls: list[ToolCall] = []


class Taken(NamedTuple):
    """A message that belongs to this worker for a while."""

    id: int
    body: bytes
    attempts: int


class Queue:
    """Messages in a file."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, body BLOB, attempts INTEGER DEFAULT 0,"
            " free_at REAL DEFAULT 0, error TEXT)"
        )

    def put(self, body: bytes) -> None:
        self._db.execute("INSERT INTO jobs (body) VALUES (?)", (body,))

    def take(self, count: int) -> list[Taken]:
        now = time.time()
        rows = self._db.execute(
            "UPDATE jobs SET free_at = ?, attempts = attempts + 1 WHERE id IN (SELECT id FROM jobs"
            " WHERE error IS NULL AND free_at <= ? ORDER BY id LIMIT ?) RETURNING id, body, attempts",
            (now + LEASE_SECONDS, now, count),
        )
        return sorted(Taken(*row) for row in rows.fetchall())

    def is_empty(self) -> bool:
        return not self._db.execute("SELECT 1 FROM jobs WHERE error IS NULL LIMIT 1").fetchall()

    def done(self, id: int) -> None:
        self._db.execute("DELETE FROM jobs WHERE id = ?", (id,))

    def again(self, id: int, seconds: float) -> None:
        self._db.execute("UPDATE jobs SET free_at = ? WHERE id = ?", (time.time() + seconds, id))

    def put_aside(self, id: int, reason: str) -> None:
        self._db.execute("UPDATE jobs SET error = ? WHERE id = ?", (reason, id))

    def dead(self) -> Iterator[tuple[int, str]]:
        yield from self._db.execute("SELECT id, error FROM jobs WHERE error IS NOT NULL ORDER BY id")


async def work(queue: Queue, org: str, *, until_empty: bool, stop: asyncio.Event) -> None:
    """Store what is in the queue, until told to stop or (``until_empty``) nothing is left."""

    def settled(outcome: StoredWrite | FailedWrite) -> None:
        job = outcome.label
        assert isinstance(job, Taken)
        if isinstance(outcome, StoredWrite):
            queue.done(job.id)
        elif outcome.error.retriable and job.attempts < ATTEMPTS:
            queue.again(job.id, 2.0**job.attempts)
        else:
            queue.put_aside(job.id, str(outcome.error))

    async with AsyncClickHouseStore() as store:
        await store.ensure_schema()
        async with store.pipeline(max_in_flight=AT_ONCE, on_settled=settled) as pipeline:
            while not stop.is_set():
                jobs = queue.take(AT_ONCE)
                for taken in jobs:
                    if taken.attempts > ATTEMPTS:  # each time its worker ended, whatever the reason
                        queue.put_aside(taken.id, f"given up after {ATTEMPTS} attempts")
                        continue
                    try:
                        job = msgspec.json.decode(taken.body, type=Job)
                    except (
                        msgspec.DecodeError,
                        RecursionError,
                    ) as error:  # no number of attempts will change what it is
                        queue.put_aside(taken.id, f"not understood: {error}")
                        continue
                    await pipeline.write_session(org, job.session, job.messages, job.tool_calls, label=taken)
                if not jobs:
                    await pipeline.drain()
                    if until_empty and queue.is_empty():
                        return
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), 0.2)


async def main(queue: Queue, org: str, *, until_empty: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await work(queue, org, until_empty=until_empty, stop=stop)
    except AgentStoreError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("put", "work", "dead"):
        command = commands.add_parser(name)
        command.add_argument("queue")
        if name == "work":
            command.add_argument("org")
            command.add_argument("--until-empty", action="store_true")
    asked = parser.parse_args()
    opened = Queue(asked.queue)
    if asked.command == "put":
        for line in sys.stdin.buffer:
            opened.put(line)
    elif asked.command == "dead":
        for id, error in opened.dead():
            print(id, error)
    else:
        sys.exit(asyncio.run(main(opened, asked.org, until_empty=asked.until_empty)))
