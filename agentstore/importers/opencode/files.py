"""Files of JSON: the tree that OpenCode kept up to 1.1, and what ``opencode export`` prints.

========================================================  ==============================================================
``storage/session/<project>/<session>.json``              the session; the file that an import of it is given
``storage/message/<session>/<message>.json``              its messages
``storage/part/<message>/<part>.json``                    their parts, in the order of their names
``storage/project/<project>.json``                        where the project is
``…/storage/session/info/<session>.json``                 the oldest layout, with ``session/message/<session>`` and
                                                          ``session/part/<session>/<message>`` beside ``info``
========================================================  ==============================================================

MiMo Code and iCodeMate have ``session_diff`` in place of ``session``; OpenCode's own ``session_diff/<session>.json`` is
no session. An export is ``{"info": {…}, "messages": [{"info": {…}, "parts": […]}]}``.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import stat
from collections.abc import Iterator
from typing import Any

from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import BOM, Record, read_document
from agentstore.importers.opencode.current import message_of
from agentstore.importers.opencode.messages import Stored
from agentstore.importers.opencode.reader import Problems
from agentstore.importers.tools import text_of

MOST_BYTES = 256 * 1024 * 1024  # of one file
_HELD_BYTES = 65536
_INFO_BYTES = 1 << 20
_FOLDERS = ("session", "session_diff")
_SESSION = re.compile(rb'"(?:projectID|directory|title|version|parentID)"\s*:')
_EXPORT = re.compile(rb'\s*\{\s*"info"\s*:\s*\{')
_EXPORTED = re.compile(rb'"(?:projectID|directory|slug|title)"\s*:')
_PLAIN = re.compile(r"[\w-][\w.-]{0,200}")


def is_tree(path: pathlib.PurePath, head: bytes) -> bool:
    """Whether this is the file of a session in a tree."""
    is_there = path.suffix == ".json" and len(path.parts) > 3 and path.parts[-3] in _FOLDERS
    return is_there and head.removeprefix(BOM).lstrip().startswith(b"{") and _SESSION.search(head) is not None


def is_export(path: pathlib.PurePath, head: bytes) -> bool:
    found = _EXPORT.match(head.removeprefix(BOM)) if path.suffix == ".json" else None
    return found is not None and _EXPORTED.search(head) is not None


def read_json(path: pathlib.Path, problems: Problems, intake: Intake, name: str = "") -> Record | None:
    """The object in a file; None, and a problem, where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        problems.report(f"cannot be read: {error.strerror or error}", name)
        return None
    if len(data) > MOST_BYTES:
        problems.report(f"more than {MOST_BYTES} bytes", name)
        return None
    if not data.strip():
        problems.report("an empty file", name)
        return None
    clean = intake.whole(data, path)
    return read_document(clean, lambda line, reason: problems.report(reason, name, line))


def proof_of_file(path: pathlib.Path) -> bytes:
    """What changes when a file does."""
    digest = hashlib.blake2b(digest_size=8)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def exported_info(path: pathlib.Path, look: Intake) -> Record:
    """The ``info`` of an export, from the beginning of its file, or from all of it where it is longer than that: it
    may have the differences that the session made."""
    with path.open("rb") as file:
        data = file.read(_INFO_BYTES)
    head = look.whole(data).removeprefix(BOM)
    found = _EXPORT.match(head)
    if found is None:
        return {}
    try:
        info, _ = json.JSONDecoder(strict=False).raw_decode(head.decode("utf-8", "replace"), _characters(head, found))
    except (ValueError, RecursionError):
        info = (read_json(path, Problems(""), look) or {}).get("info") if len(data) == _INFO_BYTES else None
    return info if isinstance(info, dict) else {}


def _characters(head: bytes, found: re.Match[bytes]) -> int:
    return len(head[: found.end() - 1].decode("utf-8", "replace"))


def exported_messages(document: Record, problems: Problems) -> Iterator[Stored]:
    """The messages of an export."""
    messages = document.get("messages")
    if not isinstance(messages, list):
        problems.report("no list of messages")
        return
    for number, message in enumerate(messages):
        stored = _exported(message)
        if stored is None:
            problems.report(f"message {number} is none")
        else:
            yield stored


def _exported(message: Any) -> Stored | None:
    if not isinstance(message, dict):
        return None
    info, parts = message.get("info"), message.get("parts")
    if isinstance(info, dict):
        return Stored(info, _records(parts))
    return message_of(text_of(message, "type"), message) if isinstance(message.get("type"), str) else None


class Tree:
    """The files of one session."""

    def __init__(self, path: pathlib.Path, info: Record, intake: Intake) -> None:
        is_oldest = path.parent.name == "info"
        base = path.parent.parent if is_oldest else path.parent.parent.parent
        ids = [id for id in (text_of(info, "id"), path.stem) if _PLAIN.fullmatch(id)]
        self._path = path
        self._intake = intake
        self._project = base / "project" / f"{path.parent.name}.json"
        self._messages = next((one for id in ids if _is_folder(one := base / "message" / id)), None)
        self._parts = base / "part" / ids[0] if is_oldest and ids else base / "part"

    def worktree(self, problems: Problems) -> str:
        """Where its project is, if the session does not say it itself."""
        if not _is_file(self._project):
            return ""
        return text_of(read_json(self._project, problems, self._intake, self._project.name), "worktree")

    def proof(self) -> bytes:
        """What changes when a file of the session is written, added or removed."""
        digest = hashlib.blake2b(digest_size=8)
        files = [self._path, *self._message_files()]
        for path in [*files, *(part for file in files[1:] for part in self._part_files(file.stem, None))]:
            known = path.stat()
            digest.update(f"{path.name}\0{known.st_size}\0{known.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
        return digest.digest()

    def messages(self, problems: Problems) -> Iterator[Stored]:
        """The messages in the order of their times and ids."""
        found: list[tuple[int, str, pathlib.Path, Record | None]] = []
        for path in self._message_files():
            info = read_json(path, problems, self._intake, _below(path))
            if info is not None:
                id = text_of(info, "id") or path.stem
                # Long ones (with the differences that they made) are read once more.
                kept = info if path.stat().st_size < _HELD_BYTES else None
                found.append((created_ms(info), id, path, kept))
        for _, id, path, kept in sorted(found, key=lambda one: one[:2]):
            info = kept if kept is not None else read_json(path, problems, self._intake, _below(path))
            if info is not None:
                parts = [
                    read_json(part, problems, self._intake, _below(part)) for part in self._part_files(id, path.stem)
                ]
                yield Stored(info, _records(parts) or _records(info.get("parts")))

    def _message_files(self) -> list[pathlib.Path]:
        return _files_in(self._messages) if self._messages else []

    def _part_files(self, id: str, other: str | None) -> list[pathlib.Path]:
        for name in filter(None, (id, other)):
            if _PLAIN.fullmatch(name) and (files := _files_in(self._parts / name)):
                return files
        return []


def files_beside(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The files of the session of a tree, and the folders that they are in: a file is written anew in its place, and so
    each of them has to be looked at. (Of sessions that are called otherwise than their files there are none.)"""
    if (
        path.suffix != ".json"
        or len(path.parts) < 4
        or path.parts[-3] not in _FOLDERS
        or not _PLAIN.fullmatch(path.stem)
    ):
        return
    is_oldest = path.parent.name == "info"
    base = path.parent.parent if is_oldest else path.parent.parent.parent
    parts = base / "part" / path.stem if is_oldest else base / "part"
    yield base / "project" / f"{path.parent.name}.json"
    yield base / "message" / path.stem
    for message in _files_in(base / "message" / path.stem):
        yield message
        yield parts / message.stem
        yield from _files_in(parts / message.stem)


def created_ms(info: Record) -> int:
    times = info.get("time")
    created = times.get("created") if isinstance(times, dict) else None
    return created if type(created) is int else 0


def _records(values: Any) -> list[Record]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _files_in(folder: pathlib.Path) -> list[pathlib.Path]:
    """The JSON files in a folder, in the order of their names. No links: who made a tree may not choose what else is
    read."""
    if not _is_folder(folder):
        return []
    with os.scandir(folder) as entries:
        names = [one.name for one in entries if one.name.endswith(".json") and one.is_file(follow_symlinks=False)]
    return [folder / name for name in sorted(names)]


def _is_folder(path: pathlib.Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _is_file(path: pathlib.Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _below(path: pathlib.Path) -> str:
    return os.fsencode("/".join(path.parts[-3:])).decode("utf-8", "replace")
