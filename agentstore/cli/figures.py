"""Statistics as tables and charts. Each takes what a read of the store answers, and is not called with nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agentstore.cli.terminal import charts
from agentstore.cli.terminal.screen import Cell, Piece, Screen
from agentstore.cli.terminal.tables import Column, table
from agentstore.faces.money import count, short_count

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agentstore import DailyActivity, HeatmapCell, ModelTokenUsage, ProjectUsage, ToolUsageStat, UserUsage

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WIDE = 80
# What a line of days takes beside its bar, and how long that may be.
_BESIDE_A_BAR, _SHORTEST_BAR, _LONGEST_BAR = 46, 10, 30
_AMOUNTS = (
    Column("sessions", right=True, rank=1),
    Column("msgs", right=True, rank=4),
    Column("commits", right=True, rank=5),
    Column("output", right=True, rank=2),
)


def named(text: str) -> Cell:
    """A name, or that there is none."""
    return text or Piece("(none)", "dim")


def some(number: int) -> str:
    """A number of tokens; nothing of 0."""
    return short_count(number) if number else ""


def labels(users: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What to call each user, by id: the name, with the id where another has the same one."""
    names = {id: name or id for id, name in users}
    of_name = Counter(names.values())
    return {id: name if of_name[name] == 1 else f"{name} ({id})" for id, name in names.items()}


def show_usage(screen: Screen, rows: Sequence[UserUsage]) -> None:
    """By user, agent and project."""
    users = labels((one.user_id, one.user_name) for one in rows)
    columns = [
        Column("user", least=6, most=24),
        Column("agent", rank=2, style="cyan"),
        Column("project", least=8, most=24, rank=3, style="green"),
        *_AMOUNTS,
        Column("largest context", right=True, rank=6),
    ]
    cells: list[tuple[Cell, ...]] = [
        (
            named(users[one.user_id]),
            named(one.agent_type),
            named(one.project_name),
            *_amounts(one),
            some(one.peak_context_tokens),
        )
        for one in rows
    ]
    table(screen, columns, cells)


def show_users(screen: Screen, rows: Sequence[UserUsage]) -> None:
    """By user, with the id that ``--user`` takes."""
    cells: list[tuple[Cell, ...]] = [
        (named(one.user_id), one.user_name if one.user_name != one.user_id else "", *_amounts(one)) for one in rows
    ]
    table(
        screen,
        [Column("id", least=8, most=40, style="yellow"), Column("name", least=6, rank=3, most=24), *_AMOUNTS],
        cells,
    )


def show_projects(screen: Screen, rows: Sequence[ProjectUsage]) -> None:
    """By project."""
    cells: list[tuple[Cell, ...]] = [(named(one.project_name), *_amounts(one)) for one in rows]
    table(screen, [Column("project", least=8, most=40, style="green"), *_AMOUNTS], cells)


def _amounts(one: UserUsage | ProjectUsage) -> tuple[Cell, ...]:
    return (
        count(one.session_count),
        count(one.message_count),
        count(one.commit_count) if one.commit_count else "",
        some(one.total_output_tokens),
    )


def show_tools(screen: Screen, rows: Sequence[ToolUsageStat]) -> None:
    """By tool, with how many of the calls failed."""
    columns = [
        Column("tool", least=10, most=40, style="yellow"),
        Column("category", rank=4, most=16),
        Column("calls", right=True),
        Column("failed", right=True, rank=1, style="red"),
        Column("", right=True, rank=3, style="red"),
        Column("sessions", right=True, rank=2),
    ]
    cells: list[tuple[Cell, ...]] = [
        (
            named(one.tool_name),
            one.category,
            count(one.usage_count),
            count(one.error_count) if one.error_count else "",
            f"{100 * one.error_count / one.usage_count:.0f}%" if one.error_count else "",
            count(one.session_count),
        )
        for one in rows
    ]
    table(screen, columns, cells)


def show_models(screen: Screen, rows: Sequence[ModelTokenUsage]) -> None:
    """By model: its tokens."""
    columns = [
        Column("model", least=12, most=48, style="magenta"),
        Column("responses", right=True, rank=4),
        Column("input", right=True, rank=2),
        Column("cache read", right=True, rank=3),
        Column("cache write", right=True, rank=3),
        Column("output", right=True),
    ]
    cells: list[tuple[Cell, ...]] = [
        (
            named(one.model),
            count(one.message_count),
            some(one.input_tokens),
            some(one.cache_read_tokens),
            some(one.cache_write_tokens),
            some(one.output_tokens),
        )
        for one in rows
    ]
    table(screen, columns, cells)


def show_days(screen: Screen, rows: Sequence[DailyActivity], zone: ZoneInfo) -> None:
    """Day by day, with bars of messages. Days without anything are told as how many they are."""
    largest = max(one.message_count for one in rows)
    room = max(_SHORTEST_BAR, min(_LONGEST_BAR, screen.width - _BESIDE_A_BAR))
    columns = [
        Column("day"),
        Column("sessions", right=True, rank=2),
        Column("msgs", right=True, rank=1),
        Column("output", right=True, rank=3),
        Column(""),
    ]
    cells: list[tuple[Cell, ...]] = []
    before = None
    for one in rows:
        if before is not None and (gap := (one.date - before).days - 1) > 0:
            cells.append((Piece(f"⋮ {gap} day{'s' * (gap > 1)}", "dim"), "", "", "", ""))
        drawn = Piece(charts.bar(one.message_count, largest, room), "cyan")
        amounts = count(one.session_count), count(one.message_count), some(one.total_output_tokens)
        cells.append((one.date.isoformat(), *amounts, drawn))
        before = one.date
    table(screen, columns, cells)
    screen.fold(f"days in {zone_name(zone)}, bars of messages", style="dim")


def show_heatmap(screen: Screen, rows: Sequence[HeatmapCell], zone: ZoneInfo) -> None:
    """A line for each weekday, a character for each hour, and what they mean."""
    days: dict[int, dict[int, int]] = {}
    for cell in rows:
        days.setdefault(cell.day_of_week, {})[cell.hour] = cell.session_count
    largest = max(cell.session_count for cell in rows)
    columns = 3 if screen.width >= _WIDE else 1
    screen.line("    ", Piece(charts.hours_title(columns), "dim"))
    for number, name in enumerate(_WEEKDAYS, start=1):
        counts = days.get(number, {})
        told = count(sum(counts.values())) if counts else ""
        drawn = charts.hours_row(counts, largest, columns)
        screen.line(Piece(name, "dim"), " ", Piece(drawn, "green"), f" {told}")
    steps = "  ".join(
        f"{one} {first}" if first == last else f"{one} {first}–{last}"
        for one, first, last in charts.shades_told(largest)
    )
    screen.fold(f"session starts by the hour in {zone_name(zone)}:  {steps}", style="dim")


def zone_name(zone: ZoneInfo) -> str:
    """A zone as it is shown."""
    return zone.key.removeprefix("Etc/")
