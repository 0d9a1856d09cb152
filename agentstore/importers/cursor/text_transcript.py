"""Transcripts as plain text, which Cursor wrote before it wrote JSON Lines.

Blocks that begin with a line ``user:`` or ``assistant:``; in an assistant's block ``[Thinking]``, ``[Tool call] Name``
and ``[Tool result] Name``, each with a body of indented lines. The body of a call is JSON, or lines ``key=value``, or
the text of a patch. (As agentsview reads them; no real file was at hand.)
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from agentstore.importers.conversation import Conversation
from agentstore.importers.cursor.blocks import Taker
from agentstore.importers.jsonl import REFUSED, Record

_MARKER = re.compile(r"\[(Thinking|Tool call|Tool result)\][ \t]?(.*)")


def read_text(text: str, conversation: Conversation, session_id: str) -> None:
    taker = Taker(conversation)
    for role, lines in _blocks(text):
        source_id = f"{session_id}:{conversation.memory.messages}"
        if role == "user":
            taker.take_user("\n".join(lines), None, source_id)
        else:
            taker.take_assistant(list(_parts(lines)), None, source_id)


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    role, lines = "", list[str]()
    for line in text.splitlines():
        mark = line.strip()
        if mark in ("user:", "assistant:"):
            if role:
                yield role, lines
            role, lines = mark[:-1], []
        else:
            lines.append(line)
    if role:
        yield role, lines


def _parts(lines: list[str]) -> Iterator[Record]:
    said, at = list[str](), 0
    while at < len(lines):
        mark = _MARKER.fullmatch(lines[at].strip())
        if mark is None:
            said.append(lines[at])
            at += 1
            continue
        if "".join(said).strip():
            yield {"type": "text", "text": "\n".join(said)}
        said = []
        at, body = _body(lines, at + 1)
        yield _part(mark.group(1), mark.group(2).strip(), body)
    if "".join(said).strip():
        yield {"type": "text", "text": "\n".join(said)}


def _body(lines: list[str], at: int) -> tuple[int, str]:
    """The indented lines from here on; a line at the margin, or the next marker, ends them."""
    start = at
    while at < len(lines) and (not lines[at].strip() or lines[at][0] in " \t") and not _MARKER.match(lines[at].strip()):
        at += 1
    return at, textwrap.dedent("\n".join(lines[start:at])).strip()


def _part(kind: str, name: str, body: str) -> Record:
    if kind == "Thinking":
        return {"type": "thinking", "thinking": "\n".join(filter(None, (name, body)))}
    if kind == "Tool result":
        return {"type": "tool_result", "content": body}
    return {"type": "tool_use", "name": name, "input": _arguments(name, body)}


def _arguments(name: str, body: str) -> Any:
    if not body:
        return {}
    try:
        value = msgspec.json.decode(body)
    except REFUSED:
        value = None
    if isinstance(value, dict):
        return value
    if name.lower() == "applypatch" and ("*** Begin Patch" in body or body.startswith("@@")):
        return {"patch": body}
    pairs = [line.strip().partition("=") for line in body.splitlines() if line.strip()]
    if all(key.strip() and equals for key, equals, _ in pairs):
        return {key.strip(): value.strip() for key, _, value in pairs}
    return {"input": body}
