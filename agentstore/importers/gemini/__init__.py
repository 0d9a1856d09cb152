"""Gemini CLI's chats: the formats are told in ``records``, who speaks in ``speech``."""

from __future__ import annotations

from agentstore.importers.gemini.importer import Gemini

__all__ = ["Gemini"]
