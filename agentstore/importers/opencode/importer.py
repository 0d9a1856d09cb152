"""OpenCode as one importer among others."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Sequence

from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options
from agentstore.importers.opencode.files import files_beside, is_export, is_tree
from agentstore.importers.opencode.history import OpenCodeHistory
from agentstore.importers.opencode.identity import AGENTS, OPENCODE, is_database_name
from agentstore.importers.sqlite_files import is_sqlite, with_log

# A table that no other agent has, whatever the file is called; the file's start says it in small databases only.
_TABLE = re.compile(
    rb"CREATE TABLE\s+[`\"]?(?:part|session_message)[`\"]?\s*\([^;]{0,600}\bsession_id\b", re.IGNORECASE
)


class OpenCode:
    """OpenCode's trees, databases and exports, and those of its kin under an ``agent_type`` of their own."""

    name = OPENCODE
    version = 2  # what it says that responses cost

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """The same on all systems; ``OPENCODE_DB`` names another database, in the folder of the data or anywhere."""
        data = home.path / (home.environ.get("XDG_DATA_HOME") or ".local/share")
        found: list[pathlib.PurePath] = []
        for agent in AGENTS:
            root = data / agent
            folders = [root / "storage" / folder for folder in ("session", "session_diff")]
            found += [root / f"{agent}.db", *(folders if agent in ("mimocode", "icodemate") else folders[:1])]
        named = home.environ.get("OPENCODE_DB", "")
        if named and named != ":memory:":
            found.insert(0, data / OPENCODE / named)
        # Before 0.6, in a folder for each project.
        return [*found, data / OPENCODE / "project"]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        if is_sqlite(head):
            return is_database_name(path.name) or _TABLE.search(head) is not None
        return is_tree(path, head) or is_export(path, head)

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return files_beside(path) if path.suffix == ".json" else with_log(path)

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return ()

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> OpenCodeHistory:
        return OpenCodeHistory(files, options, known, grown)
