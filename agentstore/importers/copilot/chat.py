"""One chat of VS Code's Copilot: a document whose requests are each a prompt and the answer to it.

A request becomes a message of role "user" and one of role "assistant". The answer's parts, in their order:

=============================  =================================================================================
``kind``                       becomes
=============================  =================================================================================
none (markdown), or any that   text; pieces of text that follow each other are one
has a ``value``
``inlineReference``            the path or name that it shows, as text
``thinking``                   a thought
``toolInvocationSerialized``   a tool call
anything else                  nothing (progress, undo stops, groups of edits, which a tool call made)
=============================  =================================================================================

What the model asked for, and what it got back, is in ``result.metadata`` (``toolCallRounds``, ``toolCallResults``)
under the id of the call; where it is not, a part says it in words, and in ``resultDetails`` and ``toolSpecificData``.
Of an answer without any such part the rounds alone are the calls.

Tokens are told once for each request: ``result.metadata.promptTokens`` and ``outputTokens``, else ``promptTokens`` and
``completionTokens`` of the request. How much of the prompt came from a cache is not told.

How sure this is: shapes are read in microsoft/vscode (``chatModel.ts``, ``chatService.ts``,
``chatSessionOperationLog.ts``), meanings as agentsview reads them, and from excerpts of real files in public
repositories. No real file was at hand.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agentstore.importers.conversation import Conversation, OpenMessage, Usage, tokens
from agentstore.importers.copilot.usage import model_name
from agentstore.importers.jsonl import REFUSED, Record, to_json
from agentstore.importers.times import parse_millis
from agentstore.importers.tools import text_of

_MOST_NAME = 300
_MOST_NODES = 100_000
_UNIQUE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# The markers of a call that VS Code made unique, behind the id that the model gave it.
_SUFFIX = re.compile(r"__vscode-\d{1,20}$")


class Chat:
    """Takes the requests of one chat in order."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.conversation = Conversation()

    def take(self, request: Record) -> None:
        moment = parse_millis(request.get("timestamp"))
        self.conversation.see_time(moment)
        said = request.get("message")
        text = said if isinstance(said, str) else text_of(said, "text")
        if text.strip():
            self.conversation.add("user", text, moment, source_id=self._source_id(request.get("requestId"), "prompt"))
        metadata = _object(_object(request.get("result")).get("metadata"))
        usage, parts = _usage(request, metadata), _list(request.get("response"))
        calls = _Calls(metadata)
        if not (parts or calls.rounds or usage):
            return
        model = model_name(metadata.get("resolvedModel")) or model_name(request.get("modelId"))
        id = self._source_id(request.get("responseId") or request.get("requestId"), "response")
        message = self.conversation.add("assistant", "", moment, source_id=id, model=model)
        self._take_parts(message, parts, calls)
        if usage:
            self.conversation.spend(message, usage)

    def _source_id(self, id: Any, kind: str) -> str:
        if not isinstance(id, str) or not id:
            return ""
        id = id[:_MOST_NAME]
        return f"{id}:{kind}" if _UNIQUE.search(id) else f"{self.session_id}:{id}:{kind}"

    def _take_parts(self, message: OpenMessage, parts: list[Any], calls: _Calls) -> None:
        conversation, text = self.conversation, list[str]()
        invoked = [
            one for one in parts if text_of(one, "kind") == "toolInvocationSerialized" and text_of(one, "toolId")
        ]
        for part in parts:
            if (shown := _text_of(part)) is not None:
                text.append(shown)
                continue
            kind = text_of(part, "kind")
            if kind == "thinking" or kind == "toolInvocationSerialized":
                conversation.say(message, "".join(text).strip())
                text.clear()
            if kind == "thinking":
                value = part.get("value")
                thought = "".join(map(str, value)) if isinstance(value, list) else text_of(part, "value")
                if thought.strip():
                    conversation.think(message, thought)
            elif kind == "toolInvocationSerialized" and text_of(part, "toolId"):
                self._invoke(message, part, calls)
        conversation.say(message, "".join(text).strip())
        for call in () if invoked else calls.rounds:
            id = text_of(call, "id")[:_MOST_NAME]
            made = conversation.call(message, id, text_of(call, "name")[:_MOST_NAME], _arguments(call))
            if (result := calls.result(id)) is not None:
                conversation.answer_of(made, result)

    def _invoke(self, message: OpenMessage, part: Record, calls: _Calls) -> None:
        id = text_of(part, "toolCallId")[:_MOST_NAME]
        asked = calls.asked(id)
        arguments = _arguments(asked) if asked else _described(part)
        call = self.conversation.call(message, id, text_of(part, "toolId")[:_MOST_NAME], arguments)
        details = part.get("resultDetails")
        result = calls.result(id)
        result = _details(details, part.get("toolSpecificData")) if result is None else result
        if result is None and part.get("isComplete") is True:
            result = ""  # it ended, and nobody kept what it gave
        if result is not None:
            failed = isinstance(details, dict) and details.get("isError") is True
            self.conversation.answer_of(call, result, is_error=failed)


class _Calls:
    """What a request's metadata says of its tool calls."""

    def __init__(self, metadata: Record) -> None:
        rounds = _list(metadata.get("toolCallRounds"))
        self.rounds = [
            call
            for one in rounds
            for call in _list(_object(one).get("toolCalls"))
            if text_of(call, "name") and isinstance(call, dict)
        ]
        self._asked = {_plain(text_of(call, "id")): call for call in self.rounds}
        results = _object(metadata.get("toolCallResults"))
        self._results = {_plain(id): result for id, result in results.items()}

    def asked(self, id: str) -> Record | None:
        return self._asked.get(_plain(id)) if id else None

    def result(self, id: str) -> str | None:
        result = self._results.get(_plain(id)) if id else None
        if not isinstance(result, dict):
            return None
        return "\n".join(filter(None, (_value(one) for one in _list(result.get("content")))))


def _plain(id: str) -> str:
    return _SUFFIX.sub("", id)


def _text_of(part: Any) -> str | None:
    """A part that is text; None for every other one."""
    kind = text_of(part, "kind")
    if kind == "inlineReference":
        reference = part.get("inlineReference")
        path = text_of(reference, "fsPath", "path", "name") or text_of(_object(_object(reference).get("uri")), "path")
        return f"`{path}`" if path else ""
    if kind in ("thinking", "toolInvocationSerialized"):
        return None
    value = part.get("value") if isinstance(part, dict) else part
    if isinstance(value, dict):  # a markdown string inside
        value = value.get("value")
    if not value and kind == "markdownContent":
        value = text_of(part.get("content"), "value")
    return value if isinstance(value, str) else ""


def _arguments(call: Record) -> Any:
    value = call.get("arguments")
    if not isinstance(value, str):
        return {} if value is None else value
    try:
        decoded = msgspec.json.decode(value)
    except REFUSED:
        decoded = None
    return decoded if isinstance(decoded, dict) else {"input": value}


def _described(part: Record) -> Record:
    """The input of a call as far as its part tells: the command of a terminal, else the sentence that is shown."""
    data, found = _object(part.get("toolSpecificData")), dict[str, Any]()
    shown = _value(part.get("pastTenseMessage")) or _value(part.get("invocationMessage"))
    if shown:
        found["message"] = shown
    lines = _object(data.get("commandLine"))
    command = text_of(data, "command") or text_of(lines, "userEdited", "toolEdited", "original")
    if command:
        found["command"] = command
    for key in ("agentName", "description", "prompt"):
        if text_of(data, key):
            found[key] = data[key]
    if isinstance(data.get("rawInput"), dict):
        found |= data["rawInput"]
    return found


def _details(details: Any, specific: Any) -> str | None:
    """What a call gave back, as its part tells it."""
    if isinstance(details, dict) and isinstance(details.get("output"), (list, str)):
        output = details["output"]
        return output if isinstance(output, str) else "\n".join(filter(None, map(_value, output)))
    data = _object(specific)
    printed = _object(data.get("terminalCommandOutput"))
    return text_of(printed, "text") or text_of(data, "result") or None


def _value(one: Any) -> str:
    if isinstance(one, str):
        return one
    inner = one.get("value") if isinstance(one, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("node"), dict):
        return _tree_text(inner["node"])
    return inner if isinstance(inner, str) else text_of(inner, "value", "text")


def _tree_text(root: Record) -> str:
    """The text of a result that a tool made of elements (vscode-prompt-tsx): nodes of type 2 have it."""
    found, waiting = list[str](), [root]
    for _ in range(_MOST_NODES):
        if not waiting:
            break
        node = waiting.pop()
        if node.get("type") == 2 and isinstance(node.get("text"), str):
            found.append("\n" if node.get("lineBreakBefore") and found else "")
            found.append(node["text"])
        waiting.extend(one for one in reversed(_list(node.get("children"))) if isinstance(one, dict))
    return "".join(found)


def _usage(request: Record, metadata: Record) -> Usage | None:
    asked, given = tokens(metadata.get("promptTokens")), tokens(metadata.get("outputTokens"))
    raw: Record = {key: metadata[key] for key in ("promptTokens", "outputTokens") if key in metadata}
    if not (asked or given):
        source = _object(request.get("usage")) or request
        asked, given = tokens(source.get("promptTokens")), tokens(source.get("completionTokens"))
        raw = {key: source[key] for key in ("promptTokens", "completionTokens") if key in source}
    return Usage(input=asked, output=given, raw=to_json(raw)) if asked or given else None


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
