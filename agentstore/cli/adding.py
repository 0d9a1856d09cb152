"""Rows of usage added up. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentstore import UserUsage


@dataclass
class Totals:
    """What some rows come to; the names are those of the records."""

    session_count: int = 0
    message_count: int = 0
    commit_count: int = 0
    total_output_tokens: int = 0
    peak_context_tokens: int = 0

    def add(self, one: UserUsage) -> None:
        """One row more."""
        self.session_count += one.session_count
        self.message_count += one.message_count
        self.commit_count += one.commit_count
        self.total_output_tokens += one.total_output_tokens
        self.peak_context_tokens = max(self.peak_context_tokens, one.peak_context_tokens)


def totals_by(rows: Iterable[UserUsage], key: Callable[[UserUsage], str]) -> list[tuple[str, Totals]]:
    """What the rows of each key come to, the one with the most sessions first."""
    found: dict[str, Totals] = {}
    for one in rows:
        found.setdefault(key(one), Totals()).add(one)
    return sorted(found.items(), key=lambda item: (-item[1].session_count, item[0]))
