"""Claude Code, and the agents that write files of its shape (``kin``)."""

from __future__ import annotations

from agentstore.importers.claude_code.files import find_claude_code, import_claude_code_tree
from agentstore.importers.claude_code.transcript import import_claude_code, iter_claude_code

__all__ = ["find_claude_code", "import_claude_code", "import_claude_code_tree", "iter_claude_code"]
