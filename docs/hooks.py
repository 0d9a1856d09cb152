"""What the pages get when they are built: tables out of the code, and links that lead to files of the repository."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import msgspec

from agentstore.filters import AnalyticsFilter
from agentstore.settings import ConnectOptions

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "https://github.com/agentstore/agentstore/blob/main/"
_MADE = re.compile(r"^<!-- made: (\w+) -->$", re.MULTILINE)
# Out of docs/, to a file of the repository.
_OUTSIDE = re.compile(r"\]\((?:\.\./)+(?!docs/)([\w./-]+)(#[\w-]+)?\)")
_UNITS = {
    "_seconds": "seconds",
    "_milliseconds": "milliseconds",
    "_bytes": "bytes",
    "_rows": "rows",
    "_size": "connections",
}


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs for each page."""
    made = {"options": _options, "filters": _filters}
    markdown = _MADE.sub(lambda found: made[found[1]](), markdown)
    depth = page.file.src_uri.count("/")

    def leads_out(found: re.Match[str]) -> str:
        target = found[1]
        is_outside = found[0].count("../") > depth or not (ROOT / "docs" / target).exists()
        return f"]({SOURCE}{target}{found[2] or ''})" if is_outside and (ROOT / target).exists() else found[0]

    return _OUTSIDE.sub(leads_out, markdown)


def _options() -> str:
    """The fields of ``ConnectOptions``: type, default, unit."""
    rows = ["| Option | Type | Default | Unit |", "| --- | --- | --- | --- |"]
    hints = inspect.get_annotations(ConnectOptions)
    for field in msgspec.structs.fields(ConnectOptions):
        unit = next((unit for end, unit in _UNITS.items() if field.name.endswith(end)), "")
        rows.append(f"| `{field.name}` | `{hints[field.name]}` | `{field.default!r}` | {unit} |")
    return "\n".join(rows)


def _filters() -> str:
    """The keywords that all analytics take."""
    rows = ["| Keyword | Default |", "| --- | --- |"]
    rows += [f"| `{field.name}` | `{field.default!r}` |" for field in dataclasses.fields(AnalyticsFilter)]
    return "\n".join(rows)
