"""Trajectories of SWE-agent and mini-SWE-agent: the formats are told in ``runs``, ``reader`` and ``mini``."""

from __future__ import annotations

from agentstore.importers.swe_agent.importer import SweAgent

__all__ = ["SweAgent"]
