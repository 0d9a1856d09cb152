"""How the demo shows what a store returns. Right on a terminal and in a pipe, from 80 columns up."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentstore import (
    DailyActivity,
    HeatmapCell,
    Message,
    ModelTokenUsage,
    SearchPage,
    SearchResult,
    Session,
    SessionPage,
    ToolCall,
    ToolUsageStat,
    UserUsage,
)
from agentstore.importers import ImportProblem

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHADES = "░▒▓█"
SHOWN_DAYS = 14
SHOWN_TOOLS = 12
SHOWN_PROBLEMS = 5
BAR = 28

if isinstance(sys.stdout, TextIOWrapper):
    sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows ? instead of ending the program
console = Console(highlight=False)


def heading(text: str) -> None:
    console.print()
    console.print(Text(text, style="bold cyan"))


def table(*columns: str) -> Table:
    """A table; the column whose name ends in ``*`` gets what is left of the width and is cut there.

    ``<`` before a name puts text to the left, the other columns are numbers.
    """
    wide = any(name.endswith("*") for name in columns)
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim", expand=wide)
    for name in columns:
        found.add_column(
            name.strip("<*"),
            justify="left" if name[:1] == "<" else "right",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if name.endswith("*") else None,
        )
    return found


def plain(text: str) -> str:
    """The text on one line, character for character: what a terminal would obey becomes a space."""
    return "".join(char if char.isprintable() else " " for char in text)


def one_line(text: str, limit: int) -> str:
    """The beginning of a text, without its line breaks."""
    words = " ".join(plain(text[: limit * 4]).split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def bar(value: int, largest: int) -> Text:
    """A horizontal bar; whatever is not nothing has at least one mark."""
    return Text("█" * max(1 if value else 0, round(BAR * value / max(largest, 1))), style="green")


# --- the import ------------------------------------------------------------------------------------------------


def show_import(
    root: Path, counts: Counter[str], problems: Sequence[ImportProblem], others: int, seconds: float
) -> None:
    heading(f"Imported from {plain(str(root))}")
    shown = Table.grid(padding=(0, 2))
    shown.add_column(justify="right")
    for name in ("transcripts", "sessions", "messages", "tool calls", "commits and pull requests", "problems"):
        note = f"{counts['by subagents']:,} of them by subagents" if name == "sessions" else ""
        shown.add_row(f"{counts[name]:,}", name, note)
    shown.add_row(f"{counts['records kept out']:,}", "records kept out", "progress, snapshots and the like")
    shown.add_row(f"{counts['records of unknown type']:,}", "records of unknown type")
    shown.add_row(f"{others:,}", "other files", "not Claude Code's, left alone")
    shown.add_row(f"{seconds:.1f}", "seconds")
    console.print(shown)
    for problem in problems[:SHOWN_PROBLEMS]:
        file = Path(problem.file)
        name = str(file.relative_to(root)) if root in file.parents else file.name
        console.print(Text(plain(f"{name}:{problem.line}: {problem.reason}"), style="yellow"), soft_wrap=True)
    if len(problems) > SHOWN_PROBLEMS:
        console.print(Text(f"… and {len(problems) - SHOWN_PROBLEMS:,} problems more", style="dim"))


# --- sessions --------------------------------------------------------------------------------------------------


def show_sessions(page: SessionPage) -> None:
    heading(f"Sessions ({len(page.sessions):,} of {page.total:,}, latest first)")
    shown = table("<started", "<user", "<project", "<title*", "msgs", "links")
    for session in page.sessions:
        shown.add_row(
            f"{session.started_at:%Y-%m-%d %H:%M}" if session.started_at else "",
            one_line(session.user_name, 12),
            one_line(session.project_name, 14),
            one_line(title(session), 200),
            f"{session.message_count:,}",
            f"{session.commit_count:,}" if session.commit_count else "",
        )
    console.print(shown)


def title(session: Session) -> str:
    return session.display_name or session.first_message or session.id


def show_session(session: Session, messages: Sequence[Message], calls: Sequence[ToolCall]) -> None:
    heading(f"One session: {one_line(title(session), 60)}")
    shown = Table.grid(padding=(0, 2))
    for style in ("dim", "bold", ""):
        shown.add_column(style=style, justify="right" if style == "dim" else "left")
    for message in messages:
        shown.add_row(str(message.ordinal), message.role, Text(one_line(message.content, 2 * (console.width - 20))))
        for call in sorted(calls, key=lambda call: call.call_index):
            if call.message_ordinal == message.ordinal:
                shown.add_row("", "", call_line(call))
    console.print(shown)
    if session.message_count > len(messages):
        console.print(Text(f"    … and {session.message_count - len(messages):,} messages more", style="dim"))


def call_line(call: ToolCall) -> Text:
    """A tool call in one line: what was asked, and how much came back."""
    length = call.result_content_length
    outcome = "no result" if length is None else "failed" if call.is_error else f"{length:,} characters"
    asked = one_line(first_argument(call.input_json), console.width - 50)
    return Text.assemble(
        (f"▸ {plain(call.tool_name)} ", "magenta"), (asked, "dim"), (f" → {outcome}", "red" if call.is_error else "dim")
    )


def first_argument(input_json: str) -> str:
    """The argument that tells most: nearly always the first one."""
    try:
        arguments = msgspec.json.decode(input_json)
    except msgspec.DecodeError:
        return input_json
    return str(next(iter(arguments.values()), "")) if isinstance(arguments, dict) else input_json


# --- search ----------------------------------------------------------------------------------------------------


def show_hits(needle: str, page: SearchPage) -> None:
    total = f"at least {page.total:,}" if page.total_is_lower_bound else f"{page.total:,}"
    heading(f"Search for “{needle}”: {len(page.results):,} of {total} hits")
    for hit in page.results:
        where = f"{hit.started_at:%Y-%m-%d}" if hit.started_at else ""
        console.print(
            Text(f"{where}  {plain(hit.user_name)}  {plain(hit.project_name)}  #{hit.ordinal} {hit.role}", style="dim")
        )
        console.print(marked(hit))


def marked(hit: SearchResult) -> Text:
    """The snippet with its hits marked: by style on a terminal, by »« where there are no styles."""
    text = Text(plain(hit.snippet))
    styled = console.color_system is not None
    for mark in reversed(hit.highlights):
        text.stylize("bold black on yellow", mark.start, mark.end)
        if not styled:
            text = Text.assemble(text[: mark.start], "»", text[mark.start : mark.end], "«", text[mark.end :])
    return text


# --- numbers ---------------------------------------------------------------------------------------------------


def show_users(usage: Sequence[UserUsage]) -> None:
    heading("Usage by user")
    shown = table("<user", "<agent", "<project*", "sessions", "msgs", "links", "output")
    for row in usage[:15]:
        shown.add_row(
            one_line(row.user_name, 16),
            row.agent_type,
            one_line(row.project_name, 40),
            f"{row.session_count:,}",
            f"{row.message_count:,}",
            f"{row.commit_count:,}",
            f"{row.total_output_tokens:,}",
        )
    console.print(shown)


def show_heatmap(cells: Sequence[HeatmapCell], tz: str) -> None:
    heading(f"Session starts by weekday and hour ({tz})")
    counts = {(cell.day_of_week, cell.hour): cell.session_count for cell in cells}
    largest = max(counts.values(), default=0)
    console.print(Text("     " + "".join(f"{hour:<6}" for hour in range(0, 24, 3)), style="dim"))
    for number, name in enumerate(WEEKDAYS, start=1):
        line = Text.assemble((f"{name}  ", "dim"))
        for hour in range(24):
            line.append_text(shade(counts.get((number, hour), 0), largest))
        console.print(line)
    console.print(
        Text(f"     · none  ░ 1 session  █ {largest:,}" if largest > 1 else "     · none  █ 1 session", style="dim")
    )


def shade(count: int, largest: int) -> Text:
    """Two characters, the darker the more."""
    if not count:
        return Text("· ", style="dim")
    level = (count - 1) * (len(SHADES) - 1) // (largest - 1) if largest > 1 else len(SHADES) - 1
    return Text(SHADES[level] * 2, style="green")


def show_tools(tools: Sequence[ToolUsageStat]) -> None:
    heading("Tools")
    shown = table("<tool", "<category", "calls", "<")
    for tool in tools[:SHOWN_TOOLS]:
        shown.add_row(
            plain(tool.tool_name), tool.category, f"{tool.usage_count:,}", bar(tool.usage_count, tools[0].usage_count)
        )
    console.print(shown)


def show_days(days: Sequence[DailyActivity], tz: str) -> None:
    heading(f"Days ({tz}; the last {SHOWN_DAYS} with a session)")
    shown = table("<day", "sessions", "messages", "output", "<")
    recent = days[-SHOWN_DAYS:]
    largest = max((day.message_count for day in recent), default=0)
    for day in recent:
        shown.add_row(
            f"{day.date:%a %Y-%m-%d}",
            f"{day.session_count:,}",
            f"{day.message_count:,}",
            f"{day.total_output_tokens:,}",
            bar(day.message_count, largest),
        )
    console.print(shown)


def show_models(models: Sequence[ModelTokenUsage]) -> None:
    heading("Tokens by model")
    shown = table("<model*", "input", "cache read", "cache write", "output", "answers")
    for model in models:
        shown.add_row(
            plain(model.model),
            f"{model.input_tokens:,}",
            f"{model.cache_read_tokens:,}",
            f"{model.cache_write_tokens:,}",
            f"{model.output_tokens:,}",
            f"{model.message_count:,}",
        )
    console.print(shown)


def show_end(where: str) -> None:
    console.print()
    console.print(
        Text(
            f"The store is in {where}. Import your own: make demo FROM=~/.claude/projects."
            " Search: make demo FIND='some text'. Serve it to any ClickHouse client: make serve.",
            style="dim",
        )
    )
