"""Clocks that are wrong: those of this machine as the write path sees them, and what servers say to single stores."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from agentstore import AsyncClickHouseStore, StoreClosedError
from agentstore.write import delivery, versions
from agentstore.write.clock import local_nanoseconds
from tests.faults.ledger import NEVER

# Further behind than this, the server's time is no help: stored rows are.
_SKEW = 1.0


@dataclass(frozen=True)
class ClockFault:
    """What happens to the clocks, by how many ``seconds``, and at which insert.

    * ``wall``: the wall clock of the machine is set.
    * ``suspend``: the machine sleeps; the server does not. All clocks but the monotonic one go on.
    * ``stopped``: the machine is stopped from outside; its own clocks do not go on, and the wall clock is set after it.
    * ``ahead``: rows are stored that are ahead of the server: before the stores are opened, if ``after_inserts`` is 0.
    * ``behind``: the second store asks a replica whose clock is behind.
    """

    kind: Literal["", "wall", "suspend", "stopped", "ahead", "behind"] = ""
    seconds: float = 0.0
    after_inserts: int = 0

    @property
    def behind(self) -> tuple[float, float]:
        """What it leaves of the promise on the order between the two stores, see ``ledger.py``."""
        if self.kind == "ahead":
            return NEVER, NEVER
        if self.kind == "stopped":  # until they have looked, for which a write waits a part of its time only
            return self.seconds, self.seconds
        if self.kind == "behind":
            return 0.0, self.seconds if self.seconds < _SKEW else NEVER
        return 0.0, 0.0


class Clocks:
    """The clocks of this machine, and the server's as its stores are told; each may be moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.boot = self.wall = self.server = 0
        monkeypatch.setattr(versions, "local_nanoseconds", self._local)
        monkeypatch.setattr(delivery, "local_nanoseconds", self._local)
        monkeypatch.setattr(versions, "time", SimpleNamespace(time_ns=self._wall))

    def strike(self, fault: ClockFault) -> None:
        """What the fault does to the machine and its server."""
        moved = int(fault.seconds * 1e9)
        if fault.kind in ("wall", "suspend", "stopped"):
            self.wall += moved
        if fault.kind in ("suspend", "stopped"):
            self.server += moved
        if fault.kind == "suspend":
            self.boot += moved

    async def tell(self, store: AsyncClickHouseStore, *, behind: float = 0.0) -> None:
        """From now on the store is told the time of this server, ``behind`` seconds ago: it knows no other."""
        assert store._writer is not None
        learner = store._writer.versions
        clock, learn = learner._clock, learner._clock.learn

        def told(server: int, **times: Any) -> None:
            learn(server + self.server - int(behind * 1e9), **times)

        clock.learn = told  # type: ignore[method-assign]  # the store's own one
        clock._offset = None
        await learner.learn()

    def _local(self) -> int:
        return local_nanoseconds() + self.boot

    def _wall(self) -> int:
        return time.time_ns() + self.wall


async def look(store: AsyncClickHouseStore) -> None:
    """Returns when the store has looked at what is stored; fails where it got no answer."""
    if store._writer is None:
        raise StoreClosedError("closed in the middle of the schedule")
    learner = store._writer.versions
    if learner._look is not None and not learner._look.done():
        await asyncio.wait([learner._look])
    learner._waits_again_at = 0.0  # the network is whole again, which the store does not know
    before, learner._expired = learner._looked_at, True
    await learner.ready(30.0)
    assert learner._looked_at != before, "no answer within the time"
