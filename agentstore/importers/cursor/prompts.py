"""What a person wrote in a message of Cursor's role "user".

The program wraps it: ``<user_query>…</user_query>``, with descriptions of the machine, open files and rules before it,
in elements of their own. A message that has such elements and no query was written by the program alone. (Read in
agentsview, tape and other public parsers, and seen in fixtures.)
"""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from agentstore.importers.times import parse_time

_OPEN, _CLOSE = "<user_query>", "</user_query>"
_INJECTED = re.compile(
    r"<(?:user_info|system[_-]reminder|system[_-]notification|environment_\w{1,30}|rules|always_applied_\w{1,30}|"
    r"agent_skills|available_skills|attached_files|open_and_recently_viewed_files|project_layout|git_status|"
    r"agent_transcripts|manually_attached_skills|additional_data|mcp_\w{1,30}|task_notification)[\s>]"
)
_WORKSPACE = re.compile(r"^(?:Workspace Path|Working directory): ([^\r\n]{1,4096})$", re.MULTILINE)
_STAMP = re.compile(r"<timestamp>\s{0,9}([^<>]{1,80}?)\s{0,9}</timestamp>")
# "Thursday, Oct 9, 2025, 2:46 PM (UTC+1)"; others write ISO 8601.
_WHEN = re.compile(
    r"(?:[A-Za-z]{3,10}, )?([A-Z][a-z]{2})[a-z]{0,7} (\d{1,2}), (\d{4}),? (?:at )?(\d{1,2}):(\d{2})"
    r"(?::\d{2})?\s?([AP]M)? \(UTC([+-]\d{1,2})?(?::?(\d{2}))?\)"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Prompt(NamedTuple):
    """A message: its role, and what is shown of it. ``cwd`` and ``moment`` are what the program wrote around it."""

    role: str
    text: str
    cwd: str = ""
    moment: dt.datetime | None = None


def read_prompt(text: str) -> Prompt:
    start = text.find(_OPEN)
    end = text.find(_CLOSE, start) if start >= 0 else -1
    around = text[:start] if end >= 0 else text
    found = _WORKSPACE.search(around) if "Path:" in around or "directory:" in around else None
    cwd = found.group(1).strip() if found else ""
    if end >= 0:
        query = text[start + len(_OPEN) : end].strip()
        return Prompt("user", query, cwd, _moment(around))
    is_injected = _INJECTED.match(text.lstrip()) is not None
    return Prompt("system" if is_injected else "user", text.strip(), cwd)


def _moment(text: str) -> dt.datetime | None:
    """When it was typed, where the program wrote that outside of the query."""
    stamp = _STAMP.search(text)
    found = _WHEN.fullmatch(stamp.group(1)) if stamp else None
    if found is None or found.group(1) not in _MONTHS:
        return parse_time(stamp.group(1)) if stamp else None
    month, day, year, hour, minute, half, zone, rest = found.groups()
    hours = int(hour) % 12 + (12 if half == "PM" else 0) if half else int(hour)
    offset = int(zone or 0) * 60 + (int(rest or 0) if not (zone or "").startswith("-") else -int(rest or 0))
    try:
        local = dt.datetime(int(year), _MONTHS.index(month) + 1, int(day), hours, int(minute), tzinfo=dt.UTC)
        return local - dt.timedelta(minutes=offset)
    except (ValueError, OverflowError):
        return None
