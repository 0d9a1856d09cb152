"""Readers of coding agents' transcripts: bytes in, records out. No network, no store, no async."""

from __future__ import annotations

from agentstore.importers.claude_code import (
    find_claude_code,
    import_claude_code,
    import_claude_code_tree,
    iter_claude_code,
)
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState, StaleStateError

__all__ = [
    "ImportProblem",
    "ImportResult",
    "ImportState",
    "StaleStateError",
    "find_claude_code",
    "import_claude_code",
    "import_claude_code_tree",
    "iter_claude_code",
]
