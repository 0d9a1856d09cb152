"""The messages of one Claude Code session while its file is being read: later lines still change them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from typing import Any

from agentstore.importers.claude_calls import Call
from agentstore.importers.claude_facts import text
from agentstore.importers.jsonl import Record, to_json
from agentstore.importers.projects import parse_time
from agentstore.importers.tools import describe_call
from agentstore.models import Message

SYNTHETIC = "<synthetic>"  # the model of messages that the program wrote itself: they cost nothing
_MAX_COUNT = 10**9  # of one response; a greater number is none
_METADATA = frozenset({"cwd", "version", "gitBranch", "slug"})


class Replays:
    """Recognises what an earlier line said at the same instant: a file that was written again into itself.

    A replay has new uuids, may split a prompt's blocks over lines, and may change ``cwd``, ``version`` and the like.
    Where the time is missing, only a second copy of the whole record counts as one.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def fresh(self, record: Record, blocks: list[Record]) -> list[Record]:
        """The blocks that are no replay."""
        moment = text(record, "timestamp")
        if parse_time(moment) is None:
            keys = [_digest({key: value for key, value in record.items() if key not in _METADATA})] * len(blocks)
        else:
            keys = [_digest([moment, block]) for block in blocks]
        # All of them before any is noted: one record may say the same thing twice, and without a time all its blocks
        # have one key.
        fresh = [block for key, block in zip(keys, blocks, strict=True) if key not in self._seen]
        self._seen.update(keys)
        return fresh


def _digest(value: Any) -> bytes:
    # Not the text itself: a prompt may hold megabytes of image data.
    return hashlib.blake2b(to_json(value).encode("utf-8", errors="replace"), digest_size=16).digest()


@dataclasses.dataclass(slots=True, eq=False)
class Draft:
    """A message. One response of the model is one message, whatever number of lines it was written in."""

    ordinal: int
    role: str
    timestamp: dt.datetime | None
    source_id: str
    parts: list[str] = dataclasses.field(default_factory=list)
    model: str = ""
    usage: dict[str, Any] = dataclasses.field(default_factory=dict)
    has_thinking: bool = False
    calls: int = 0
    seen: set[tuple[str, str]] = dataclasses.field(default_factory=set)  # what its earlier lines held

    def take_usage(self, usage: Any) -> None:
        """Keep the snapshot with the most output; of equal ones the later, which is the more complete."""
        if isinstance(usage, dict) and count(usage, "output_tokens") >= count(self.usage, "output_tokens"):
            self.usage = usage

    def new_call(self, call_id: str, name: str, arguments: Any) -> Call:
        call = Call(self.ordinal, self.calls, call_id, name, arguments)
        self.calls += 1
        self.parts.append(describe_call(name, arguments))
        return call

    def to_row(self, session_id: str) -> Message:
        content = "\n".join(self.parts)
        usage = {} if self.model == SYNTHETIC else self.usage
        fresh, read, written = (
            count(usage, "input_tokens"),
            count(usage, "cache_read_input_tokens"),
            _cache_write_tokens(usage),
        )
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
            token_usage=to_json(usage) if usage else "",
            input_tokens=fresh,
            cache_read_tokens=read,
            cache_write_tokens=written,
            output_tokens=count(usage, "output_tokens"),
            context_tokens=fresh + read + written,
            source_id=self.source_id,
        )


def count(usage: dict[str, Any], key: str) -> int:
    """A token count; 0 for anything that cannot be one."""
    value = usage.get(key)
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT
    return value if usable and isinstance(value, int) else 0


def _cache_write_tokens(usage: dict[str, Any]) -> int:
    # The total where there is one, else its parts; never both, for the total contains them.
    parts = usage.get("cache_creation")
    if "cache_creation_input_tokens" in usage or not isinstance(parts, dict):
        return count(usage, "cache_creation_input_tokens")
    return count(parts, "ephemeral_5m_input_tokens") + count(parts, "ephemeral_1h_input_tokens")
