"""Codex CLI: rollouts, plain and compressed, archived and legacy; forks and subagents counted once."""

from __future__ import annotations

from agentstore.importers.codex.importer import Codex

__all__ = ["Codex"]
