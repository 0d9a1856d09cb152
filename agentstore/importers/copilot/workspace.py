"""``workspace.yaml`` beside a session of the Copilot CLI: what the session is called, and where it runs.

Read without a YAML parser, and so with care: only lines of the shape ``key: value`` that begin at the margin, with a
plain or a quoted value on the same line. Everything else (blocks, lists, anchors, escapes that are not JSON's) is no
value. Keys seen in public files: id, cwd, git_root, repository, branch, name, summary, summary_count, user_named,
client_name, created_at, updated_at.
"""

from __future__ import annotations

import pathlib
import re

import msgspec

from agentstore.importers.file_blocks import read_start
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import REFUSED

WORKSPACE = "workspace.yaml"
_MOST = 65536
_LINE = re.compile(r"([a-z_]{1,40}):[ \t]+(\S.*)")


def workspace_beside(events: pathlib.Path, intake: Intake) -> dict[str, str]:
    """The values of the file beside ``events.jsonl``; none where there is no such file that can be read."""
    path = events.with_name(WORKSPACE)
    try:
        if events.name != "events.jsonl" or path.is_symlink():
            return {}
        return read_workspace(intake.whole(read_start(path, _MOST), path))
    except (OSError, ValueError):
        return {}


def read_workspace(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in data.decode("utf-8", errors="replace").splitlines():
        if (match := _LINE.fullmatch(line.rstrip())) and (value := _scalar(match.group(2))):
            found.setdefault(match.group(1), value)
    return found


def _scalar(text: str) -> str:
    if text.startswith('"'):
        try:
            value = msgspec.json.decode(text)
        except REFUSED:
            return ""
        return value if isinstance(value, str) else ""
    if text.startswith("'"):
        inside = text[1:-1]
        return inside.replace("''", "'") if len(text) > 1 and text.endswith("'") else ""
    if text[0] in "|>[]{}&*!%@`#,?-" and not re.match(r"-\w", text):
        return ""
    plain = re.split(r"\s#", text, maxsplit=1)[0].rstrip()
    return "" if plain in ("null", "~") or ": " in plain else plain
