"""The ids of running queries, as their clients chose them: one query each at a time, and KILL QUERY finds it."""

from __future__ import annotations

from agentstore.local.engine.errors import EngineError


class RegisteredQuery:
    """A query's id, known to KILL QUERY while it runs."""

    def __init__(self, running: dict[str, str], query_id: str, tag: str) -> None:
        self._running = running
        self._query_id = query_id
        self._tag = tag

    def __enter__(self) -> None:
        # Refused before anything is noted: `__exit__` is not called then, and the entry of the one that runs stays.
        if self._query_id in self._running:
            raise EngineError.make(
                216,
                "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
                f"Query with id = {self._query_id} is already running",
            )
        if self._query_id:
            self._running[self._query_id] = self._tag

    def __exit__(self, *error: object) -> None:
        self._running.pop(self._query_id, None)
