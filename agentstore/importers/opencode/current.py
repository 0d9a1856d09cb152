"""Messages of OpenCode 2, as the tables ``session_message`` have them, in the shape of those before.

Read in the agent's public source, its types as of 2026 [s]; no real file was at hand. A message is one object: its
``type`` is a column, its parts are its ``content``. Its tokens have reasoning beside the output.
"""

from __future__ import annotations

from typing import Any

from agentstore.importers.jsonl import Record
from agentstore.importers.opencode.messages import MARK, Stored
from agentstore.importers.tools import text_of

# What switches, and marks of the program.
_MARKS = frozenset({"agent-switched", "model-switched", "location-switched", "idle"})


def message_of(type: str, data: Record) -> Stored:
    """A message of this type. One that is only a mark has no role, and is counted by its type."""
    if type == "assistant":
        return Stored(data | {"role": "assistant"}, _objects(data.get("content")), is_split=True)
    if type == "user":
        files = [{"type": "file"} | file for file in _objects(data.get("files"))]
        return Stored(data | {"role": "user"}, [_text(data.get("text")), *files])
    if type == "synthetic":
        return Stored(data | {"role": "user"}, [_text(data.get("text")) | {"synthetic": True}])
    if type == "shell":
        return Stored(data | {"role": "system"}, [_text(text) for text in _shell(data)])
    if type == "compaction":
        return Stored(data | {"role": "system"}, [_text(data.get("summary"))], is_split=True)
    if type in ("system", "skill"):
        return Stored(data | {"role": "system"}, [_text(data.get("text"))])
    return Stored(data | {"role": MARK if type in _MARKS else type}, [])


def _shell(data: Record) -> list[str]:
    """A command that a person ran, and what it printed."""
    command = text_of(data, "command") or text_of(data.get("shell"), "command")
    output = data.get("output")
    printed = output if isinstance(output, str) else text_of(output, "text", "output", "content")
    return [f"! {command}", printed]


def _text(text: Any) -> Record:
    return {"type": "text", "text": text}


def _objects(values: Any) -> list[Record]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
