"""From places on disk to a store: incremental, watched, masked, with the original kept."""

from __future__ import annotations

from agentstore.ingest.events import AgentSummary, IngestEvent, IngestSummary
from agentstore.ingest.kept.originals import reimport
from agentstore.ingest.kept.restoring import restore
from agentstore.ingest.previewing import AgentPreview, IngestPreview, preview
from agentstore.ingest.streaming import ingest
from agentstore.ingest.watchers.following import Pace, WatchedStore
from agentstore.ingest.watchers.watching import watch
from agentstore.ingest.writer import ImportWriter
from agentstore.protocols import ReadWriteStore

__all__ = [
    "AgentPreview",
    "AgentSummary",
    "ImportWriter",
    "IngestEvent",
    "IngestPreview",
    "IngestSummary",
    "Pace",
    "ReadWriteStore",
    "WatchedStore",
    "ingest",
    "preview",
    "reimport",
    "restore",
    "watch",
]
