"""The connections of one store, kept apart by what they are for, so that none of it can starve the rest.

- ``reads``: the pool of everything that is asked for by a reader.
- ``heavy``: searches, analytics and iterators. They use connections of ``reads``, but never all of them, so that a
  page or a single session does not wait behind a dozen searches.
- ``writes``: a pool of its own, with a connection for everything the writer does at the same time: no write ever waits
  for a connection.
- ``background`` and ``health``: purges and sweeps, and pings. They use connections of ``writes`` that are counted for
  them.
"""

from __future__ import annotations

import asyncio
import math

from agentstore.connection.dial import Dialer, new_pool
from agentstore.connection.pool import Explain, as_it_is
from agentstore.connection.turns import Lane, Turns
from agentstore.settings import ConnectOptions
from agentstore.write.rows import BATCHED

# One insert for each table, one look at the clock, and one at families.
_WRITER = len(BATCHED) + 2
# A purge holds a connection for as long as parts are rewritten, perhaps for minutes.
_BACKGROUND, _HEALTH = 2, 1


class Lanes:
    """What a store talks to its server through. No I/O until it is used."""

    def __init__(self, options: ConnectOptions, *, explain: Explain = as_it_is) -> None:
        reads = f"pool_size={options.pool_size}, pool_timeout_seconds={options.pool_timeout_seconds:g}"
        # One for all: what one connection learns of a host holds for the others, and all prefer the same one.
        self.dialer = Dialer(options)
        self.reads = new_pool(options, self.dialer, explain=explain)
        self.heavy = Lane(
            self.reads,
            Turns(
                options.heavy_size,
                wait_seconds=options.pool_timeout_seconds,
                what="turns for searches, analytics and iterators",
                hint=f"pool_heavy_size={options.heavy_size}, {reads}",
            ),
        )
        self.writes = new_pool(options, self.dialer, size=_WRITER + _BACKGROUND + _HEALTH, explain=explain)
        # These wait as long as their callers do: a purge and a ping have deadlines of their own.
        self.background = Lane(self.writes, Turns(_BACKGROUND, wait_seconds=math.inf))
        self.health = Lane(self.writes, Turns(_HEALTH, wait_seconds=math.inf))

    @property
    def figures(self) -> dict[str, tuple[int, int, int]]:
        """By pool, how many connections are idle, how many used, and how many calls wait for one."""
        return {"reads": self.reads.figures, "writes": self.writes.figures}

    async def aclose(self) -> None:
        """Close all connections; those in use get a bounded time to come back. Never raises."""
        # Side by side: each may wait for connections that are in use.
        await asyncio.gather(self.writes.aclose(), self.reads.aclose())

    def abort(self) -> None:
        """Drop all connections at once, for when nothing can be awaited any more."""
        self.writes.abort()
        self.reads.abort()
