"""What an ingest tells while it goes on, and at its end."""

from __future__ import annotations

from typing import Literal

import msgspec

EventKind = Literal["found", "read", "stored", "skipped", "failed"]


class IngestEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One step with one file.

    ``kind``: "found" (``size`` bytes on the disk; all files are found before one of them is read), "read" and "stored"
    (``size`` bytes of it, a piece at a time; stored means that the server has committed its rows), "skipped"
    (``reason``: "unchanged", "known", "purged", "deleted"), "failed" (``reason``: the error; the next run tries again,
    but for a file whose content is the reason: that is read again when it has changed). ``agent``: the importer that
    reads it. ``session_ids``: of what was stored.
    """

    kind: EventKind
    path: str
    agent: str = ""
    size: int = 0
    reason: str = ""
    session_ids: tuple[str, ...] = ()


class AgentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What an ingest did with the files of one agent; the fields are those of ``IngestSummary``."""

    files: dict[str, int] = {}
    bytes_found: int = 0
    bytes_read: int = 0
    sessions: int = 0
    messages: int = 0
    tool_calls: int = 0
    commits: int = 0
    problem_count: int = 0
    secrets: dict[str, int] = {}


class IngestSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The last event of an ingest: everything added up.

    ``files`` counts files of history by what became of them; "read" are those that were read to their end and stored,
    "begun" those of which a part was, before the ingest was stopped.
    ``bytes_read``: of the files, uncompressed. ``sessions``: ids that were written. ``messages`` and ``tool_calls``:
    rows that were written; ``commits``: different ones that were seen in them. ``problems``: lines that could not be
    read, and files as a whole (line 0), the first thousand of them. ``skipped_records`` and ``unknown_records``: by
    type. ``unrecognised``: files in the places that no importer takes, by suffix. ``secrets``: markers that were put in
    their place, by kind. ``seconds``: how long it took. ``agents``: the same by the importer that read it, of those
    with files; "" is what could not be looked at.
    """

    kind: Literal["summary"] = "summary"
    files: dict[str, int] = {}
    bytes_found: int = 0
    bytes_read: int = 0
    sessions: int = 0
    messages: int = 0
    tool_calls: int = 0
    commits: int = 0
    problem_count: int = 0
    problems: list[str] = []
    skipped_records: dict[str, int] = {}
    unknown_records: dict[str, int] = {}
    unrecognised: dict[str, int] = {}
    secrets: dict[str, int] = {}
    seconds: float = 0.0
    agents: dict[str, AgentSummary] = {}
