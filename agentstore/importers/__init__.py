"""Readers of coding agents' transcripts: bytes in, records out. No network, no store, no async."""

from __future__ import annotations

from agentstore.importers.claude_code import (
    find_claude_code,
    import_claude_code,
    import_claude_code_tree,
    iter_claude_code,
)
from agentstore.importers.importer import Home, Importer, Options
from agentstore.importers.registry import (
    IMPORTERS,
    find_history,
    import_tree,
    importer_named,
    importer_of,
    known_places,
)
from agentstore.importers.results import ImportProblem, ImportResult, Original
from agentstore.importers.states import ImportState, StaleStateError

__all__ = [
    "IMPORTERS",
    "Home",
    "ImportProblem",
    "ImportResult",
    "ImportState",
    "Importer",
    "Options",
    "Original",
    "StaleStateError",
    "find_claude_code",
    "find_history",
    "import_claude_code",
    "import_claude_code_tree",
    "import_tree",
    "importer_named",
    "importer_of",
    "iter_claude_code",
    "known_places",
]
