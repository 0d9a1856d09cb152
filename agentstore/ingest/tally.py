"""What a pass adds up."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterable

from agentstore.importers.results import ImportResult
from agentstore.ingest.events import AgentSummary, IngestSummary

_MOST_PROBLEMS = 1000


class Figures:
    """Those of one agent while they grow."""

    def __init__(self) -> None:
        self.files: collections.Counter[str] = collections.Counter()
        self.bytes_found = self.bytes_read = self.messages = self.tool_calls = self.problem_count = 0
        self.sessions: set[str] = set()
        self.commits: set[str] = set()
        self.secrets: collections.Counter[str] = collections.Counter()

    def summary(self) -> AgentSummary:
        """All of it."""
        return AgentSummary(
            files=dict(self.files),
            bytes_found=self.bytes_found,
            bytes_read=self.bytes_read,
            sessions=len(self.sessions),
            messages=self.messages,
            tool_calls=self.tool_calls,
            commits=len(self.commits),
            problem_count=self.problem_count,
            secrets=dict(self.secrets),
        )


class Tally:
    """The figures of a summary while they grow. ``secrets`` gives what was masked since it was asked last, by kind."""

    def __init__(self, secrets: Callable[[], dict[str, int]] = dict) -> None:
        self.unrecognised: collections.Counter[str] = collections.Counter()
        self._new_secrets = secrets
        self._agents: dict[str, Figures] = {}
        self._problems: list[str] = []
        # By file: those of its last piece are the whole file's.
        self._skipped: dict[str, dict[str, int]] = {}
        self._unknown: dict[str, dict[str, int]] = {}
        self._began = time.monotonic()

    def of(self, agent: str) -> Figures:
        """Those of one agent."""
        return self._agents.setdefault(agent, Figures())

    def add(self, agent: str, result: ImportResult) -> None:
        """A result was stored."""
        figures = self.of(agent)
        figures.messages += len(result.messages)
        figures.tool_calls += len(result.tool_calls)
        figures.commits.update(link.commit_sha for link in result.git_links if link.commit_sha)
        figures.problem_count += len(result.problems)
        for problem in result.problems[: _MOST_PROBLEMS - len(self._problems)]:
            self._problems.append(f"{problem.file}:{problem.line}: {problem.reason}")
        if result.skipped_records:
            self._skipped[result.file] = result.skipped_records
        if result.unknown_records:
            self._unknown[result.file] = result.unknown_records

    def masked(self, agent: str) -> None:
        """What was masked since the last call was of this agent: agents are read one after the other."""
        if new := self._new_secrets():
            self.of(agent).secrets.update(new)

    def not_masked(self) -> None:
        """What was masked since the last call of ``masked`` was only looked at: it is masked again when it is read."""
        self._new_secrets()

    def summary(self) -> IngestSummary:
        """All of it."""
        self.masked("")
        agents = self._agents.values()
        return IngestSummary(
            files=_summed(one.files for one in agents),
            bytes_found=sum(one.bytes_found for one in agents),
            bytes_read=sum(one.bytes_read for one in agents),
            sessions=len(set[str]().union(*(one.sessions for one in agents))),
            messages=sum(one.messages for one in agents),
            tool_calls=sum(one.tool_calls for one in agents),
            commits=len(set[str]().union(*(one.commits for one in agents))),
            problem_count=sum(one.problem_count for one in agents),
            problems=list(self._problems),
            skipped_records=_summed(self._skipped.values()),
            unknown_records=_summed(self._unknown.values()),
            unrecognised=dict(self.unrecognised),
            secrets=_summed(one.secrets for one in agents),
            seconds=time.monotonic() - self._began,
            agents={name: figures.summary() for name, figures in self._agents.items()},
        )


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: collections.Counter[str] = collections.Counter()
    for one in counts:
        total.update(one)
    return dict(total)
