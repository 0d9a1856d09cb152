"""Antigravity's transcripts: the format, and what of it is known for sure, is told in ``reader``."""

from __future__ import annotations

from agentstore.importers.antigravity.importer import Antigravity

__all__ = ["Antigravity"]
