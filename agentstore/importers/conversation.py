"""A conversation while it is being read: what agents' records say goes in, rows come out, in order.

For every agent but Claude Code, whose responses are spread over lines. An importer says who spoke, what was called and
what came back; here stands what is the same for all: ordinals from 0 in the order of first appearance, which later
records never move; what a call looks like in a message; lengths, counts and the first message; the git links that the
results of calls prove, and the files that calls touched (``proofs``).

What is remembered is bounded: after ``OPEN_MESSAGES`` later messages one is closed and stays as it is, and of calls
without a result the newest ``OPEN_CALLS`` wait, of ``OPEN_CHARACTERS`` at most. All of it is in ``Memory``, which
packs, so that an import can continue.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from agentstore.importers.file_paths import valid_text
from agentstore.importers.git_remotes import Seen
from agentstore.importers.jsonl import to_json
from agentstore.importers.proofs import Proofs
from agentstore.importers.running import Running
from agentstore.importers.tools import LOADS_SKILL, category, describe_call, skill_name
from agentstore.models import FileTouch, GitLink, Message, Session, ToolCall

OPEN_MESSAGES = 32
OPEN_CALLS = 200
OPEN_CHARACTERS = 2_000_000
FIRST_MESSAGE_LENGTH = 300
_MOST_TOKENS = 10**9  # of one response; a greater number is none


class Usage(msgspec.Struct, array_like=True, gc=False):
    """The tokens of one response, in one meaning for all agents: ``input`` without what was read from or written to the
    cache, ``output`` with reasoning. ``raw`` is the source's own object, as JSON text.

    ``is_sum``: of several requests that are told together, so that it is no context that a model had. ``cost``: what
    the agent says that it cost, in nanodollars (``money``)."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    raw: str = ""
    is_sum: bool = False
    cost: int = 0

    @property
    def context(self) -> int:
        return self.input + self.cache_read + self.cache_write

    @property
    def peak(self) -> int:
        return 0 if self.is_sum else self.context


def tokens(value: Any) -> int:
    """A number of tokens as a file gives it; 0 for anything that cannot be one."""
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else 0


class OpenMessage(msgspec.Struct, array_like=True, gc=False):
    """A message that later records may still add to."""

    ordinal: int
    role: str
    timestamp: dt.datetime | None = None
    source_id: str = ""
    parts: list[str] = []
    model: str = ""
    usage: Usage = msgspec.field(default_factory=Usage)
    has_thinking: bool = False
    calls: int = 0

    def row(self, session_id: str) -> Message:
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
            token_usage=self.usage.raw,
            input_tokens=self.usage.input,
            cache_read_tokens=self.usage.cache_read,
            cache_write_tokens=self.usage.cache_write,
            output_tokens=self.usage.output,
            context_tokens=self.usage.context,
            source_id=self.source_id,
            reported_cost_nanodollars=self.usage.cost,
        )


class OpenCall(msgspec.Struct, array_like=True, gc=False):
    """A tool call; ``index`` is its position among the calls of its message."""

    ordinal: int
    index: int
    id: str
    name: str
    input_json: str
    result: str | None = None
    is_error: bool = False
    subagent: str = ""

    def arguments(self) -> Any:
        # Decoded again for the few that need it, so that what is held, and kept in the state, is one text.
        return msgspec.json.decode(self.input_json)

    def row(self, session_id: str) -> ToolCall:
        result = self.result or ""
        names_skill = self.name in LOADS_SKILL or "SKILL.md" in self.input_json
        return ToolCall(
            session_id=session_id,
            message_ordinal=self.ordinal,
            tool_use_id=self.id,
            call_index=self.index,
            tool_name=self.name,
            tool_category=category(self.name),
            input_json=self.input_json,
            skill_name=skill_name(self.name, self.arguments(), result) if names_skill else "",
            result_content=result,
            result_content_length=None if self.result is None else len(result),
            is_error=self.is_error,
            subagent_session_id=self.subagent,
        )


class Memory(msgspec.Struct, array_like=True):
    """What is remembered of a conversation between two pieces of its file."""

    open: list[OpenMessage] = []
    waiting: list[OpenCall] = []
    messages: int = 0
    typed: int = 0
    first_message: str = ""
    output_tokens: int = 0  # of closed messages, as the next one
    peak_context: int = 0
    started: dt.datetime | None = None
    started_text: str = ""
    ended: dt.datetime | None = None
    links: dict[str, bool] = {}  # by commit or URL: whether the best proof was found
    seen: list[Seen] = []  # the first remotes that commands told
    running: Running = {}  # commands that later answers may tell about
    cwd: str = ""  # see ``Conversation.be_in``
    root: str = ""


class Conversation:
    """Takes what is said in one session in order. ``memory`` is that of an earlier piece."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory = memory or Memory()
        self._open = {message.ordinal: message for message in memory.open}
        self._waiting = {call.id: call for call in memory.waiting}
        self._held = sum(len(call.input_json) for call in memory.waiting)
        self._messages: dict[int, OpenMessage] = {}  # changed since the last piece, as the next one
        self._calls: dict[tuple[int, int], OpenCall] = {}
        self._proofs = Proofs(memory)

    def see_time(self, moment: dt.datetime | None, written: str = "") -> None:
        """Of any record: a session begins at the earliest time and ends at the latest one, whatever their order."""
        memory = self.memory
        if moment is None:
            return
        if memory.started is None or moment < memory.started:
            memory.started, memory.started_text = moment, written or moment.isoformat()
        if memory.ended is None or moment > memory.ended:
            memory.ended = moment

    def be_in(self, cwd: str) -> None:
        """Records say that the agent is in this directory now; the session ran in the first one. For paths of files."""
        if cwd and cwd != self.memory.cwd:
            self.memory.cwd = valid_text(cwd)
            self.memory.root = self.memory.root or self.memory.cwd

    # --- messages ----------------------------------------------------------------------------------------------------

    def add(
        self, role: str, text: str = "", moment: dt.datetime | None = None, *, source_id: str = "", model: str = ""
    ) -> OpenMessage:
        """A new message. One of role "user" is a prompt that a person gave; what was injected has role "system"."""
        memory = self.memory
        message = OpenMessage(memory.messages, role, moment, source_id, [text] if text else [], model)
        memory.messages += 1
        if role == "user":
            memory.typed += 1
            memory.first_message = memory.first_message or first_line(text)
        self._open[message.ordinal] = self._messages[message.ordinal] = message
        if message.ordinal >= OPEN_MESSAGES and (old := self._open.pop(message.ordinal - OPEN_MESSAGES, None)):
            memory.output_tokens += old.usage.output
            memory.peak_context = max(memory.peak_context, old.usage.peak)
        return message

    def last(self, role: str = "assistant") -> OpenMessage | None:
        """The newest message, if it has this role: what a response's later records add to."""
        message = self._open.get(self.memory.messages - 1)
        return message if message and message.role == role else None

    def find(self, source_id: str) -> OpenMessage | None:
        """An open message by the id that its source gave it."""
        return next((one for one in self._open.values() if source_id and one.source_id == source_id), None)

    def at(self, ordinal: int) -> OpenMessage | None:
        """The message with this ordinal, while it is open."""
        return self._open.get(ordinal)

    def recast(self, message: OpenMessage, role: str) -> None:
        """A later record tells, of an open message, that a prompt was injected, or that what looked injected is one."""
        if message.role != role and message.ordinal in self._open:
            memory, line = self.memory, first_line("\n".join(message.parts))
            kept = "" if memory.first_message == line else memory.first_message
            memory.first_message = (memory.first_message or line) if role == "user" else kept
            memory.typed += 1 if role == "user" else -1
            message.role = role
            self._change(message)

    def say(self, message: OpenMessage, text: str) -> None:
        if text:
            message.parts.append(text)
            self._change(message)

    def think(self, message: OpenMessage, text: str = "") -> None:
        """A thought; without a text, one that was withheld."""
        message.has_thinking = True
        self.say(message, f"[Thinking]\n{text}\n[/Thinking]" if text else "")
        self._change(message)

    def spend(self, message: OpenMessage, usage: Usage) -> None:
        """The tokens of a response, all of them: a second report takes the place of the first."""
        message.usage = usage
        self._change(message)

    def _change(self, message: OpenMessage) -> None:
        # A closed one is counted already; a change would be counted again.
        if message.ordinal in self._open:
            self._messages[message.ordinal] = message

    # --- tool calls --------------------------------------------------------------------------------------------------

    def call(self, message: OpenMessage, id: str, name: str, arguments: Any) -> OpenCall:
        """A tool call of a message. It waits under its id for its result; without an id use ``answer_of``."""
        call = OpenCall(message.ordinal, message.calls, id, name, to_json(arguments))
        message.calls += 1
        self.say(message, describe_call(name, arguments))
        self._calls[call.ordinal, call.index] = call
        if id:
            self._forget(id)
            self._waiting[id] = call
            self._held += len(call.input_json)
        while len(self._waiting) > OPEN_CALLS or (self._held > OPEN_CHARACTERS and len(self._waiting) > 1):
            self._forget(next(iter(self._waiting)))
        return call

    def _forget(self, id: str) -> None:
        if call := self._waiting.pop(id, None):
            self._held -= len(call.input_json)

    def waiting(self, id: str) -> OpenCall | None:
        """The call with this id, while its result has not come."""
        return self._waiting.get(id)

    def answer(self, id: str, text: str, *, is_error: bool = False, moment: dt.datetime | None = None) -> bool:
        """The result of the call with this id; of two the first stands. False where no such call waits."""
        call = self._waiting.get(id)
        if call is None:
            return False
        self.answer_of(call, text, is_error=is_error, moment=moment)
        return True

    def answer_of(
        self, call: OpenCall, text: str, *, is_error: bool = False, moment: dt.datetime | None = None
    ) -> None:
        self._waiting.pop(call.id, None)
        call.result, call.is_error = text, is_error
        self._calls[call.ordinal, call.index] = call
        message = self._open.get(call.ordinal)
        self._proofs.take(call, moment or (message.timestamp if message else None))

    def starts(self, call: OpenCall, session_id: str) -> None:
        """The call started this subagent session."""
        call.subagent = session_id
        self._calls[call.ordinal, call.index] = call

    # --- rows --------------------------------------------------------------------------------------------------------

    def held(self) -> Memory:
        """All that is remembered, to be packed at once: later records change it."""
        self.memory.open = list(self._open.values())
        self.memory.waiting = list(self._waiting.values())
        return self.memory

    def opened(self) -> list[OpenMessage]:
        """The messages that later records may still add to, in order."""
        return list(self._open.values())

    def totals(self, session: Session) -> list[Session]:
        """The session's row as far as it was read; none while nobody has spoken."""
        memory = self.memory
        if not memory.messages:
            return []
        usages = [message.usage for message in self._open.values()]
        row = msgspec.structs.replace(
            session,
            started_at=memory.started,
            ended_at=memory.ended,
            source_created_at=memory.started_text,
            first_message=memory.first_message,
            message_count=memory.messages,
            user_message_count=memory.typed,
            total_output_tokens=memory.output_tokens + sum(usage.output for usage in usages),
            peak_context_tokens=max([memory.peak_context, *(usage.peak for usage in usages)]),
        )
        return [row]

    def rows(self, session_id: str, user_id: str) -> tuple[list[Message], list[ToolCall], list[GitLink]]:
        """The rows that are new or have changed since this was called last."""
        messages = [message.row(session_id) for _, message in sorted(self._messages.items())]
        calls = [call.row(session_id) for _, call in sorted(self._calls.items())]
        self._messages, self._calls = {}, {}
        return messages, calls, self._proofs.links(session_id, user_id)

    def file_touches(self, session_id: str, cwd: str = "") -> list[FileTouch]:
        """Likewise what calls did with files; ``cwd`` is where the session ran, where ``be_in`` was not told."""
        return self._proofs.touches(session_id, cwd)


def first_line(typed: str) -> str:
    """A prompt as the name of its session: one line, at most 300 code points and "..."."""
    line = re.sub(r"\r\n|\r|\n", " ", typed.strip())
    return line if len(line) <= FIRST_MESSAGE_LENGTH else line[:FIRST_MESSAGE_LENGTH] + "..."


def joined(parts: Iterable[str]) -> str:
    """The texts of a message's parts, those that there are."""
    return "\n".join(part for part in parts if part)
