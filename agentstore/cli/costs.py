"""What it cost, as a table, with what is not in it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from agentstore.cli.figures import labels, named, some
from agentstore.cli.resolving import short_ids
from agentstore.cli.terminal.screen import Cell, Piece, Screen
from agentstore.cli.terminal.tables import Column, table
from agentstore.faces.money import count, dollars

if TYPE_CHECKING:
    from agentstore import CostReport, CostRow, UnpricedModel

_MORE = "+ ?"
_AMOUNTS = (
    Column("cost", right=True),
    Column("agents say", right=True, rank=1),
    Column("responses", right=True, rank=6),
    Column("input", right=True, rank=3),
    Column("cache read", right=True, rank=4),
    Column("cache write", right=True, rank=5),
    Column("output", right=True, rank=2),
)
_KEYS = {
    "agent": Column("agent", least=8, good=12, most=24, style="cyan"),
    "day": Column("day"),
    "model": Column("model", least=12, good=26, most=48, style="magenta"),
    "project": Column("project", least=8, most=40, style="green"),
    "user": Column("user", least=8, most=40),
}


def show_costs(screen: Screen, by: str, report: CostReport, titles: Mapping[str, str] = {}) -> None:
    """The rows of a report by one of its keys; ``titles`` of sessions by their ids."""
    if by == "session":
        _show(screen, _of_sessions(report.rows, titles), report, [Column("session", style="yellow"), _TITLE])
    else:
        users = labels((row.key, row.name) for row in report.rows) if by == "user" else {}
        rows: list[_Row] = [((named(users.get(row.key, row.key)),), row) for row in report.rows]
        _show(screen, rows, report, [_KEYS[by]])


def show_costs_of_agents(screen: Screen, reports: Iterable[tuple[str, CostReport]], report: CostReport) -> None:
    """By agent and model; ``report`` has the total and what is not priced."""
    rows: list[_Row] = [((named(agent), named(row.key)), row) for agent, one in reports for row in one.rows]
    rows.sort(key=lambda row: -row[1].cost_nanodollars)
    _show(screen, rows, report, [_KEYS["agent"], _KEYS["model"]])


_Row = tuple[tuple[Cell, ...], "CostRow"]
_TITLE = Column("title", least=8, good=24, most=40)


def _of_sessions(rows: Sequence[CostRow], titles: Mapping[str, str]) -> list[_Row]:
    ids = short_ids([row.key for row in rows])
    return [((ids[row.key], titles.get(row.key, row.name)), row) for row in rows]


def _show(screen: Screen, rows: Sequence[_Row], report: CostReport, keys: Sequence[Column]) -> None:
    cells: list[tuple[Cell, ...]] = [(*names, *_cells(row)) for names, row in rows]
    total = tuple(Piece(text, "bold") for text in _cells(report.total))
    cells.append((Piece("total", "bold"), *[""] * (len(keys) - 1), *total))
    table(screen, [*keys, *_AMOUNTS], cells)
    prices = f"prices as of {report.prices_date}" if report.prices_date else "no price is known of these"
    screen.fold(f"at API prices ({prices}); what a subscription bills is another thing", style="dim")
    if report.total.reported_cost_nanodollars:
        screen.fold("agents say: what they themselves wrote down, where they did", style="dim")
    if report.unpriced:
        _show_unpriced(screen, report.unpriced)


def _cells(row: CostRow) -> tuple[str, ...]:
    cost = dollars(row.cost_nanodollars) if row.cost_nanodollars or not row.unpriced_tokens else ""
    return (
        " ".join(filter(None, [cost, _MORE if row.unpriced_tokens else ""])),
        dollars(row.reported_cost_nanodollars) if row.reported_cost_nanodollars else "",
        count(row.responses),
        some(row.input_tokens),
        some(row.cache_read_tokens),
        some(row.cache_write_tokens),
        some(row.output_tokens),
    )


def _show_unpriced(screen: Screen, models: Sequence[UnpricedModel]) -> None:
    """What costs something that nobody knows."""
    screen.line()
    screen.fold(f"{_MORE}  no price is known of these, which are not in the sums:", style="dim")
    columns = [
        Column("model", least=12, most=48, style="magenta"),
        Column("responses", right=True, rank=4),
        Column("input", right=True, rank=1),
        Column("cache read", right=True, rank=2),
        Column("cache write", right=True, rank=3),
        Column("output", right=True),
    ]
    cells: list[tuple[Cell, ...]] = [
        (
            named(one.model),
            count(one.responses),
            some(one.input_tokens),
            some(one.cache_read_tokens),
            some(one.cache_write_tokens),
            some(one.output_tokens),
        )
        for one in models
    ]
    table(screen, columns, cells)
    if importlib.util.find_spec("genai_prices") is None:
        screen.fold("pip install 'agentstore[cost]' brings the prices of more models", style="dim")
