"""What the running statements have read so far: looked up for all of them at once, and only while somebody asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from agentstore.local.engine.engine import Engine, Work
from agentstore.local.engine.errors import EngineError

logger = logging.getLogger("agentstore.local")

# Nobody looks again before: the cost of a look, a millisecond, is the same for one client as for a hundred.
FRESH_SECONDS = 0.2


class QueryProgress:
    """Never waits: an answer is what the last look saw, and a new look begins where that is old."""

    def __init__(self, engine: Engine, control: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._control = control
        self._begun = float("-inf")
        self._seen: Mapping[str, Work] = {}
        self._seen_at = float("-inf")
        self._look: asyncio.Future[None] | None = None

    def work_of(self, tag: str, since: float) -> Work | None:
        """What the statement of this session has done; None if it has not been seen since then (the loop's time)."""
        loop = asyncio.get_running_loop()
        if self._look is None and loop.time() - self._begun >= FRESH_SECONDS:
            # Before the look, so that one that takes long, or fails, is not followed by the next at once.
            self._begun = loop.time()
            self._look = loop.create_task(self._refresh())
        return self._seen.get(tag) if self._seen_at >= since else None

    async def _refresh(self) -> None:
        began = self._begun
        try:
            self._seen = await asyncio.get_running_loop().run_in_executor(self._control, self._engine.working)
            # When it was asked, not when the answer came: a statement that began in between is not in it.
            self._seen_at = began
        except (EngineError, RuntimeError) as error:  # the second: the server is closing
            logger.debug("cannot see what runs: %s", error)
        finally:
            self._look = None
