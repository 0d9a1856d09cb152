"""What is remembered of a rollout between two pieces of it, beside the conversation itself."""

from __future__ import annotations

import hashlib

import msgspec

from agentstore.importers.codex.meta import Meta
from agentstore.importers.conversation import Memory, OpenCall, Usage

ITEM, EVENT, DONE = 1, 2, 4  # the streams that say the same: response_item, event_msg, item_completed
_MOST_ECHOES = 16
_MOST_FAILED = 50
_MOST_SPAWNS = 20


class Echo(msgspec.Struct, array_like=True):
    """A text that one of the streams has said, and which of them have said it."""

    digest: int
    streams: int
    ordinal: int = -1


class Answering(msgspec.Struct, array_like=True):
    """The response at hand: its message, and what of it was seen."""

    ordinal: int = -1
    is_known: bool = False  # by its text or its first call; it has its ``source_id``
    is_spent: bool = False  # its tokens are known
    is_over: bool = False  # what comes next belongs to another response
    key: str = ""  # what it is known by where it has neither text nor call


class State(msgspec.Struct, array_like=True):
    talk: Memory = msgspec.field(default_factory=Memory)
    meta: Meta | None = None
    records: int = 0
    model: str = ""
    title: str = ""
    totals: list[int] = []
    answering: Answering = msgspec.field(default_factory=Answering)
    is_prompted: bool = False  # a prompt came after the response at hand
    is_asked: bool = False  # with a record of its own
    has_answered: bool = False  # with records of its own
    has_events: bool = False  # prompts are events, so that no other message is one
    events_lead: bool = False  # and come before the message that they are the event of
    early: list[int] = []  # messages that would be prompts if there were no events
    unconfirmed: int = -1  # a message that is a prompt if its event comes next
    asked: list[Echo] = []
    told: list[Echo] = []
    thought: list[Echo] = []
    seen: dict[int, int] = {}  # how often a message of this look, or a call of this id, was there
    failed: list[str] = []  # calls that an event says have failed, before their result
    spawns: list[OpenCall] = []  # calls that started agents, and have their result
    skipped: dict[str, int] = {}
    unknown: dict[str, int] = {}
    counted: Usage | None = None  # the last that an event told, and no record yet
    recorded: Usage | None = None  # the last that a record told, and no event yet
    summed_up: Usage | None = None  # of the request that summed up the history, where no event has told it yet
    tier: str = ""  # in which requests are served

    def count(self, key: str) -> int:
        """How often this was there, this time included."""
        known = known_by(key)
        self.seen[known] = number = self.seen.get(known, 0) + 1
        return number

    def fail(self, id: str) -> None:
        if id:
            self.failed = [*self.failed, id][-_MOST_FAILED:]

    def spawn(self, call: OpenCall) -> None:
        self.spawns = [*self.spawns, call][-_MOST_SPAWNS:]


def known_by(text: str) -> int:
    data = text.encode("utf-8", errors="replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def heard(echoes: list[Echo], stream: int, text: str) -> Echo | None:
    """What another stream has said already, spaces aside; None where it is new, and remembered from now on."""
    digest = known_by("".join(text.split()))
    for echo in echoes:
        if echo.digest == digest and not echo.streams & stream:
            echo.streams |= stream
            return echo
    echoes.append(Echo(digest, stream))
    del echoes[:-_MOST_ECHOES]
    return None
