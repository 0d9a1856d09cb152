"""The steps of an Antigravity transcript: what is in one, as text and as a call."""

from __future__ import annotations

import re
from typing import Any

from agentstore.importers.jsonl import Record, read_values

# What a step of these types is: said by somebody, or left out. All others are results of calls.
USER = "USER_INPUT"
MODEL = "PLANNER_RESPONSE"
SHOWN = ("SYSTEM_MESSAGE", "ERROR_MESSAGE")
KEPT_OUT = ("CONVERSATION_HISTORY", "CHECKPOINT", "EPHEMERAL_MESSAGE")
SUBAGENT = "INVOKE_SUBAGENT"
_UNFINISHED = ("RUNNING", "PENDING", "WAITING", "ACTIVE")

_REQUEST = re.compile(r"<USER_REQUEST>\n?(.*?)\n?</USER_REQUEST>", re.DOTALL)
_AROUND = ("<ADDITIONAL_METADATA>", "<USER_SETTINGS_CHANGE>")
_MODEL = re.compile(r"changed setting `Model Selection` from [^\n]{0,200}? to ([^\n]{1,100}?)\. ")
_TIMES = re.compile(r"(?:Created|Completed) At: [^\n]{0,60}\n")
_INDENT = re.compile(r"^\t{4}", re.MULTILINE)
_EXIT = re.compile(r"The command (?:exited with code|failed with exit code:?) (-?\d{1,10})")
_CONVERSATION = re.compile(r'"?conversationId"?\s{0,9}:\s{0,9}"?([0-9A-Za-z-]{8,64})')
_LONGEST = 65536


def typed_text(content: str) -> str:
    """What a person typed, without what the program puts around it."""
    if "<USER_REQUEST>" in content:
        start = content.index("<USER_REQUEST>")
        found = _REQUEST.match(content, start)
        # A text that was cut has no end.
        return (found.group(1) if found else content[start + len("<USER_REQUEST>") :]).strip("\n")
    ends = [place for name in _AROUND if (place := content.find(name)) >= 0]
    return content[: min(ends, default=len(content))].strip("\n")


def chosen_model(content: str) -> str:
    """The model that the person chose, by its name for people; "" where none was."""
    place = content.find("<USER_SETTINGS_CHANGE>")
    found = _MODEL.search(content[place : place + _LONGEST] + " ") if place >= 0 else None
    return found.group(1) if found else ""


def notice_text(content: str) -> str:
    """What the program says, without the words around it: from the first mark on (before it the mark is explained)."""
    _, found, rest = content.partition("\n<SYSTEM_MESSAGE>")
    return rest.partition("</SYSTEM_MESSAGE>")[0].strip("\n") if found else content


def result_text(content: str) -> str:
    """A result without the times before it, and what a command printed without the program's own indentation."""
    position = 0
    while found := _TIMES.match(content, position):
        position = found.end()
    rest = content[position:]
    return _INDENT.sub("", rest).lstrip("\n") if "\t\t\t\tOutput:" in rest[:_LONGEST] else rest.lstrip("\n")


def has_failed(step: Record, result: str) -> bool:
    code = step.get("exit_code")
    if type(code) is not int:
        found = _EXIT.search(result[:1000])
        code = int(found.group(1)) if found else 0
    return step.get("status") == "ERROR" or code != 0


def is_unfinished(step: Record) -> bool:
    return step.get("status") in _UNFINISHED


def arguments_of(args: Any) -> Record:
    """The arguments of a call: each may be JSON in a text (``"\\"ls\\""``); texts that were cut stay as they are."""
    return {name: _decoded(value) for name, value in args.items()} if isinstance(args, dict) else {}


def _decoded(value: Any) -> Any:
    if not isinstance(value, str) or len(value) < 2 or not (value[0] == value[-1] == '"'):
        return value
    found = read_values(value.encode("utf-8", errors="replace"), lambda _line, _reason: None)
    return found[0] if len(found) == 1 and isinstance(found[0], str) else value


def started_in(content: str) -> list[str]:
    """The conversations that a step says it started."""
    return list(dict.fromkeys(_CONVERSATION.findall(content[:_LONGEST])))[:50]
