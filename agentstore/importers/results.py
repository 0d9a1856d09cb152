"""What an importer returns: rows, and everything it could not turn into rows, as values."""

from __future__ import annotations

import msgspec

from agentstore.models import GitLink, Message, Session, ToolCall


class ImportProblem(msgspec.Struct, frozen=True):
    """A part of a file that could not be read. ``line`` is 1-based; 0 means the file as a whole."""

    file: str
    line: int
    reason: str


class ImportResult(msgspec.Struct, frozen=True):
    """The rows of one file, ready for ``write_batch`` and ``write_git_links``, and an account of the rest.

    ``skipped_records`` counts what is known and kept out (progress, snapshots, injected lines …),
    ``unknown_records`` what this version does not know; both by type.
    ``titles`` are titles that this file gives to conversations in *other* files, by the uuid of their last record.
    """

    # Not shared between results, as they would be in a plain class: msgspec makes new lists and dicts for each.
    file: str = ""
    sessions: list[Session] = []
    messages: list[Message] = []
    tool_calls: list[ToolCall] = []
    git_links: list[GitLink] = []
    problems: list[ImportProblem] = []
    skipped_records: dict[str, int] = {}
    unknown_records: dict[str, int] = {}
    titles: dict[str, str] = {}
