"""From places on disk to a store: incremental, masked, with the original kept."""

from __future__ import annotations

from agentstore.ingest.events import IngestEvent, IngestSummary
from agentstore.ingest.following import Pace, WatchedStore
from agentstore.ingest.streaming import ingest
from agentstore.ingest.watching import watch
from agentstore.ingest.writer import ImportWriter, ReadWriteStore

__all__ = ["ImportWriter", "IngestEvent", "IngestSummary", "Pace", "ReadWriteStore", "WatchedStore", "ingest", "watch"]
