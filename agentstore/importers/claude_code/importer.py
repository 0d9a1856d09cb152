"""Claude Code as one importer among others."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence

from agentstore.importers.claude_code.files import ClaudeHistory, files_beside, is_transcript
from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options


class ClaudeCode:
    """Claude Code's transcripts, and those of other agents that have the same shape, under an ``agent_type`` of their
    own (``kin``)."""

    name = "claude-code"
    version = 2  # what the program says that responses cost

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """``CLAUDE_CONFIG_DIR`` names another folder than ``~/.claude``; newer versions on Linux also use XDG's."""
        named = home.environ.get("CLAUDE_CONFIG_DIR", "")
        roots = [home.path.joinpath(one.strip()) for one in named.split(",") if one.strip()]
        if not roots:
            roots = [home.path / ".claude", home.path / ".config" / "claude"]
        kin = [home.path / folder / "projects" for folder in (".qwen", ".iflow", ".qoder", ".codebuddy")]
        return [*(root / "projects" for root in roots), *kin, home.path / ".kimi" / "sessions"]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        return is_transcript(path, head)

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return files_beside(path)

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return ()

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> ClaudeHistory:
        return ClaudeHistory(files, options, known, grown)
