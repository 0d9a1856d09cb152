"""The reads of a store through any executor: one that records, measures or fails."""

from __future__ import annotations

from agentstore.protocols import Executor
from agentstore.read.reads import Reads


class ReadsThrough(Reads):
    """All reads through the same executor."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def _open_pool(self) -> Executor:
        return self._executor

    @property
    def _heavy(self) -> Executor:
        return self._executor
