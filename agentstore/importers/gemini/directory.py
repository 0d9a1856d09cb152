"""The directory of a chat: its file has only a SHA-256 of it (``projectHash``).

What proves itself comes first: a path whose SHA-256 that is, among the chat's own directories, the paths in its calls
and in their results, and all folders above these (true for the real files that have one). Then what lies beside: the
file ``.project_root`` in the project's folder, and the paths of ``projects.json`` and ``trustedFolders.json`` (read in
gemini-cli's source and in agentsview's; no real ones were seen).
"""

from __future__ import annotations

import hashlib
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from agentstore.importers.documents import read_object
from agentstore.importers.file_blocks import read_start
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record

_HASH = re.compile(r"[0-9a-f]{64}")
# Paths as they stand in texts: up to a space or a mark that seldom is in one.
_PATH = re.compile(r"(?:(?<![\w./\\~:-])/|(?<![\w./\\])[A-Za-z]:[\\/])[^\s\"'`<>|*?:;,()\[\]{}]{1,400}")
_LOOKED_AT = 4096  # characters of a text
_MOST_TRIES = 5000
ROOT, _PROJECTS, _TRUSTED = ".project_root", "projects.json", "trustedFolders.json"
_MOST = 1 << 20
_SEPARATORS = re.compile(r"[/\\]")


def is_hash(name: str) -> bool:
    return _HASH.fullmatch(name) is not None


class Prover:
    """Tries paths until one has the hash that is looked for."""

    def __init__(self, project_hash: str) -> None:
        self.found = ""
        self._wanted = project_hash if is_hash(project_hash) else ""
        self._tried: set[str] = set()

    def see(self, value: Any) -> None:
        """The paths in a call's arguments or its result."""
        for text in _texts(value):
            if self.found or not self._wanted or len(self._tried) >= _MOST_TRIES:
                return
            start = text[:_LOOKED_AT]
            if start[:1] in "/\\" or start[1:2] == ":":
                self._see_path(start.strip())
            for path in _PATH.findall(start):
                self._see_path(path)

    def _see_path(self, path: str) -> None:
        """The path itself, and each folder above it."""
        if "\n" in path or len(path) > 1000:
            return
        ends = [place.start() for place in _SEPARATORS.finditer(path)][:64]
        for end in [len(path), *reversed(ends)]:
            self._try(path[:end].rstrip("."))
            self._try(path[:end])

    def _try(self, path: str) -> None:
        if not path or path in self._tried or self.found or len(self._tried) >= _MOST_TRIES:
            return
        self._tried.add(path)
        if hash_of(path) == self._wanted:
            self.found = path


def hash_of(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", errors="replace")).hexdigest()


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value, some levels deep."""
    level = [value]
    for _ in range(4):
        following: list[Any] = []
        for one in level[:200]:
            if isinstance(one, str):
                yield one
            elif isinstance(one, list):
                following += one[:200]
            elif isinstance(one, dict):
                following += list(one.values())[:200]
        level = following


def files_of_registry(folder: pathlib.Path) -> list[pathlib.Path]:
    return [folder / _PROJECTS, folder / _TRUSTED]


class Registry:
    """What the folder ``.gemini`` tells about the directories of projects."""

    def __init__(self, folder: pathlib.Path | None, intake: Intake) -> None:
        self._by_name: dict[str, str] = {}
        self._by_hash: dict[str, str] = {}
        if folder is None:
            return
        projects = _object_in(folder / _PROJECTS).get("projects")
        for path, name in (projects if isinstance(projects, dict) else {}).items():
            if isinstance(name, str):
                self._by_name.setdefault(name, intake.text(path))
            self._by_hash.setdefault(hash_of(path), intake.text(path))
        for path in _object_in(folder / _TRUSTED):
            self._by_hash.setdefault(hash_of(path), intake.text(path))

    def directory(self, name: str, project_hash: str) -> str:
        """The directory of the project whose folder has this name."""
        return self._by_hash.get(project_hash) or self._by_hash.get(name) or self._by_name.get(name, "")


def root_beside(folder: pathlib.Path, intake: Intake) -> str:
    """What ``.project_root`` in a project's folder says."""
    try:
        if folder.is_symlink() or (folder / ROOT).is_symlink():
            return ""
        path = folder / ROOT
        text = intake.whole(read_start(path, 4096), path).decode("utf-8", errors="replace").strip()
    except (OSError, ValueError):
        return ""
    return text if "\n" not in text and "\x00" not in text else ""


def proved(project_hash: str, paths: Iterable[Any]) -> str:
    """The path among these that has the hash."""
    return next((path for path in paths if isinstance(path, str) and hash_of(path) == project_hash), "")


def _object_in(path: pathlib.Path) -> Record:
    """A file that belongs to the agent. No link: who made the files may not choose what else is read."""
    try:
        if path.is_symlink():
            return {}
        data = read_start(path, _MOST)
    except (OSError, ValueError):
        return {}
    return read_object(data, lambda _line, _reason: None) or {}
