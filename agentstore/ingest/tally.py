"""What a pass adds up."""

from __future__ import annotations

import collections
import time

from agentstore.importers.results import ImportResult
from agentstore.ingest.events import IngestSummary

_MOST_PROBLEMS = 1000


class Tally:
    """The figures of a summary while they grow."""

    def __init__(self) -> None:
        self.files: collections.Counter[str] = collections.Counter()
        self.unrecognised: collections.Counter[str] = collections.Counter()
        self.bytes_found = self.bytes_read = 0
        self.sessions: set[str] = set()
        self._messages = self._tool_calls = self._problem_count = 0
        self._problems: list[str] = []
        # By file: those of its last piece are the whole file's.
        self._skipped: dict[str, dict[str, int]] = {}
        self._unknown: dict[str, dict[str, int]] = {}
        self._began = time.monotonic()

    def add(self, result: ImportResult) -> None:
        """A result was stored."""
        self._messages += len(result.messages)
        self._tool_calls += len(result.tool_calls)
        self._problem_count += len(result.problems)
        for problem in result.problems[: _MOST_PROBLEMS - len(self._problems)]:
            self._problems.append(f"{problem.file}:{problem.line}: {problem.reason}")
        if result.skipped_records:
            self._skipped[result.file] = result.skipped_records
        if result.unknown_records:
            self._unknown[result.file] = result.unknown_records

    def summary(self, secrets: dict[str, int]) -> IngestSummary:
        """All of it."""
        return IngestSummary(
            files=dict(self.files),
            bytes_found=self.bytes_found,
            bytes_read=self.bytes_read,
            sessions=len(self.sessions),
            messages=self._messages,
            tool_calls=self._tool_calls,
            problem_count=self._problem_count,
            problems=list(self._problems),
            skipped_records=_summed(self._skipped),
            unknown_records=_summed(self._unknown),
            unrecognised=dict(self.unrecognised),
            secrets=secrets,
            seconds=time.monotonic() - self._began,
        )


def _summed(counts: dict[str, dict[str, int]]) -> dict[str, int]:
    total: collections.Counter[str] = collections.Counter()
    for one in counts.values():
        total.update(one)
    return dict(total)
