"""One conversation of Cursor's editor, in ``state.vscdb``: a composer and its bubbles.

``composerData:<id>`` is JSON: composerId, name, createdAt and lastUpdatedAt (ms), modelConfig.modelName, and the
bubbles in order: ``fullConversationHeadersOnly`` [{bubbleId, type}], each of them under ``bubbleId:<id>:<bubbleId>``;
in older versions ``conversation`` or ``conversationMap`` with the bubbles themselves.

A bubble is one message: ``type`` 1 a person's, 2 the agent's, which has ``text``, ``thinking.text`` or
``toolFormerData`` {name, toolCallId, params, rawArgs, result, status, error} (params, rawArgs and result are JSON in a
text). ``tokenCount`` {inputTokens, outputTokens} is mostly zero; whether its input includes the cache is not known.
``usageData`` of the composer, by model {costInCents, amount}, is what it cost so far, of versions that bill by request.
``createdAt`` is often missing. Bubbles that no header names were deleted.

How sure this is: counted by others on real databases (56,649 bubbles, public notes of 2026-08), and read in several
public parsers. No real database was at hand.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

import msgspec

from agentstore.importers.conversation import Conversation, OpenMessage, Usage, tokens
from agentstore.importers.cursor.prompts import read_prompt
from agentstore.importers.jsonl import REFUSED, Record, to_json
from agentstore.importers.money import nanodollars
from agentstore.importers.times import parse_millis, parse_time
from agentstore.importers.tools import text_of

FetchBubble = Callable[[str], Record]
_MOST_NAME = 300
_PERSON, _AGENT = 1, 2
_MOST_NODES = 10_000
_UNIQUE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def bubbles_of(composer: Record, fetch: FetchBubble) -> Iterator[tuple[str, Record]]:
    """The bubbles of a conversation in order, with their ids."""
    headers = composer.get("fullConversationHeadersOnly")
    inline = composer.get("conversationMap")
    for header in headers if isinstance(headers, list) else ():
        id = text_of(header, "bubbleId")
        if not id:
            continue
        own = inline.get(id) if isinstance(inline, dict) else None
        bubble = own if isinstance(own, dict) and own else fetch(id)
        if bubble:
            yield id, {**bubble, "createdAt": bubble.get("createdAt") or header.get("createdAt")}
    conversation = composer.get("conversation")
    for number, bubble in enumerate(conversation if isinstance(conversation, list) and not headers else ()):
        if isinstance(bubble, dict):
            yield text_of(bubble, "bubbleId") or str(number), bubble


def prompts_in(composer: Record, kept: Collection[str] = ()) -> int:
    """How many bubbles a person wrote, without reading them. ``kept`` are those that have a row: Cursor, and people who
    want their disk back, delete rows and leave the headers."""
    headers, inline = composer.get("fullConversationHeadersOnly"), composer.get("conversationMap")
    held = {*kept, *(inline if isinstance(inline, dict) else ())}
    rows = headers or composer.get("conversation")
    return sum(
        isinstance(one, dict) and one.get("type") == _PERSON and (not headers or text_of(one, "bubbleId") in held)
        for one in (rows if isinstance(rows, list) else ())
    )


class ComposerTaker:
    """Takes the bubbles of one conversation in order."""

    def __init__(self, session_id: str, composer: Record) -> None:
        self.conversation = Conversation()
        self._session_id = session_id
        self._model = text_of(composer.get("modelConfig"), "modelName")[:_MOST_NAME]
        self._cost = sum(_cost(one) for one in _values(composer.get("usageData")))
        self._last: OpenMessage | None = None
        self.conversation.see_time(_moment(composer.get("createdAt")))
        self.conversation.see_time(_moment(composer.get("lastUpdatedAt")))

    def take(self, id: str, bubble: Record) -> None:
        moment = _moment(bubble.get("createdAt"))
        text = text_of(bubble, "text") or _rich_text(bubble.get("richText"))
        # A bubble's own id says in a copy of a conversation what it is a copy of.
        source_id = id if _UNIQUE.fullmatch(id) else f"{self._session_id}:{id[:_MOST_NAME]}"
        self.conversation.see_time(moment)
        if bubble.get("type") == _PERSON:
            if text.strip():
                prompt = read_prompt(text)
                self.conversation.add(prompt.role, prompt.text, moment, source_id=source_id)
        elif bubble.get("type") == _AGENT:
            self._take_agent(bubble, text, moment, source_id)

    def _take_agent(self, bubble: Record, text: str, moment: dt.datetime | None, source_id: str) -> None:
        thought, tool = text_of(bubble.get("thinking"), "text"), bubble.get("toolFormerData")
        name = _name_of(tool)
        usage = _usage(bubble.get("tokenCount"))
        if not (text.strip() or thought.strip() or name or usage):
            return
        model = text_of(bubble.get("modelInfo"), "modelName")[:_MOST_NAME] or self._model
        message = self.conversation.add(
            "assistant", "", moment, source_id=source_id, model="" if model == "default" else model
        )
        if thought.strip():
            self.conversation.think(message, thought.strip())
        self.conversation.say(message, text.strip())
        if name and isinstance(tool, dict):
            self._take_tool(message, name, tool, moment)
        if usage:
            self.conversation.spend(message, usage)
        self._last = message

    def finish(self) -> None:
        """What the conversation cost is given to its last response."""
        if self._cost and (last := self._last):
            self.conversation.spend(last, msgspec.structs.replace(last.usage, cost=self._cost))

    def _take_tool(self, message: OpenMessage, name: str, tool: Record, moment: dt.datetime | None) -> None:
        arguments = _decoded(tool.get("rawArgs")) or _decoded(tool.get("params")) or {}
        id = text_of(tool, "toolCallId")[:_MOST_NAME]
        call = self.conversation.call(message, id, name, arguments)
        status, error = text_of(tool, "status"), tool.get("error")
        result = _result(tool.get("result"))
        failure = text_of(_decoded(error) or error, "modelVisibleErrorMessage", "clientVisibleErrorMessage", "message")
        failure = failure or (error if isinstance(error, str) else "")
        if result is None and not failure and status not in ("completed", "success", "error", "cancelled"):
            return  # it runs
        self.conversation.answer_of(call, result or failure, is_error=status == "error", moment=moment)
        if agent := text_of(_decoded(tool.get("result")), "agentId"):
            self.conversation.starts(call, f"cursor:{agent[:_MOST_NAME]}")


def _name_of(tool: Any) -> str:
    """A tool's name; older versions have only its number. Without either nothing was called."""
    if not isinstance(tool, dict):
        return ""
    name = text_of(tool, "name")[:_MOST_NAME]
    number = tool.get("tool")
    is_call = bool(tool.get("toolCallId") or tool.get("rawArgs") or tool.get("params"))
    return name or (f"tool {number}" if type(number) is int and is_call and number < 10**6 else "")


def _result(value: Any) -> str | None:
    """What a tool gave back: the output or the contents in it, where that is all that it is about."""
    if value is None or value == "":
        return None
    decoded = _decoded(value)
    if isinstance(decoded, dict):
        inner = text_of(decoded, "output", "contents", "content", "result")
        return inner or (value if isinstance(value, str) else to_json(decoded))
    return value if isinstance(value, str) else to_json(value)


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def _cost(value: Any) -> int:
    return nanodollars(value.get("costInCents"), digits=7) if isinstance(value, dict) else 0


def _usage(value: Any) -> Usage | None:
    counts = value if isinstance(value, dict) else {}
    asked, given = tokens(counts.get("inputTokens")), tokens(counts.get("outputTokens"))
    return Usage(input=asked, output=given, raw=to_json(counts)) if asked or given else None


def _moment(value: Any) -> dt.datetime | None:
    return parse_time(value) if isinstance(value, str) else parse_millis(value)


def _decoded(value: Any) -> Any:
    """An object, or one that is written as JSON in a text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = msgspec.json.decode(value)
        except REFUSED:
            return None
    return value if isinstance(value, dict) else None


def _rich_text(value: Any) -> str:
    """The text of an editor's state (Lexical's JSON); older rows have plain text there."""
    state = _decoded(value)
    if state is None:
        return value if isinstance(value, str) and not value.lstrip().startswith("{") else ""
    found, waiting = list[str](), [state.get("root")]
    for _ in range(_MOST_NODES):
        if not waiting:
            break
        node = waiting.pop()
        if text_of(node, "text"):
            found.append(node["text"])
        children = node.get("children") if isinstance(node, dict) else None
        if isinstance(children, list):
            waiting.extend(reversed(children))
    return "".join(found)
