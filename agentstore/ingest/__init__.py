"""From places on disk to a store."""

from __future__ import annotations

from agentstore.ingest.writer import ImportWriter, ReadWriteStore

__all__ = ["ImportWriter", "ReadWriteStore"]
