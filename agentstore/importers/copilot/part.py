"""One conversation in a file of Copilot events: the session's own, or that of a subagent."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from typing import Any

import msgspec

from agentstore.importers.conversation import Conversation, Memory, OpenCall, OpenMessage, Usage, tokens
from agentstore.importers.copilot.memory import Told
from agentstore.importers.copilot.usage import Ledger, model_name
from agentstore.importers.jsonl import REFUSED, to_json
from agentstore.importers.tools import text_of

# UUIDs, and the ids that providers give to responses ("chatcmpl-…", "resp_…", "msg_…").
_UNIQUE = re.compile(r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,200}")
_MOST_EARLY = 8
_RECENT = 8  # parts of a message; what is written again is written soon
_MOST_NAME = 300
_MOST_THOUGHT = 1_000_000
_NO_MODEL = ("", "auto")  # what a message may say, or the session, where the provider chooses


class Part:
    """Takes the events of one conversation in order."""

    def __init__(self, session_id: str, memory: Memory, calls: set[int]) -> None:
        self.session_id = session_id
        self.conversation = Conversation(memory)
        self.title = ""
        self.started_by: OpenCall | None = None  # the call, as long as the subagent has said nothing
        self.started_in = ""  # the call of the subagent that made it
        self.thought = ""  # that came before its message
        self.early: dict[str, Told] = {}  # likewise, by the ids of requests
        self._calls = calls  # of the whole file

    def source_id(self, id: Any) -> str:
        """An id that is unique in all sessions: long ones are, and in a copy they say what it is a copy of."""
        if not isinstance(id, str) or not id:
            return ""
        return id if _UNIQUE.fullmatch(id) else f"{self.session_id}:{id[:_MOST_NAME]}"

    def take_prompt(self, event: Any, role: str, text: str, moment: dt.datetime | None, ledger: Ledger) -> None:
        self.end_turn(ledger)
        self.conversation.add(role, text, moment, source_id=self.source_id(event.get("id")))

    def take_response(self, event: Any, data: Any, model: str, moment: dt.datetime | None, ledger: Ledger) -> None:
        """One response of the model, or a chunk of it: those of one API call are one message."""
        text, thought = text_of(data, "content"), text_of(data, "reasoningText") or self.thought
        requests = [one for one in _list(data.get("toolRequests")) if text_of(one, "name")]
        output = tokens(data.get("outputTokens"))
        if not (text.strip() or thought.strip() or requests or output):
            return  # a place that was held for a response
        self.thought = ""
        request = text_of(data, "apiCallId")
        source_id = self.source_id(request or data.get("messageId") or event.get("id"))
        message = self._response(source_id) or self.conversation.add(
            "assistant", "", moment, source_id=source_id, model=model
        )
        if output > message.usage.output:
            told = message.usage.raw or to_json({"outputTokens": output})
            self._spend(message, msgspec.structs.replace(message.usage, output=output, raw=told), ledger)
        if early := self.early.pop(request, None):
            self._spend(message, early.usage, ledger, early.model)
        recent = message.parts[-_RECENT:]
        if thought.strip() and _shown(thought) not in recent:
            self.conversation.think(message, thought)
        if text.strip() and text not in recent:
            self.conversation.say(message, text)
        for one in requests:
            self._request(message, one)

    def _request(self, message: OpenMessage, request: Any) -> None:
        id = text_of(request, "toolCallId")[:_MOST_NAME]
        known = int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest())
        # The same again, in a later chunk or because it was written twice: the first one stays.
        if not id or known not in self._calls:
            self._calls.add(known)
            self.conversation.call(message, id, text_of(request, "name")[:_MOST_NAME], _arguments(request))

    def take_thought(self, text: str) -> None:
        """A thought as a record of its own; whether it comes before or after its message depends on the version."""
        if text.strip():
            self._keep_thought()
            self.thought = text[:_MOST_THOUGHT]

    def _keep_thought(self) -> None:
        """What no message followed belongs to the one before."""
        message = self.conversation.last()
        if self.thought and message is not None and not message.has_thinking:
            self.conversation.think(message, self.thought)
        self.thought = ""

    def end_turn(self, ledger: Ledger) -> None:
        self._keep_thought()
        self.settle(ledger)

    # --- tokens ------------------------------------------------------------------------------------------------------

    def take_usage(self, told: Told, request: str, ledger: Ledger) -> None:
        """The tokens of one request. Its response may be there already, or come later."""
        message = self._response(self.source_id(request)) if request else None
        if message is not None:
            self._spend(message, told.usage, ledger, told.model)
            return
        self.early[request or told.source_id] = told
        if len(self.early) > _MOST_EARLY:
            self.settle(ledger)

    def settle(self, ledger: Ledger) -> None:
        """Tokens whose response did not come by its id: of one that had as much output and is told no other, or else
        of a request that nobody saw."""
        for told in self.early.values():
            like = [one for one in self.conversation.opened() if _may_be(one, told)]
            like.sort(key=lambda one: one.model != told.model)
            if like:
                self._spend(like[0], told.usage, ledger, told.model)
            else:
                ledger.count(told.model, told.usage)
                self.add_usage(f"[Usage: {told.model}]", told.usage, told.model, f"{told.source_id}:usage", told.moment)
        self.early.clear()

    def _response(self, source_id: str) -> OpenMessage | None:
        message = self.conversation.find(source_id)
        return message if message is not None and message.role == "assistant" else None

    def _spend(self, message: OpenMessage, usage: Usage, ledger: Ledger, model: str = "") -> None:
        before = message.usage
        if model and message.model in _NO_MODEL:  # it is known only now
            ledger.count(message.model, Usage(), before)
            ledger.count(model, before)
            message.model = model
        usage = msgspec.structs.replace(usage, output=max(usage.output, before.output))
        self.conversation.spend(message, usage)
        ledger.count(message.model, usage, before)

    def add_usage(self, text: str, usage: Usage, model: str, source_id: str, moment: dt.datetime | None) -> None:
        """Tokens that no message has; they are in the ledger already."""
        message = self.conversation.add("system", text, moment, source_id=source_id, model=model)
        self.conversation.spend(message, usage)


def _may_be(message: OpenMessage, told: Told) -> bool:
    usage = message.usage
    said = (message.role, usage.context, usage.output) == ("assistant", 0, told.usage.output)
    return said and message.model in (told.model, *_NO_MODEL)


def model_of(data: Any, selected: str) -> str:
    return model_name(data.get("model")) or selected


def result_of(data: Any) -> str:
    """What a tool gave back: what the model saw of it, else all of it, else why it failed."""
    result = data.get("result")
    if isinstance(result, str):
        return result
    said = text_of(result, "content", "detailedContent")
    error = data.get("error")
    return said or text_of(error, "message") or (error if isinstance(error, str) else "")


def _arguments(request: Any) -> Any:
    """Usually an object; older versions write its JSON as a text, and some tools take a text as it is."""
    value = request.get("arguments")
    if not isinstance(value, str):
        return {} if value is None else value
    try:
        decoded = msgspec.json.decode(value)
    except REFUSED:
        decoded = None
    return decoded if isinstance(decoded, dict) else {"input": value}


def _shown(thought: str) -> str:
    return f"[Thinking]\n{thought}\n[/Thinking]"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
