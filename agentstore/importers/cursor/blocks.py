"""The blocks of one message, as Cursor writes them in its transcripts and in its CLI's database.

``text``, ``thinking`` (or ``reasoning``, maybe withheld), ``tool_use`` {name, input, id?} or ``tool-call`` {toolName,
args, toolCallId}, ``tool_result`` or ``tool-result``. In transcripts calls have no ids and results are rare: a result
without an id that a call has is that of the oldest call of its turn that waits. Of any other block its text is shown.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from agentstore.importers.conversation import Conversation, OpenCall, OpenMessage
from agentstore.importers.cursor.prompts import Prompt, read_prompt
from agentstore.importers.jsonl import Record, to_json
from agentstore.importers.tools import describe_call, text_of

RESULTS = frozenset({"tool_result", "tool-result"})
_CALLS = frozenset({"tool_use", "tool-call"})
_THOUGHTS = frozenset({"thinking", "reasoning", "redacted_thinking", "redacted-reasoning"})
_MOST_NAME = 300
_MOST_WAITING = 50  # calls, and characters of their inputs
_MOST_CHARACTERS = 500_000


def blocks_of(content: Any) -> list[Record]:
    """The blocks of a message's content, which may be one text."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []


def text_in(content: Any) -> str:
    """The text of blocks, or of what a tool gave back."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, (one if isinstance(one, str) else text_of(one, "text") for one in content)))
    return text_of(content, "text") or (to_json(content) if content is not None else "")


class Taker:
    """Takes messages into a conversation. ``waiting`` are the calls without an id that have no result yet."""

    def __init__(self, conversation: Conversation, waiting: list[OpenCall] | None = None) -> None:
        self.conversation = conversation
        self.waiting = waiting if waiting is not None else []
        self.started: dict[str, str] = {}  # subagents' sessions by what they were asked to do

    def take_user(self, content: Any, moment: dt.datetime | None, source_id: str) -> Prompt | None:
        """A prompt, with the results that may stand in the same message; None where nobody said anything."""
        blocks = blocks_of(content)
        for block in blocks:
            if text_of(block, "type") in RESULTS:
                self.take_result(block)
        said = "\n".join(filter(None, (text_of(one, "text") for one in blocks if text_of(one, "type") not in RESULTS)))
        if not said.strip():
            return None
        prompt = read_prompt(said)
        self.waiting.clear()
        if prompt.text:
            self.conversation.see_time(prompt.moment)
            self.conversation.add(prompt.role, prompt.text, prompt.moment or moment, source_id=source_id)
        return prompt

    def take_assistant(self, content: Any, moment: dt.datetime | None, source_id: str, model: str = "") -> bool:
        blocks = blocks_of(content)
        if not any(_says(block) for block in blocks):
            return False
        message = self.conversation.add("assistant", "", moment, source_id=source_id, model=model)
        for block in blocks:
            kind = text_of(block, "type")
            if kind in _THOUGHTS:
                self.conversation.think(message, text_of(block, "thinking", "text").strip())
            elif kind in _CALLS:
                self._call(message, block)
            elif kind in RESULTS:
                self.take_result(block)
            else:
                self.conversation.say(message, _shown(block))
        return True

    def _call(self, message: OpenMessage, block: Record) -> None:
        name = text_of(block, "name", "toolName")[:_MOST_NAME]
        id = text_of(block, "id", "toolCallId", "tool_use_id")[:_MOST_NAME]
        arguments = block.get("input", block.get("args"))
        if not name:
            return
        call = self.conversation.call(message, id, name, {} if arguments is None else arguments)
        if not id:
            self.waiting.append(call)
            while len(self.waiting) > _MOST_WAITING or (
                len(self.waiting) > 1 and sum(len(one.input_json) for one in self.waiting) > _MOST_CHARACTERS
            ):
                self.waiting.pop(0)
        if self.started and (session := self.started.pop(text_of(arguments, "prompt").strip(), "")):
            self.conversation.starts(call, session)

    def take_result(self, block: Record, *, is_error: bool = False) -> OpenCall | None:
        """The result of a call; None where no call waits for it."""
        id = text_of(block, "tool_use_id", "toolCallId")[:_MOST_NAME]
        call = self.conversation.waiting(id) if id else None
        if call is None and self.waiting:
            call = self.waiting.pop(0)
        if call is None:
            return None
        given = text_in(block.get("content", block.get("result", block.get("experimental_content"))))
        failed = is_error or block.get("is_error") is True or block.get("isError") is True
        self.conversation.answer_of(call, given, is_error=failed)
        return call


def _shown(block: Record) -> str:
    """The text of a block; of one that names a tool in a shape that nobody knows, the tool."""
    name = text_of(block, "name", "toolName")[:_MOST_NAME]
    return text_of(block, "text").strip() or (describe_call(name, block.get("input")) if name else "")


def _says(block: Record) -> bool:
    kind = text_of(block, "type")
    return kind in _CALLS or kind in _THOUGHTS or kind in RESULTS or bool(_shown(block))
