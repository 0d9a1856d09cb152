"""Cursor as one importer among others: its editor and its CLI.

One conversation may be kept three times: in the editor's ``state.vscdb`` (``state_db``), in the CLI's ``store.db``
(``store_db``), and in a transcript (``transcript``, ``text_transcript``). Its id is the same in all, and so is its
session: ``cursor:<id>``, as agentsview has it of transcripts. Of the files that are read together the one in which a
person wrote most prompts is the session, and of those with equally many the one that says more (in this order: editor,
CLI, lines, text); the others add nothing (``file/held by another``). So it does not matter which is read first.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Sequence

from agentstore.importers.cursor.files import CursorHistory
from agentstore.importers.cursor.paths import TRANSCRIPTS
from agentstore.importers.cursor.said import files_beside
from agentstore.importers.editors import user_folders
from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options
from agentstore.importers.sqlite_files import is_sqlite

_LINE = re.compile(rb'\s*\{\s*"role"\s*:\s*"(?:user|assistant)"\s*,\s*"message"\s*:\s*\{\s*"content"\s*:')
_TEXT = re.compile(rb"\s*user:\r?\n")


class Cursor:
    """Cursor's agent, in the editor and in the terminal."""

    name = "cursor"
    version = 2  # what a composer says that it cost

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """``CURSOR_CONFIG_DIR``, and on Linux ``XDG_CONFIG_HOME``, name another folder than ``~/.cursor``."""
        named, config = home.environ.get("CURSOR_CONFIG_DIR", ""), home.environ.get("XDG_CONFIG_HOME", "")
        roots = [home.path / named] if named else [home.path / ".cursor"]
        if not named and config and home.system == "linux":
            roots.append(home.path / config / "cursor")
        (editor,) = user_folders(home, ["Cursor"])
        return [
            *(root / folder for root in roots for folder in ("projects", "chats")),
            editor / "globalStorage" / "state.vscdb",
            editor / "workspaceStorage",
        ]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        if path.name == "store.db":
            return is_sqlite(head) and (b"blobs" in head or path.parent.parent.parent.name == "chats")
        if path.name == "state.vscdb":
            return is_sqlite(head) and (b"cursorDiskKV" in head or "Cursor" in path.parts)
        is_there = TRANSCRIPTS in path.parts
        body = head.removeprefix(b"\xef\xbb\xbf")
        if path.suffix == ".jsonl":
            return is_there or _LINE.match(body) is not None
        return path.suffix == ".txt" and (is_there or (_TEXT.match(body) is not None and b"<user_query>" in body))

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return files_beside(path)

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return ()

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> CursorHistory:
        return CursorHistory(files, options, known, grown)
