"""The entries of a session, as they go into a conversation.

=========================================  =========  ===============================================================
entry                                      role       content
=========================================  =========  ===============================================================
message/user                               user       text; images as ``[Image: type]``. OMP's own ones (``synthetic``,
                                                      by an agent) are system
message/assistant                          assistant  texts, thoughts, calls; why it stopped, if that was an error
message/toolResult                         none       the call's result
message/bashExecution, pythonExecution     system     ``! command`` and its output: the person ran it
message/custom, hookMessage, developer     system     what an extension said; a skill that a person called is a prompt
custom_message                             system     likewise
compaction, branch_summary                 system     the summary
message/fileMention                        none       files that a prompt names
everything else                            none       counted by type
=========================================  =========  ===============================================================
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from agentstore.importers.conversation import Conversation, OpenMessage, Usage, tokens
from agentstore.importers.counts import Counts, count
from agentstore.importers.jsonl import Record, to_json
from agentstore.importers.money import nanodollars
from agentstore.importers.pi.identity import message_key
from agentstore.importers.times import parse_millis, parse_time
from agentstore.importers.tools import text_of

_KEPT_OUT = frozenset({
    "archive", "child_usage_attributed", "credential_pin", "custom", "label", "mode_change", "model_change",
    "model_usage", "reset_boundary", "service_tier_change", "session_info", "session_init", "thinking_level_change",
    "title_change", "ttsr_injection", "mcp_tool_selection",
})  # fmt: skip
_BLOCKS_KEPT_OUT = ("redactedThinking", "fallback", "anthropicServerTool")  # no set: a type may be anything


class Kept(NamedTuple):
    """What was kept out, and what was not known, by type."""

    skipped: Counts
    unknown: Counts


def time_of(entry: Record) -> dt.datetime | None:
    """When an entry was written; "timestamp" of the message, in milliseconds, where the entry has none."""
    moment = parse_time(entry.get("timestamp")) or parse_millis(entry.get("timestamp"))
    message = entry.get("message")
    return moment or (parse_millis(message.get("timestamp")) if isinstance(message, dict) else None)


class Entries:
    """Takes the entries of one session in order. ``model`` is the one that was chosen last."""

    def __init__(self, conversation: Conversation, agent: str, kept: Kept, model: str = "") -> None:
        self._conversation = conversation
        self._agent = agent
        self._kept = kept
        self.model = model

    def take(self, entry: Record) -> None:
        kind = entry.get("type")
        moment = time_of(entry)
        if kind == "message":
            message = entry.get("message")
            self._message(entry, message if isinstance(message, dict) else {}, moment)
        elif kind == "custom_message":
            self._custom(entry, entry, moment)
        elif kind in ("compaction", "branch_summary"):
            self._say("system", text_of(entry, "summary"), entry, moment)
        else:
            if kind == "model_change":
                # OMP writes "provider/model".
                self.model = text_of(entry, "modelId") or text_of(entry, "model").partition("/")[2] or self.model
            label = kind if isinstance(kind, str) else "(no type)"
            count(self._kept.skipped if label in _KEPT_OUT else self._kept.unknown, label)

    def _message(self, entry: Record, message: Record, moment: dt.datetime | None) -> None:
        role = message.get("role")
        if role == "user":
            is_own = message.get("synthetic") is not True and message.get("attribution") != "agent"
            self._say("user" if is_own else "system", content_of(message.get("content")), entry, moment)
        elif role == "assistant":
            self._response(entry, message, moment)
        elif role == "toolResult":
            self._result(message, moment)
        elif role in ("bashExecution", "pythonExecution"):
            command = text_of(message, "command", "code")
            self._say("system", "\n".join(filter(None, (f"! {command}", text_of(message, "output")))), entry, moment)
        elif role in ("custom", "hookMessage"):
            self._custom(entry, message, moment)
        elif role == "developer":
            self._say("system", content_of(message.get("content")), entry, moment)
        elif role in ("branchSummary", "compactionSummary"):
            self._say("system", text_of(message, "summary"), entry, moment)
        elif role == "fileMention":
            count(self._kept.skipped, "message/fileMention")
        else:
            count(self._kept.unknown, f"message/{role if isinstance(role, str) else '(no role)'}")

    def _custom(self, entry: Record, message: Record, moment: dt.datetime | None) -> None:
        is_prompt = message.get("attribution") == "user" and "skill" in text_of(message, "customType")
        self._say("user" if is_prompt else "system", content_of(message.get("content")), entry, moment)

    def _say(self, role: str, text: str, entry: Record, moment: dt.datetime | None) -> None:
        if not text.strip():
            count(self._kept.skipped, "message/empty")
            return
        key = message_key(self._agent, text_of(entry, "id"), moment, f"{role}/{text[:64]}")
        self._conversation.add(role, text, moment, source_id=key)

    # --- responses ---------------------------------------------------------------------------------------------------

    def _response(self, entry: Record, message: Record, moment: dt.datetime | None) -> None:
        content, usage = message.get("content"), usage_of(message.get("usage"))
        error = _error(message)
        if not (content or error or usage.context or usage.output):
            count(self._kept.skipped, "message/empty")
            return
        self.model = text_of(message, "model") or self.model
        key = message_key(self._agent, text_of(entry, "id"), moment, "assistant", self.model, usage)
        said = self._conversation.add("assistant", "", moment, source_id=key, model=self.model)
        self._conversation.spend(said, usage)
        if isinstance(content, str):
            self._conversation.say(said, content)
        for block in content if isinstance(content, list) else ():
            self._block(said, block if isinstance(block, dict) else {})
        self._conversation.say(said, error)

    def _block(self, said: OpenMessage, block: Record) -> None:
        kind = block.get("type")
        if kind == "text":
            self._conversation.say(said, text_of(block, "text"))
        elif kind == "thinking":
            self._conversation.think(said, text_of(block, "thinking"))
        elif kind == "toolCall":
            arguments = block.get("arguments")
            name = text_of(block, "name")
            self._conversation.call(said, text_of(block, "id"), name, {} if arguments is None else arguments)
        elif kind == "image":
            self._conversation.say(said, _image(block))
        elif kind == "redactedThinking":
            self._conversation.think(said)
        else:
            told = kind if isinstance(kind, str) else "(no type)"
            label = f"block/{told}"
            count(self._kept.skipped if told in _BLOCKS_KEPT_OUT else self._kept.unknown, label)

    def _result(self, message: Record, moment: dt.datetime | None) -> None:
        text, is_error = content_of(message.get("content")), message.get("isError") is True
        if not self._conversation.answer(text_of(message, "toolCallId"), text, is_error=is_error, moment=moment):
            count(self._kept.skipped, "tool_result/orphan")


def usage_of(told: Any) -> Usage:
    if not isinstance(told, dict):
        return Usage()
    cache = told.get("cache")
    cache = cache if isinstance(cache, dict) else {}
    read = tokens(told.get("cacheRead", cache.get("read")))
    written = tokens(told.get("cacheWrite", told.get("cacheCreation", cache.get("write"))))
    input, output = tokens(told.get("input")), tokens(told.get("output"))
    # Of Google's models earlier versions counted what was read from the cache as input, too: the total tells.
    if 0 < read <= input and tokens(told.get("totalTokens")) == input + written + output:
        input -= read
    return Usage(input, read, written, output, to_json(told), cost=_cost_of(told.get("cost")))


def _cost_of(told: Any) -> int:
    if not isinstance(told, dict):
        return nanodollars(told)
    parts = (nanodollars(told.get(name)) for name in ("input", "output", "cacheRead", "cacheWrite"))
    return nanodollars(told.get("total")) or sum(parts)


def content_of(content: Any) -> str:
    """The text of a message: a text, or blocks of texts and images."""
    if isinstance(content, str):
        return content
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    texts = (_image(block) if block.get("type") == "image" else text_of(block, "text") for block in blocks)
    return "\n".join(filter(None, texts))


def _image(block: Record) -> str:
    return f"[Image: {text_of(block, 'mimeType')[:80] or 'unknown'}]"


def _error(message: Record) -> str:
    reason = text_of(message, "stopReason")
    if reason not in ("error", "aborted"):
        return ""
    return f"[Error: {text_of(message, 'errorMessage') or reason}]"
