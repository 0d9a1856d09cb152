"""Whose an event is: the session's own, or a subagent's whose messages stand in the same file."""

from __future__ import annotations

import hashlib

from agentstore.importers.conversation import Memory
from agentstore.importers.copilot.memory import FileMemory, SubagentMemory
from agentstore.importers.copilot.part import Part
from agentstore.importers.jsonl import Record
from agentstore.importers.times import parse_time
from agentstore.importers.tools import text_of

_MOST_SUBAGENTS = 200
_MOST_NAME = 300


class Parts:
    """The conversations of one file. A subagent is known by the call that started it, and by an id of its own."""

    def __init__(self, session_id: str, memory: FileMemory) -> None:
        self._memory = memory
        self.main = Part(session_id, memory.conversation, memory.calls)
        self.main.thought, self.main.early = memory.thought, memory.early
        self._subagents: dict[str, Part] = {}
        for call, one in memory.subagents.items():
            part = self._add(call, one.conversation)
            part.title, part.thought, part.started_in = one.title, one.thought, one.started_in
            part.started_by, part.early = one.started_by, one.early
        for part in self._subagents.values():
            # The same call as the one that waits, not another one with its id.
            holder = self._subagents.get(part.started_in, self.main)
            part.started_by = part.started_by and (holder.conversation.waiting(part.started_by.id) or part.started_by)

    def all(self) -> list[Part]:
        return [self.main, *self._subagents.values()]

    def of(self, event: Record, data: Record) -> Part:
        """The conversation of an event."""
        instance, call = text_of(event, "agentId")[:_MOST_NAME], text_of(data, "parentToolCallId")[:_MOST_NAME]
        call = call or self._memory.instances.get(instance, "") or (self._only_silent() if instance else "") or instance
        if not call:
            return self.main
        part = self._subagent(call, instance)
        written = text_of(event, "timestamp")[:64]
        part.conversation.see_time(parse_time(written), written)
        return part

    def _only_silent(self) -> str:
        """The call of the one subagent that was started and has said nothing, if there is only one: an id that nobody
        has named before must be its own."""
        named = set(self._memory.instances.values())
        silent = [
            call for call, one in self._subagents.items() if call not in named and not one.conversation.memory.messages
        ]
        return silent[0] if len(silent) == 1 else ""

    def of_instance(self, source: str) -> Part:
        """The conversation of the subagent that "agent-<id>" names, if it is one that is known."""
        instance = source.removeprefix("agent-")
        call = self._memory.instances.get(instance) or self._memory.instances.get(source) or instance
        return self._subagents.get(call, self.main)

    def start(self, event: Record, data: Record) -> None:
        """A record says that a subagent was started."""
        if call := text_of(data, "toolCallId")[:_MOST_NAME]:
            part = self._subagent(call, text_of(event, "agentId")[:_MOST_NAME])
            if part is not self.main:
                part.title = part.title or text_of(data, "agentDisplayName", "agentName")[:_MOST_NAME]

    def _subagent(self, call: str, instance: str) -> Part:
        instances = self._memory.instances
        if call not in self._subagents:
            if len(self._subagents) >= _MOST_SUBAGENTS:
                return self.main
            part = self._add(call, Memory())
            for key, holder in [("", self.main), *self._subagents.items()]:
                if (waiting := holder.conversation.waiting(call)) is not None:
                    part.started_by, part.started_in = waiting, key
        if instance and len(instances) < _MOST_SUBAGENTS:
            instances.setdefault(instance, call)
        return self._subagents[call]

    def _add(self, call: str, memory: Memory) -> Part:
        # No colon: what is behind the last one tells the subagents of a file apart.
        name = call
        if ":" in call:
            name = f"{call.replace(':', '-')}-{hashlib.blake2b(call.encode(), digest_size=4).hexdigest()}"
        id = f"{self.main.session_id}:agent-{name}"
        part = self._subagents[call] = Part(id, memory, self._memory.calls)
        return part

    def link(self, part: Part) -> None:
        """The call that started a subagent is told its session, once there is one."""
        if part.started_by is not None and part.conversation.memory.messages:
            holder = self._subagents.get(part.started_in, self.main)
            holder.conversation.starts(part.started_by, part.session_id)
            part.started_by = None

    def hold(self) -> None:
        """Write all that is remembered into the memory, to be packed at once."""
        memory = self._memory
        memory.conversation, memory.thought = self.main.conversation.held(), self.main.thought
        memory.early = self.main.early
        memory.subagents = {
            call: SubagentMemory(
                part.conversation.held(), part.title, part.started_by, part.started_in, part.thought, part.early
            )
            for call, part in self._subagents.items()
        }
