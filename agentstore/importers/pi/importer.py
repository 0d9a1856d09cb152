"""Pi as one importer among others."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence

from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options
from agentstore.importers.pi.history import PiHistory, file_above
from agentstore.importers.pi.identity import PI, is_session


class Pi:
    """Pi's sessions, and those of its kin under an ``agent_type`` of their own."""

    name = PI
    version = 2  # what it says that responses cost; input without the cache, of Google's models too

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """The same on all systems; ``<AGENT>_CODING_AGENT_DIR`` names another folder."""
        found: list[pathlib.PurePath] = []
        for variable, folder in (("PI", ".pi"), ("OMP", ".omp")):
            named = home.environ.get(f"{variable}_CODING_AGENT_DIR", "")
            root = home.path.joinpath(named) if named else home.path / folder / "agent"
            found.append(root / "sessions")
        found.append(home.path / ".prime" / "agent" / "sessions")
        return [*found, *(home.path / folder / "agents" for folder in (".openclaw", ".clawdbot", ".qclaw"))]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        return is_session(path, head)

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        above = file_above(path)
        return [above] if above else []

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        above = file_above(path)
        return [above] if above else []

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> PiHistory:
        return PiHistory(files, options, known, grown)
