"""What came of an import: one table by agent, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agentstore.cli.importing.following import Failure
from agentstore.cli.terminal import sizes
from agentstore.cli.terminal.screen import Piece, Screen
from agentstore.cli.terminal.tables import Column, table
from agentstore.faces.money import count

if TYPE_CHECKING:
    from agentstore.ingest import AgentSummary, IngestPreview, IngestSummary

_SHOWN = 10
_NOT_SKIPPED = ("read", "begun")


def show_summary(screen: Screen, summary: IngestSummary, failures: Sequence[Failure] = ()) -> None:
    """The table, a line for each agent and one for all where there are several, and what went wrong."""
    rows: list[tuple[str, AgentSummary | IngestSummary]] = [
        (name or "(unknown)", figures) for name, figures in summary.agents.items()
    ]
    if len(rows) > 1:
        rows.append(("all", summary))
    table(
        screen,
        [
            Column("agent", style="cyan"),
            Column("files", right=True),
            Column("sessions", right=True, rank=1),
            Column("messages", right=True, rank=3),
            Column("calls", right=True, rank=5),
            Column("commits", right=True, rank=6),
            Column("masked", right=True, rank=4),
            Column("skipped", least=10, good=20, rank=2),
        ],
        [(name, *_cells(figures)) for name, figures in rows],
    )
    screen.fold(f"{sizes.size(summary.bytes_read)} read in {sizes.seconds(summary.seconds)}", style="dim")
    if summary.problem_count:
        lines = [one for one in summary.problems if ":0: " not in one] or summary.problems
        _show_some(screen, f"{_number(summary.problem_count, 'line')} could not be read:", lines)
    show_failures(screen, failures)


def show_failures(screen: Screen, failures: Sequence[Failure]) -> None:
    """Files that could not be read or stored, and why."""
    if failures:
        said = [f"{one.path}: {one.reason}" if one.path else one.reason for one in failures]
        _show_some(screen, f"{_number(len(failures), 'file')} failed, and will be tried again:", said, style="red")


def show_preview(screen: Screen, told: IngestPreview) -> None:
    """What would be read."""
    table(
        screen,
        [
            Column("agent", style="cyan"),
            Column("new", right=True),
            Column("changed", right=True),
            Column("unchanged", right=True, rank=2),
            Column("to read", right=True, rank=1),
        ],
        [
            (name, count(one.new), count(one.changed), count(one.unchanged), sizes.size(one.bytes_to_read))
            for name, one in told.agents.items()
        ],
    )
    _show_some(screen, f"{_number(len(told.failed), 'file')} cannot be looked at:", told.failed, style="red")
    screen.fold("nothing was read, and nothing was written", style="dim")


def skipped(files: Mapping[str, int]) -> str:
    """What was not read, and why: ``12 unchanged, 1 failed``."""
    return ", ".join(f"{count(number)} {reason}" for reason, number in files.items() if reason not in _NOT_SKIPPED)


def _cells(figures: AgentSummary | IngestSummary) -> tuple[str, ...]:
    secrets = sum(figures.secrets.values())
    return (
        count(sum(figures.files.get(outcome, 0) for outcome in _NOT_SKIPPED)),
        count(figures.sessions),
        count(figures.messages),
        count(figures.tool_calls),
        count(figures.commits) if figures.commits else "",
        count(secrets) if secrets else "",
        skipped(figures.files),
    )


def _show_some(screen: Screen, title: str, lines: Sequence[str], *, style: str = "yellow") -> None:
    if not lines:
        return
    screen.fold(Piece(title, style))
    for line in lines[:_SHOWN]:
        screen.fold(line, indent="  ")
    if len(lines) > _SHOWN:
        screen.fold(f"… and {count(len(lines) - _SHOWN)} more: --json has them", indent="  ", style="dim")


def _number(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"
