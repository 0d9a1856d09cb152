"""A message with its parts, as it goes into a conversation.

===============================================  ==========  ===========================================================
message                                          role        content
===============================================  ==========  ===========================================================
user, with text that somebody typed              user        that text; files as ``[File: name]``. What the program
                                                             wrote beside it (``synthetic``: the files that a prompt
                                                             names; ``ignored``) is kept out, and counted
user, with files or a command only               user        ``[File: name]``, ``/command description``
user, with text of the program only              system      as written
user, with ``compaction`` or nothing             none
assistant                                        assistant   texts, thoughts, calls in their order; an error
system (of 2.0: instructions, summaries, shell)  system      as written
===============================================  ==========  ===========================================================

A call whose command ended with another status than 0 is an error, as is one that OpenCode calls "invalid" (the model
called a tool that there is not). ``pending`` and ``running`` ones have no result.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, NamedTuple

from agentstore.importers.conversation import Conversation, OpenMessage
from agentstore.importers.counts import Counts, count
from agentstore.importers.jsonl import Record, to_json
from agentstore.importers.opencode.identity import prompt_key, response_key, session_key
from agentstore.importers.opencode.usage import cost_of, tokens_of, usage_of
from agentstore.importers.times import parse_millis
from agentstore.importers.tools import text_of

# Known, and without anything for a reader: snapshots and marks of the program.
_MARKS = frozenset({"step-start", "step-finish", "snapshot", "patch", "agent", "retry", "compaction", "subtask"})
MARK = "mark"  # the role of what says only that something was switched
_ENDED = ("completed", "error")


class Stored(NamedTuple):
    """A message as it is stored. ``is_split``: see ``usage``."""

    info: Record
    parts: list[Record]
    is_split: bool = False


class Kept(NamedTuple):
    """What was kept out, and what was not known, by type."""

    skipped: Counts
    unknown: Counts


def add_message(conversation: Conversation, agent: str, stored: Stored, kept: Kept) -> None:
    """Add a message, if there is something of it to add."""
    info, parts, _ = stored
    role = info.get("role")
    if role == "assistant":
        _add_response(conversation, agent, stored, kept)
    elif role == "user":
        _add_prompt(conversation, agent, info, parts, kept)
    elif role == "system":
        text = _joined(_texts(parts))
        message = conversation.add("system", text, created_at(info))
        usage = usage_of(tokens_of(info, parts), is_split=stored.is_split, cost=cost_of(info, parts))
        conversation.spend(message, usage)
    elif role == MARK:
        count(kept.skipped, "message/mark")
    else:
        count(kept.unknown, f"message/{role if isinstance(role, str) else type(role).__name__}")


def created_at(info: Record) -> dt.datetime | None:
    return parse_millis(_object(info.get("time")).get("created"))


# --- prompts ---------------------------------------------------------------------------------------------------------


def _add_prompt(conversation: Conversation, agent: str, info: Record, parts: list[Record], kept: Kept) -> None:
    typed, written, files, commands = list[str](), list[str](), list[str](), list[str]()
    for part in parts:
        kind = part.get("type")
        if kind == "text":
            text = _text(part)
            is_typed = part.get("synthetic") is not True and part.get("ignored") is not True
            (typed if is_typed else written).extend([text] if text else [])
        elif kind == "file":
            files.append(_file(part))
        elif kind == "subtask" and text_of(part, "command", "description"):
            commands.append(f"/{text_of(part, 'command')} {text_of(part, 'description')}".strip())
        else:
            _count_part(kind, kept)
    by_person = [*typed, *files] if _joined(typed).strip() else [*commands, *files]
    created = _object(info.get("time")).get("created")
    if by_person and (commands or not written or _joined(typed).strip()):
        for _ in written:
            count(kept.skipped, "part/synthetic")
        text = _joined(by_person)
        conversation.add("user", text, created_at(info), source_id=prompt_key(agent, created, text))
    elif written:
        text = _joined(written)
        conversation.add("system", text, created_at(info), source_id=prompt_key(agent, created, text))
    else:
        count(kept.skipped, "message/empty")


def _file(part: Record) -> str:
    return f"[File: {text_of(part, 'filename', 'name', 'url', 'uri')[:300] or 'unnamed'}]"


# --- responses -------------------------------------------------------------------------------------------------------


def _add_response(conversation: Conversation, agent: str, stored: Stored, kept: Kept) -> None:
    info, parts, is_split = stored
    told = tokens_of(info, parts)
    usage = usage_of(told, is_split=is_split, cost=cost_of(info, parts))
    error = _error(info)
    shown = [part for part in parts if part.get("type") in ("text", "reasoning", "tool", "file")]
    if not (shown or error or usage.output or usage.context):
        count(kept.skipped, "message/empty")
        return
    model = text_of(info, "modelID") or text_of(info.get("model"), "modelID", "id")
    created = _object(info.get("time")).get("created")
    moment = created_at(info)
    message = conversation.add("assistant", "", moment, model=model)
    message.source_id = response_key(agent, created, model, told)
    conversation.spend(message, usage)
    for part in parts:
        _add_part(conversation, agent, message, part, kept)
    conversation.say(message, error)


def _add_part(conversation: Conversation, agent: str, message: OpenMessage, part: Record, kept: Kept) -> None:
    kind = part.get("type")
    if kind == "text":
        conversation.say(message, _text(part))
    elif kind == "reasoning":
        conversation.think(message, _text(part))
    elif kind == "tool":
        _add_call(conversation, agent, message, part)
    elif kind == "file":
        conversation.say(message, _file(part))
    else:
        _count_part(kind, kept)


def _add_call(conversation: Conversation, agent: str, message: OpenMessage, part: Record) -> None:
    state = _object(part.get("state"))
    metadata = _object(state.get("metadata") or state.get("structured"))
    name = text_of(part, "tool", "name")
    input = state.get("input")
    call = conversation.call(message, text_of(part, "callID", "id"), name, {} if input is None else input)
    if child := text_of(metadata, "sessionId", "sessionID"):
        conversation.starts(call, session_key(agent, child))
    if state.get("status") in _ENDED:
        is_error = state["status"] == "error" or name == "invalid" or _failed(metadata.get("exit"))
        times = _object(state.get("time")) or _object(part.get("time"))
        moment = parse_millis(times.get("end", times.get("completed"))) or message.timestamp
        conversation.answer_of(call, _output(state), is_error=is_error, moment=moment)


def _failed(status: Any) -> bool:
    return type(status) is int and status != 0


def _output(state: Record) -> str:
    output = state.get("output")
    if isinstance(output, str):
        return output
    said = _joined(_texts(state.get("content")))
    return said or _message_of(state.get("error")) or ("" if output is None else to_json(output))


def _error(info: Record) -> str:
    error = info.get("error")
    if not isinstance(error, dict):
        return f"[Error: {error[:300]}]" if isinstance(error, str) and error else ""
    name, text = text_of(error, "name", "type"), _message_of(error)
    return "[Error: {}]".format(": ".join(filter(None, (name, text)))) if name or text else ""


def _message_of(error: Any) -> str:
    if isinstance(error, str):
        return error
    return text_of(error, "message") or text_of(_object(error).get("data"), "message")


# --- parts -----------------------------------------------------------------------------------------------------------


def _text(part: Record) -> str:
    return text_of(part, "text", "content")


def _texts(parts: Any) -> Iterable[str]:
    if isinstance(parts, list):
        return [_text(part) for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return []


def _count_part(kind: Any, kept: Kept) -> None:
    if isinstance(kind, str) and kind in _MARKS:
        count(kept.skipped, f"part/{kind}")
    else:
        count(kept.unknown, f"part/{kind if isinstance(kind, str) else type(kind).__name__}")


def _joined(texts: Iterable[str]) -> str:
    return "\n".join(text for text in texts if text)


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}
