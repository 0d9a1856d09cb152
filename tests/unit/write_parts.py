"""What the tests of the write path share: entries of messages, and a table's server played by a list."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from agentstore.errors import AgentStoreError, QueryError
from agentstore.write.clock import local_nanoseconds
from agentstore.write.encoded_rows import encode_rows
from agentstore.write.entry import Entry
from agentstore.write.rows import MESSAGES
from tests.builders import message

ORG = "org"


def entry_of(*ordinals: int, deadline: float = float("inf")) -> Entry:
    """One call's messages with these ordinals."""
    records = [message(ordinal, f"<{ordinal:06}>", session_id="s") for ordinal in ordinals]
    entry = Entry(encode_rows(MESSAGES, ORG, records, name="messages"), ORG, records)
    entry.decide_version(1, local_nanoseconds())
    entry.deadline = deadline
    return entry


def keys_of(*ordinals: int) -> list[tuple[Any, ...]]:
    """The keys of these messages, as an error names them."""
    return [(ORG, "s", ordinal) for ordinal in ordinals]


def refused(code: int) -> QueryError:
    """The server's answer with this code."""
    return QueryError("refused", code=code, name="REFUSED")


class Server:
    """A sink that keeps what it is sent and answers as it is told.

    ``answers`` holds what the next inserts get: an error to raise, or None for success. ``poison`` are ordinals that a
    batch is refused for, with code 469. ``open`` cleared, it does not answer.
    """

    def __init__(self, poison: Sequence[int] = (), answers: Sequence[AgentStoreError | None] = ()) -> None:
        self.poison = set(poison)
        self.answers = list(answers)
        self.attempts: list[tuple[tuple[bytes, ...], dict[str, Any]]] = []
        self.committed: dict[str, list[int]] = {}
        self.on_insert: Callable[[], None] = lambda: None
        self.open = asyncio.Event()
        self.open.set()

    async def insert(
        self, table: str, header: Sequence[tuple[str, str]], blocks: Sequence[bytes], settings: Mapping[str, Any]
    ) -> None:
        self.attempts.append((tuple(blocks), dict(settings)))
        self.on_insert()
        await self.open.wait()
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        ordinals = ordinals_in(blocks)
        if self.poison & set(ordinals):
            raise refused(469)
        self.committed.setdefault(settings["insert_deduplication_token"], ordinals)

    @property
    def stored(self) -> list[int]:
        """All ordinals committed, in order; a token counts once, as on a real server."""
        return [ordinal for ordinals in self.committed.values() for ordinal in ordinals]

    @property
    def tokens(self) -> list[str]:
        """The token of each attempt."""
        return [settings["insert_deduplication_token"] for _, settings in self.attempts]


def ordinals_in(blocks: Sequence[bytes]) -> list[int]:
    """The ordinals of the messages in these blocks, read from their contents."""
    return [int(digits) for block in blocks for digits in re.findall(rb"<(\d{6})>", block)]


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The running loop's clock jumps: what a test wants to be late is late, however fast or busy the machine is."""
    loop = asyncio.get_running_loop()
    before = loop.time
    monkeypatch.setattr(loop, "time", lambda: before() + seconds)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until it holds; fails where it never does."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("still not so")
