"""Who speaks in a chat, and what a tool call is in it.

Counted on real files: ``user``, ``gemini``, ``info``, ``error`` and ``warning`` are the types of messages (``model``
with ``parts`` in one schema fixture); thoughts and calls stand in the message, each call with its result. Read in
gemini-cli's source: answers of tools are messages of type ``user`` since 2026, too, with nothing but
``functionResponse`` parts; ``displayContent`` is what was typed, where ``content`` is more; texts in ``INJECTED`` are
nobody's prompts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from agentstore.importers.gemini.records import parts_of
from agentstore.importers.jsonl import Record, to_json

ROLES = {
    "user": "user",
    "gemini": "assistant",
    "model": "assistant",
    "info": "system",
    "error": "system",
    "warning": "system",
}
# What programs say in the place of a person.
_INJECTED = (
    "<session_context>",
    "<hook_context>",
    "<state_snapshot>",
    "<loaded_context>",
    "System: Please continue.",
    "Here is the user's editor context as a JSON object",
    "Here is a summary of changes in the user's editor context",
    "This is the Gemini CLI. We are setting up the context for our chat.",
    "[Continuing from previous AI analysis",
)
_CONTINUE = "Please continue."
# The files that a prompt names with "@" are put between these two.
_REFERENCES = "--- Content from referenced files ---"
_END_OF_REFERENCES = "--- End of content ---"
_FAILED = ("error", "cancelled")  # no set: what is looked for in it may be anything


class Answer(NamedTuple):
    """The result of a call. Around what a command printed it has labels (``Output:``), which stay."""

    text: str
    is_error: bool


def typed_text(message: Record) -> str:
    """What a person typed: without the files that were put into the prompt."""
    shown = message.get("displayContent")
    texts = text_parts(parts_of(shown if shown else message.get("content")))
    kept: list[str] = []
    is_reference = False
    for text in texts:
        if text.strip() == _REFERENCES:
            is_reference = True
        elif text.strip() == _END_OF_REFERENCES:
            is_reference = False
        elif not is_reference:
            kept.append(text)
    return "".join(kept).strip("\n")


def is_injected(text: str) -> bool:
    start = text.lstrip()[:200]
    return start.startswith(_INJECTED) or text.strip() == _CONTINUE


def said_text(message: Record) -> str:
    """What the model or the program says."""
    content = message.get("content")
    return "".join(text_parts(parts_of(message.get("parts") if content in (None, "") else content)))


def text_parts(parts: Iterable[Record]) -> list[str]:
    """The texts of parts that are no thoughts."""
    return [part["text"] for part in parts if isinstance(part.get("text"), str) and part.get("thought") is not True]


def thoughts_of(message: Record) -> list[str]:
    """The model's thoughts: summaries in a list of their own, or parts of the content."""
    listed = message.get("thoughts")
    found = [_thought(one) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not any(found):
        parts = parts_of(message.get("content"))
        found = [part["text"] for part in parts if part.get("thought") is True and isinstance(part.get("text"), str)]
    return [text for text in found if text]


def _thought(thought: Record) -> str:
    texts = (thought.get("subject"), thought.get("description"))
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def calls_of(message: Record) -> list[Record]:
    """The calls of a message, as ``{id, name, args, result?, status?, timestamp?, agentId?}``.

    Calls that only the content has were made, too: they have no answer yet.
    """
    listed = message.get("toolCalls")
    calls = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if calls:
        return calls
    asked = (part.get("functionCall") for part in parts_of(message.get("content")))
    return [one for one in asked if isinstance(one, dict)]


def responses_in(message: Record) -> list[Record]:
    """The answers of tools that a message carries."""
    found = (part.get("functionResponse") for part in parts_of(message.get("content")))
    return [one for one in found if isinstance(one, dict)]


def answer_of(call: Record) -> Answer | None:
    """The result that stands in the call; None while it has none."""
    result = call.get("result")
    has_failed = call.get("status") in _FAILED
    if result is None or result == []:
        return None
    texts, is_error = [], has_failed
    for part in parts_of(result):
        response = part.get("functionResponse")
        if isinstance(response, dict):
            text, failed = response_text(response)
            is_error = is_error or failed
            texts.append(text)
        elif isinstance(part.get("text"), str):
            texts.append(part["text"])
    return Answer("\n".join(texts), is_error)


def response_text(response: Record) -> Answer:
    """What a tool answered, and whether it says that it failed."""
    body: Any = response.get("response")
    if not isinstance(body, dict):
        return Answer(body if isinstance(body, str) else "" if body is None else to_json(body), False)
    for name in ("output", "error", "content", "result"):
        if name in body:
            value = body[name]
            return Answer(value if isinstance(value, str) else to_json(value), name == "error")
    return Answer(to_json(body) if body else "", False)
