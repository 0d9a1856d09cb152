"""What the pages get when they are built: tables out of the code, and links that lead to files of the repository."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import msgspec

from agentstore.filters import AnalyticsFilter
from agentstore.models import Record
from agentstore.schema.plan import load_migrations
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
    made = {"options": _options, "filters": _filters, "columns": _columns}
    markdown = _MADE.sub(lambda found: made[found[1]]() if found[1] in made else _records(found[1]), markdown)
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


# The tables that others may read.
TABLES = (
    "sessions",
    "messages",
    "tool_calls",
    "git_links",
    "file_touches",
    "session_stars",
    "message_pins",
    "session_deletes",
    "model_prices",
)
_CREATED = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)[^(]*\((.*?)\n\)\n", re.DOTALL)
_ALTERED = re.compile(r"ALTER TABLE (\w+)(.*)", re.DOTALL)
_ADDED = re.compile(r"ADD COLUMN IF NOT EXISTS (.*?)(?:,\s*(?=ADD )|\Z)", re.DOTALL)


def columns_of() -> dict[str, dict[str, str]]:
    """The columns of all tables, by table and name, as the migrations make them: type and the rest."""
    found: dict[str, dict[str, str]] = {}
    for migration in load_migrations():
        for statement in migration.statements():
            if created := _CREATED.match(statement.text):
                lines = (line.strip().rstrip(",") for line in created[2].split("\n"))
                found[created[1]] = dict(line.split(" ", 1) for line in lines if re.match(r"[a-z_]\w* ", line))
            elif altered := _ALTERED.match(statement.text):
                for one in _ADDED.findall(altered[2]):
                    name, rest = one.strip().split(" ", 1)
                    found[altered[1]][name] = " ".join(rest.split())
    return found


def _columns() -> str:
    found = columns_of()
    parts = []
    for table in TABLES:
        rows = [f"| `{name}` | `{kind.replace('|', '&#124;')}` |" for name, kind in found[table].items()]
        parts.append("\n".join([f"### {table}", "", "| Column | Type |", "| --- | --- |", *rows]))
    return "\n\n".join(parts)


def _records(module: str) -> str:
    """The Structs of a module of ``agentstore.models``: what they are, and their fields with types and defaults."""
    home = importlib.import_module(f"agentstore.models.{module}")
    parts = []
    for name, kind in vars(home).items():
        if not (inspect.isclass(kind) and kind.__module__ == home.__name__ and issubclass(kind, Record)):
            continue
        rows = ["| Field | Type | Default |", "| --- | --- | --- |"]
        # Its own fields, and those of the record that it extends.
        hints = {field: hint for one in reversed(kind.__mro__) for field, hint in inspect.get_annotations(one).items()}
        for field in msgspec.structs.fields(kind):
            hint = hints[field.name].replace("_Date", "DateLike").replace("|", "&#124;")
            rows.append(f"| `{field.name}` | <code>{hint}</code> | {_default(field)} |")
        text = (inspect.getdoc(kind) or "").replace("``", "`")
        parts.append("\n".join([f"### {name}", "", text, "", *rows]))
    return "\n\n".join(parts)


def _default(field: Any) -> str:
    if field.default is not msgspec.NODEFAULT:
        return f"`{field.default!r}`"
    return "" if field.default_factory is msgspec.NODEFAULT else f"`{field.default_factory()!r}`"


def _filters() -> str:
    """The keywords that all analytics take."""
    rows = ["| Keyword | Default |", "| --- | --- |"]
    rows += [f"| `{field.name}` | `{field.default!r}` |" for field in dataclasses.fields(AnalyticsFilter)]
    return "\n".join(rows)
