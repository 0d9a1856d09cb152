"""Codex CLI as one importer among others."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence

from agentstore.importers.codex.history import CodexHistory
from agentstore.importers.codex.reader import AGENT
from agentstore.importers.codex.rollout import is_rollout
from agentstore.importers.codex.titles import files_of_titles
from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options


class Codex:
    """The rollouts of Codex: of the CLI, the desktop app and the editors' extensions, which share them."""

    name = AGENT
    version = 2  # the service tier

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """``CODEX_HOME`` names another folder than ``~/.codex``, on all systems. Only these two folders of it are read
        (and its index of titles): beside them lie credentials."""
        named = home.environ.get("CODEX_HOME", "").strip()
        root = home.path.joinpath(named) if named else home.path / ".codex"
        return [root / "sessions", root / "archived_sessions"]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        return is_rollout(path, head)

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return files_of_titles(path)

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return files_of_titles(path)

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> CodexHistory:
        return CodexHistory(files, options, known, grown)
