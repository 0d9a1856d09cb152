"""Figures by name: who or what, how much, which share of the largest, and the sessions behind it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from agentstore.models import CostRow, UserUsage
from agentstore.web.charts.scales import percent

SHOWN = 10
T = TypeVar("T")


class Row(NamedTuple):
    """A line of a table with a bar. ``part`` is what of the bar is marked, failed calls of a tool."""

    name: str
    link: str
    bar: str
    told: str
    cells: tuple[str, ...] = ()
    part: str = ""


class Ranking(NamedTuple):
    """The lines, and what their columns are called: the name, the bar's number, and the others."""

    caption: str
    columns: tuple[str, ...]
    rows: list[Row]
    unit: str

    @property
    def first(self) -> list[Row]:
        """Those that are seen at once."""
        return self.rows[:SHOWN]

    @property
    def rest(self) -> list[Row]:
        """Those that are folded."""
        return self.rows[SHOWN:]


def ranking(caption: str, unit: str, columns: tuple[str, ...], rows: list[Row]) -> Ranking:
    """The table, without columns in which nothing stands. ``unit`` is what the bars count."""
    kept = [at for at in range(len(columns) - 2) if any(row.cells[at] for row in rows)]
    return Ranking(
        caption,
        (*columns[:2], *(columns[at + 2] for at in kept)),
        [row._replace(cells=tuple(row.cells[at] for at in kept)) for row in rows],
        unit,
    )


@dataclass(frozen=True)
class Used:
    """What all agents did for one user, or in one project."""

    key: str
    name: str
    sessions: int = 0
    messages: int = 0
    commits: int = 0
    tokens: int = 0


def together(usage: Iterable[UserUsage], key: Callable[[UserUsage], tuple[str, str]]) -> list[Used]:
    """The rows of each key with a name, the most sessions first."""
    found: dict[str, Used] = {}
    for one in usage:
        id, name = key(one)
        known = found.get(id) or Used(id, name)
        found[id] = Used(
            id,
            known.name or name,
            known.sessions + one.session_count,
            known.messages + one.message_count,
            known.commits + one.commit_count,
            known.tokens + one.total_output_tokens,
        )
    return sorted(found.values(), key=lambda one: (-one.sessions, one.name, one.key))


def bars(values: Sequence[T], amount: Callable[[T], int]) -> list[tuple[T, str]]:
    """Each with the length of its bar: its share of the largest."""
    largest = max((amount(one) for one in values), default=0)
    return [(one, percent(amount(one), largest)) for one in values]


def is_spent(row: CostRow) -> bool:
    """Whether there is anything to tell of it."""
    return bool(row.cost_nanodollars or row.unpriced_tokens or row.reported_cost_nanodollars)
