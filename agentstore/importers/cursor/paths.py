"""What a path says: whose transcript it is, where its subagents belong, and in which directory the agent worked.

``projects/<slug>/agent-transcripts/<id>/<id>.jsonl`` (older: ``<id>.jsonl`` or ``<id>.txt`` in that folder),
subagents in ``<id>/subagents/``. The slug is the directory's path, with everything but letters and digits as "-": many
paths have the same one. So it is not decoded, but compared: with ``cwd`` in the CLI's ``chats/*/<id>/meta.json``, with
a path that the program or a tool call names. Only the project's name is taken from it where nothing else tells, as
agentsview does.
"""

from __future__ import annotations

import pathlib
import re
from typing import NamedTuple

from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record, read_document
from agentstore.importers.tools import text_of

TRANSCRIPTS = "agent-transcripts"
SUBAGENTS = "subagents"
META = "meta.json"
_MOST = 65536
_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_DEEPEST = 40
_HIGH, _LOW = {"Documents", "Code", "projects", "repos"}, {"code", "src", "work", "dev"}


class Place(NamedTuple):
    """What the path of a transcript says. ``parent`` is the session that started it, of a subagent."""

    id: str
    parent: str = ""
    slug: str = ""


def place_of(path: pathlib.Path) -> Place:
    parts = path.parts
    at = parts.index(TRANSCRIPTS) if TRANSCRIPTS in parts else 0
    slug = name_of(pathlib.Path(parts[at - 1])) if at > 0 else ""
    id = name_of(pathlib.Path(path.stem))
    if path.parent.name != SUBAGENTS:
        return Place(id, "", slug)
    folder = path.parent.parent
    parent = folder.name
    if not (folder / f"{parent}.jsonl").exists():
        # Copies of one session's folder may have another name than the session.
        beside = sorted(one.stem for one in folder.glob("*.jsonl"))[:2]
        parent = beside[0] if len(beside) == 1 else parent
    return Place(id, name_of(pathlib.Path(parent)), slug)


def root_of(path: pathlib.Path) -> pathlib.Path | None:
    """Cursor's own folder (``~/.cursor``) that a transcript lies in."""
    parts = path.parts
    at = parts.index(TRANSCRIPTS) if TRANSCRIPTS in parts else 0
    return pathlib.Path(*parts[: at - 2]) if at > 2 and parts[at - 2] == "projects" else None


def meta_in(folder: pathlib.Path, intake: Intake) -> Record:
    """``meta.json`` of one session of the CLI: createdAtMs, updatedAtMs, cwd, title."""
    path = folder / META
    try:
        if path.is_symlink():
            return {}
        data = intake.whole(read_start(path, _MOST), path)
        return read_document(data, lambda _line, _reason: None) or {}
    except (OSError, ValueError):
        return {}


def directory_in(path: str, slug: str) -> str:
    """The directory that has this slug, where a path lies in it; "" where it does not."""
    wanted = _plain(slug)
    if not wanted or not path or len(path) > 4096 or not (path[0] in "/\\" or path[1:2] == ":"):
        return ""
    parts = re.split(r"(?<=[^/\\])[/\\]", path.rstrip("/\\"))
    separator = "\\" if "\\" in path and "/" not in path else "/"
    for count in range(1, min(len(parts), _DEEPEST) + 1):
        prefix = separator.join(parts[:count])
        if _plain(prefix) == wanted:
            return prefix
    return ""


def paths_in(arguments: object) -> list[str]:
    """Absolute paths that a tool call names."""
    keys = ("path", "file_path", "target_file", "target_directory", "working_directory", "workdir", "cwd")
    found = [text_of(arguments, key) for key in keys]
    return [path for path in found if path[:1] in ("/", "\\") or path[1:3] in (":\\", ":/")]


def project_name(slug: str) -> str:
    """A project's name, as agentsview takes it from a slug: what follows a folder in which projects usually lie."""
    parts = slug.split("-")
    first = 2 if parts[0] in ("Users", "home") else 3 if len(parts[0]) == 1 and parts[1:2] == ["Users"] else 0
    for markers in (_HIGH, _LOW) if first else ():
        for at in range(first, len(parts) - 1):
            if parts[at] in markers:
                return "-".join(parts[at + 1 :])
    return "-".join(parts[-2:])


def _plain(text: str) -> str:
    return _PLAIN.sub("-", text).strip("-").lower()
