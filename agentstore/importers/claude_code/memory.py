"""What has to be remembered of a conversation while its file is being read, and between two imports of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from agentstore.importers.claude_code.calls import CallsMemory
from agentstore.importers.claude_code.facts import Facts
from agentstore.importers.claude_code.outputs import ReadOutput
from agentstore.importers.claude_code.queue import Queue
from agentstore.importers.claude_code.rows import Draft
from agentstore.importers.claude_code.titles import TitlesMemory
from agentstore.importers.jsonl import Record

Counts = dict[str, int]


class Memory(msgspec.Struct, array_like=True):
    """All that is remembered of a conversation. It is the same whatever pieces its file was read in."""

    facts: Facts = msgspec.field(default_factory=Facts)
    titles: TitlesMemory = msgspec.field(default_factory=TitlesMemory)
    calls: CallsMemory = msgspec.field(default_factory=CallsMemory)
    queue: Queue = msgspec.field(default_factory=Queue)
    drafts: list[Draft] = []  # the newest, which are open
    known: bytes = b""
    messages: int = 0
    typed: int = 0
    first_message: str = ""
    output_tokens: int = 0  # of closed messages, as the next one
    peak_context: int = 0
    cost_total: int = 0  # that the program told last, see ``Window.take_total``
    cost_since: int = 0  # of responses after that


class Context(msgspec.Struct):
    """What conversations of one file share."""

    report: Callable[[str], None]
    skipped: Counts
    unknown: Counts
    whole: Callable[[], Record]  # of the record at hand
    read_output: ReadOutput | None = None

    def skip(self, label: str, number: int = 1) -> None:
        add(self.skipped, label, number)


def add(counts: Counts, label: str, number: int = 1) -> None:
    # What is unknown may have a name of any length, and there may be any number of them.
    label = label[:80]
    if label not in counts and len(counts) >= 500:
        label = "(others)"
    counts[label] = counts.get(label, 0) + number
