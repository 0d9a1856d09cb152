"""Gemini CLI as one importer among others."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence

from agentstore.importers.gemini.history import GeminiHistory, files_around
from agentstore.importers.gemini.records import is_chat
from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options


class Gemini:
    """Chats of Gemini CLI, of all versions that write any."""

    name = "gemini"
    version = 1

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """``GEMINI_CLI_HOME`` names the folder in which ``.gemini`` is; it is the same on all systems."""
        named = home.environ.get("GEMINI_CLI_HOME", "").strip()
        return [(home.path / named if named else home.path) / ".gemini" / "tmp"]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        folder = path.parent.name if path.parent.parent.name != "chats" else path.parent.parent.name
        return is_chat(path.name, folder, head)

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return files_around(path)

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return files_around(path)

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> GeminiHistory:
        return GeminiHistory(files, options, known, grown)
