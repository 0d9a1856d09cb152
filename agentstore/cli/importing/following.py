"""Following an import: the bar moves, and what happened is counted, so that it can be told however it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from agentstore.cli.terminal.progress import Bar
from agentstore.ingest import IngestEvent, IngestSummary

_MOST_FAILURES = 1000


class Failure(NamedTuple):
    """A file of which not all could be read or stored; "" where it is about the store."""

    path: str
    reason: str


class Followed:
    """What was told so far. ``summary`` is the last one."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._left: dict[str, int] = {}
        self.sessions: set[str] = set()
        self.failures: list[Failure] = []
        self.found = 0
        self.summary: IngestSummary | None = None

    def take(self, event: IngestEvent) -> None:
        """One event."""
        kind, path = event.kind, event.path
        if kind == "found":
            self.found += 1
            self._left[path] = event.size
            self._bar.expect(event.size)
        elif kind == "read":
            self._advance(path, event.size)
        elif kind == "stored":
            self.sessions.update(event.session_ids)
        else:
            self._advance(path, self._left.get(path, 0))
            if kind == "failed" and len(self.failures) < _MOST_FAILURES:
                self.failures.append(Failure(path, event.reason))

    def _advance(self, path: str, size: int) -> None:
        size = min(size, self._left.get(path, 0))
        if size:
            self._left[path] -= size
            self._bar.advance(size)


async def follow(
    events: AsyncIterator[IngestEvent | IngestSummary],
    followed: Followed,
    told: Callable[[IngestSummary], None] | None = None,
    failed: Callable[[Failure], None] | None = None,
) -> None:
    """Take all events. ``told`` is called with each summary, ``failed`` with each failure."""
    async for event in events:
        if isinstance(event, IngestSummary):
            followed.summary = event
            if told is not None:
                told(event)
        else:
            followed.take(event)
            if event.kind == "failed" and failed is not None:
                failed(Failure(event.path, event.reason))
