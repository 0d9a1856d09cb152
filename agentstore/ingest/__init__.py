"""From places on disk to a store: incremental, watched, masked, with the original kept."""

from __future__ import annotations

from agentstore.ingest.events import IngestEvent, IngestSummary
from agentstore.ingest.following import Pace, WatchedStore
from agentstore.ingest.originals import reimport
from agentstore.ingest.restoring import restore
from agentstore.ingest.streaming import ingest
from agentstore.ingest.watching import watch
from agentstore.ingest.writer import ImportWriter
from agentstore.protocols import ReadWriteStore

__all__ = [
    "ImportWriter",
    "IngestEvent",
    "IngestSummary",
    "Pace",
    "ReadWriteStore",
    "WatchedStore",
    "ingest",
    "reimport",
    "restore",
    "watch",
]
