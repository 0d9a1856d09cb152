"""Antigravity CLI, and the desktop's transcripts of the same shape, as one importer among others."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Sequence

from agentstore.importers.antigravity.history import CLI, NAMES, AntigravityHistory, files_around, files_beside
from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options

_STEP = re.compile(rb'"step_index"\s*:\s*\d|"type"\s*:\s*"(?:USER_INPUT|PLANNER_RESPONSE)"')


class Antigravity:
    """Transcripts that Antigravity writes for its agents to read."""

    name = CLI
    version = 1

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """The same on all systems; ``GEMINI_CLI_HOME`` is Gemini CLI's and not known to be read here."""
        return [home.path / ".gemini" / agent / "brain" for agent in (CLI, "antigravity", "antigravity-ide")]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        return path.name in NAMES and (_STEP.search(head) is not None or _is_place(path))

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return [*files_beside(path), *files_around(path)]

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return files_around(path)

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> AntigravityHistory:
        return AntigravityHistory(files, options, known, grown)


def _is_place(path: pathlib.Path) -> bool:
    return (path.parent.parent.name, path.parent.name) == (".system_generated", "logs")
