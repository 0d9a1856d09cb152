"""Sends one frozen batch until its outcome is known.

Every attempt carries the same blocks, settings and insert_deduplication_token, so an attempt whose answer was lost and
its repetition are one insert to the server: nothing is lost, nothing is doubled.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from agentstore.errors import AgentStoreError
from agentstore.protocols import Sink
from agentstore.write.rows import EncodedRows, Table, encode_block

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0
_BLOCK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent in one INSERT, and is never changed afterwards."""

    table: Table
    blocks: tuple[bytes, ...]
    row_count: int
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, rows: Sequence[EncodedRows]) -> Batch:
        """The rows in their order, cut into blocks of some megabytes."""
        blocks: list[bytes] = []
        group: list[EncodedRows] = []
        size = 0
        for part in rows:
            if group and size + part.byte_count > _BLOCK_BYTES:
                blocks.append(encode_block(group))
                group, size = [], 0
            group.append(part)
            size += part.byte_count
        blocks.append(encode_block(group))
        return cls(rows[0].table, tuple(blocks), sum(part.row_count for part in rows))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of its INSERT."""
        return {"insert_deduplication_token": self.token, "async_insert": 0, "insert_deduplicate": 1}


class Inserter:
    """Inserts batches through a sink and retries what may pass, with growing pauses, up to a deadline."""

    def __init__(self, sink: Sink, *, deadline_seconds: float, rng: random.Random | None = None) -> None:
        self._sink = sink
        self._deadline_seconds = deadline_seconds
        self._rng = rng or random.Random()

    async def insert(self, batch: Batch) -> None:
        """Returns when the server has committed the batch; else raises the last error, whose outcome is unknown
        where it is ``retriable`` and a definite refusal where it is not."""
        deadline = anyio.current_time() + self._deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._sink.insert(batch.table.name, batch.table.header, batch.blocks, batch.settings)
                return
            except AgentStoreError as error:
                wait = pause * self._rng.uniform(0.5, 1.5)
                if not error.retriable or anyio.current_time() + wait > deadline:
                    raise
            await anyio.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
