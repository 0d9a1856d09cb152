"""SWE-agent and mini-SWE-agent as one importer among others."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Sequence

from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options
from agentstore.importers.jsonl import BOM
from agentstore.importers.swe_agent.history import SweHistory
from agentstore.importers.swe_agent.runs import SWE_AGENT

_MEMBERS = re.compile(
    rb'"(?:trajectory|history|attempts|environment|replay_config|messages|info|mini_version|trajectory_format)"\s*:'
    rb'|\A\s*\[\s*\{\s*"(?:role|content)"\s*:'
)
_IS_MINI = re.compile(rb'"mini_version"\s*:|"trajectory_format"\s*:\s*"mini-swe-agent-')
_CONFIG = {
    "linux": (".config", "mini-swe-agent"),
    "macos": ("Library", "Application Support", "mini-swe-agent"),
    "windows": ("AppData", "Local", "mini-swe-agent", "mini-swe-agent"),
}


class SweAgent:
    """Trajectories of SWE-agent, and those of mini-SWE-agent under an ``agent_type`` of their own."""

    name = SWE_AGENT
    version = 2  # what it says that runs and responses cost; tokens in Anthropic's spelling

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """SWE-agent writes into its own checkout, unless a variable names a folder; mini keeps the last run of each
        kind in its configuration's folder."""
        config = home.environ.get("MSWEA_GLOBAL_CONFIG_DIR", "").strip()
        kept = home.environ.get("SWE_AGENT_TRAJECTORY_DIR", "").strip()
        places = [home.path / kept] if kept else [home.path / "SWE-agent" / "trajectories"]
        return [*places, home.path / config if config else home.path.joinpath(*_CONFIG[home.system])]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        start = head.removeprefix(BOM).lstrip()
        if path.name.endswith((".traj", ".traj.json")):
            return start.startswith((b"{", b"[")) and _MEMBERS.search(start) is not None
        return path.suffix == ".json" and start.startswith(b"{") and _IS_MINI.search(start) is not None

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return ()

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return ()

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> SweHistory:
        return SweHistory(files, options, known, grown)
