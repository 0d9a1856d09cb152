"""The messages of one Claude Code session while its file is being read: later lines still change the newest of them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec

from agentstore.importers.claude_code.calls import Call
from agentstore.importers.claude_code.lines import value_of
from agentstore.importers.jsonl import REFUSED, to_json
from agentstore.importers.tools import describe_call
from agentstore.models import Message

SYNTHETIC = "<synthetic>"  # the model of messages that the program wrote itself: they cost nothing


_Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**9)]  # of one response; a greater number is none


class CacheWrites(msgspec.Struct, gc=False):
    """Tokens written to the cache, by how long they stay."""

    ephemeral_5m_input_tokens: _Tokens = 0
    ephemeral_1h_input_tokens: _Tokens = 0


class Usage(msgspec.Struct, gc=False):
    """The token counts of a response; 0 for anything that cannot be one."""

    input_tokens: _Tokens = 0
    cache_read_input_tokens: _Tokens = 0
    cache_creation_input_tokens: _Tokens | None = None
    output_tokens: _Tokens = 0
    cache_creation: CacheWrites | None = None

    def written(self) -> int:
        # The total where there is one, else its parts; never both, for the total contains them.
        if self.cache_creation_input_tokens is not None:
            return self.cache_creation_input_tokens
        parts = self.cache_creation
        return parts.ephemeral_5m_input_tokens + parts.ephemeral_1h_input_tokens if parts else 0


_decode_usage = msgspec.json.Decoder(Usage).decode


def usage_of(raw: bytes) -> Usage:
    """The counts in a usage object."""
    try:
        return _decode_usage(raw)
    except REFUSED:
        value = value_of(raw)
        if not isinstance(value, dict):
            return Usage()
        parts = value.get("cache_creation")
        usage = msgspec.convert(_counts(value, Usage), Usage)
        usage.cache_creation = msgspec.convert(_counts(parts, CacheWrites), CacheWrites)
        return usage


def _counts(value: Any, kind: type[msgspec.Struct]) -> dict[str, int]:
    """Those of the fields that are numbers of tokens."""
    found = {key: value.get(key) for key in kind.__struct_fields__} if isinstance(value, dict) else {}
    return {key: number for key, number in found.items() if type(number) is int and 0 <= number <= 10**9}


class Draft(msgspec.Struct, array_like=True, gc=False):
    """A message. One response of the model is one message, whatever number of lines it was written in."""

    ordinal: int
    role: str
    timestamp: dt.datetime | None
    source_id: str
    parts: list[str]
    number: int = 0  # what to know a response by; 0 for other messages, and for one without an id
    model: str = ""
    usage: bytes = b""
    input_tokens: int = 0
    cache_read: int = 0
    cache_written: int = 0
    context_tokens: int = 0  # all three
    output_tokens: int = 0
    has_thinking: bool = False
    calls: int = 0
    seen: set[int] = msgspec.field(default_factory=set)  # digests of what its earlier lines held
    cost: int = 0  # that the program tells, in nanodollars

    def take_usage(self, raw: bytes) -> None:
        """Keep the snapshot with the most output; of equal ones the later, which is the more complete."""
        # What the program wrote itself cost nothing.
        if not raw.startswith(b"{") or self.model == SYNTHETIC:
            return
        usage = usage_of(raw)
        if usage.output_tokens >= self.output_tokens:
            fresh, read, written = usage.input_tokens, usage.cache_read_input_tokens, usage.written()
            self.usage, self.output_tokens, self.context_tokens = raw, usage.output_tokens, fresh + read + written
            self.input_tokens, self.cache_read, self.cache_written = fresh, read, written

    def new_call(self, call_id: str, name: str, arguments: Any) -> Call:
        # First of all, for it may raise: what is nested a little too deeply is decoded, and not encoded again.
        call = Call(self.ordinal, self.calls, call_id, name, to_json(arguments))
        self.parts.append(describe_call(name, arguments))
        self.calls += 1
        return call

    def to_row(self, session_id: str) -> Message:
        content = "\n".join(self.parts)
        return Message(
            session_id=session_id,
            ordinal=self.ordinal,
            role=self.role,
            content=content,
            timestamp=self.timestamp,
            has_thinking=self.has_thinking,
            has_tool_use=self.calls > 0,
            content_length=len(content),
            model=self.model,
            token_usage=compact(self.usage),
            input_tokens=self.input_tokens,
            cache_read_tokens=self.cache_read,
            cache_write_tokens=self.cache_written,
            output_tokens=self.output_tokens,
            context_tokens=self.context_tokens,
            source_id=self.source_id,
            reported_cost_nanodollars=self.cost,
        )


def compact(raw: bytes) -> str:
    """JSON without spaces between its tokens."""
    if b" " in raw or b"\\" in raw or not raw.isascii():
        return to_json(value_of(raw))
    return raw.decode()
