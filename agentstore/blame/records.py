"""What blame answers."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from agentstore.models.record import Record

BlameConfidence = Literal["high", "medium", "unknown"]


class BlamedLines(Record, frozen=True):
    """Lines in a row that have one origin; ``first`` and ``last`` count from 1.

    "high": an edit call wrote just these lines, and nothing that is stored speaks against it. "medium": ``reason`` says
    what is not certain. "unknown": no session is named, and ``reason`` says why. ``commit`` is the commit that git
    names, "" of lines that are not committed. ``message_ordinal`` and ``tool_use_id`` are those of the edit call, where
    there is none of the message that made the commit; ``prompt_ordinal`` is the user's message before it, -1: none.
    """

    first: int
    last: int
    confidence: BlameConfidence = "unknown"
    reason: str = ""
    commit: str = ""
    session_id: str = ""
    message_ordinal: int = -1
    tool_use_id: str = ""
    call_index: int = 0
    tool_name: str = ""
    touched_at: dt.datetime | None = None
    prompt_ordinal: int = -1
    prompt: str = ""


class Blame(Record, frozen=True):
    """A file's lines with their origins; ``path`` is as history has it. ``notes`` say what was not looked at."""

    path: str
    lines: list[BlamedLines] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)
