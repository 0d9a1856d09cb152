"""How help is laid out: names on the left, what they mean beside or, where it is narrow, below them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

_INDENT = 2
_GAP = 2
_WIDEST_NAME = 26
_BELOW = 60
_WIDEST = 100


class HelpLayout:
    """What cyclopts asks of a formatter: panels of entries, the usage and the description, as plain text."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        if not panel.entries:
            return
        rows = [(_names(entry, panel.format == "parameter"), _meaning(entry)) for entry in panel.entries]
        _write(console, f"{panel.title}:" if panel.title else "")
        for line in laid_out(rows, min(console.width, _WIDEST)):
            _write(console, line)
        _write(console, "")

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        text = _plain(usage)
        if text:
            _paragraph(console, text if text.startswith("Usage:") else f"Usage: {text}")

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        if text := _plain(description):
            _paragraph(console, text)


def laid_out(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Names and meanings as lines of this width, each meaning in a column of its own. Pure."""
    widest = max([len(names) for names, _ in rows if len(names) <= _WIDEST_NAME], default=0)
    column = _INDENT + widest + _GAP if width >= _BELOW else 2 * _INDENT + _GAP
    lines = []
    for names, meaning in rows:
        left = " " * _INDENT + names
        folded = textwrap.wrap(meaning, max(20, width - column), break_long_words=False, break_on_hyphens=False)
        if folded and width >= _BELOW and len(left) + _GAP <= column:
            left = left.ljust(column) + folded.pop(0)
        lines += [left, *(" " * column + one for one in folded)]
    return lines


def _names(entry: HelpEntry, is_parameter: bool) -> str:
    if is_parameter:
        return ", ".join(entry.display_labels_with_metavar)
    return ", ".join([*entry.positive_names, *entry.positive_shorts])


def _meaning(entry: HelpEntry) -> str:
    parts = [_plain(entry.description)]
    if entry.choices:
        parts.append(f"[{', '.join(entry.choices)}]")
    if entry.required:
        parts.append("[required]")
    return " ".join(filter(None, parts))


def _plain(text: Any) -> str:
    """The text of what cyclopts or rich wraps it in."""
    if text is None:
        return ""
    inner = getattr(text, "primary_renderable", text)
    return " ".join(str(getattr(one, "plain", one)) for one in (inner, *getattr(text, "texts", ()))).strip()


def _paragraph(console: Console, text: str) -> None:
    for one in text.split("\n"):
        for line in textwrap.wrap(one, min(console.width, _WIDEST), break_long_words=False, break_on_hyphens=False) or [
            ""
        ]:
            _write(console, line)
    _write(console, "")


def _write(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
