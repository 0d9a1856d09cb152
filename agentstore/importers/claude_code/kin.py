"""Other agents that write files of Claude Code's shape: which of them a file is of.

By its place: their folder in the home directory. Where a file was taken from there, by its first records: what only
they write there. A model alone tells nothing: people run Claude Code with models of all makers.

==============  ====================================================  ==================================================
agent_type      place                                                 else
==============  ====================================================  ==================================================
``qwen-code``   ``~/.qwen/projects/<dir>/chats/<uuid>.jsonl``         messages have ``parts`` in place of ``content``
``iflow``       ``~/.iflow/projects/<dir>/session-<uuid>.jsonl``      the ``sessionId`` begins with ``session-``
``kimi-cli``    ``~/.kimi/sessions/…``, ``~/.kimi-code/sessions/…``
``qoder`` …     ``~/.qoder/projects/…`` and the like
any of them                                                           ``version`` 0.x and a model of theirs, or tools of
                                                                      theirs; and nothing of Claude Code's
==============  ====================================================  ==================================================
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

CLAUDE_CODE = "claude-code"
HEAD = 65536  # bytes of a file that are looked at

_FOLDERS = {
    ".qwen": "qwen-code",
    ".iflow": "iflow",
    ".kimi": "kimi-cli",
    ".kimi-code": "kimi-cli",
    ".qoder": "qoder",
    ".codebuddy": "codebuddy",
    ".commandcode": "command-code",
}
_KEPT_IN = frozenset({"projects", "sessions", "chats", "tmp"})
_IFLOW_SESSION = re.compile(r"session-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Names that the models are sold by begin so, after the name of whoever serves them ("Qwen/Qwen3-Coder").
_MODELS = (
    (re.compile(r"(?:.*/)?(?:qwen|qwq|coder-model)", re.IGNORECASE), "qwen-code"),
    (re.compile(r"(?:.*/)?(?:kimi|moonshot)", re.IGNORECASE), "kimi-cli"),
    (re.compile(r"(?:.*/)?(?:iflow|glm|tstars)", re.IGNORECASE), "iflow"),
)
_TOOLS = frozenset({
    "run_shell_command", "read_file", "write_file", "list_directory", "search_file_content", "read_many_files",
    "todo_write",
})  # fmt: skip
_KIMIS_TOOLS = frozenset({"Shell", "ReadFile", "WriteFile", "StrReplaceFile", "SetTodoList", "SearchWeb", "FetchURL"})
_CLAUDES_TOOLS = frozenset({"Bash", "Read", "Edit", "Write", "LS", "TodoWrite", "PowerShell"})
# One of them is in the beginning of every file of another agent that can be told by its records.
_WORDS = (b'"parts"', b"session-", b"qwen", b"qwq", b"coder-model", b"kimi", b"moonshot", b"iflow", b"glm", b"tstars",
          *(name.lower().encode() for name in sorted(_TOOLS | _KIMIS_TOOLS)))  # fmt: skip
_BEGIN = 16384


class _Message(msgspec.Struct):
    content: Any = None
    parts: Any = None
    model: Any = None


class _Line(msgspec.Struct):
    type: Any = None
    version: Any = None
    sessionId: Any = None
    message: _Message | None = None


_decode = msgspec.json.Decoder(_Line).decode


def agent_of(file: str, head: bytes) -> str:
    """The ``agent_type`` of a file of this shape, by its path and its first bytes (``HEAD`` of them are enough)."""
    return _by_place(file) or (_may_be_others(head[:HEAD]) and _by_records(head[:HEAD])) or CLAUDE_CODE


def _by_place(file: str) -> str:
    folders = pathlib.PurePosixPath(file.replace("\\", "/")).parts[:-1]
    # The last such folder: a project of Claude Code may be about another agent's folder, but not the other way round.
    for position in range(len(folders) - 2, -1, -1):
        if folders[position] == ".claude":
            return CLAUDE_CODE
        if folders[position] in _FOLDERS and folders[position + 1] in _KEPT_IN:
            return _FOLDERS[folders[position]]
    return ""


def _may_be_others(head: bytes) -> bool:
    """Whether it is worth to decode: nearly all files are Claude Code's."""
    begin = head[:_BEGIN]
    if b'"parts"' in begin or b'"session-' in begin:
        return True
    if b'"model":"claude' in head:
        return False
    lowered = head.lower()
    return any(word in lowered for word in _WORDS)


def _by_records(head: bytes) -> str:
    model = version = ""
    tools: set[str] = set()
    for line in _lines(head):
        message = line.message or _Message()
        if line.type in ("user", "assistant", "tool_result") and message.content is None:
            if isinstance(message.parts, list):
                return "qwen-code"
        elif isinstance(line.sessionId, str) and _IFLOW_SESSION.fullmatch(line.sessionId):
            return "iflow"
        version = version or (line.version if isinstance(line.version, str) else "")
        model = model or (message.model if isinstance(message.model, str) else "")
        tools.update(_tools_in(message.content))
    if tools & _CLAUDES_TOOLS or model.startswith("claude"):
        return ""
    if not tools & (_TOOLS | _KIMIS_TOOLS):
        return next((agent for name, agent in _MODELS if version.startswith("0.") and name.match(model)), "")
    # Their tools: whose, the model tells, if its maker has an agent.
    usual = "kimi-cli" if tools & _KIMIS_TOOLS else "iflow"
    return next((agent for name, agent in _MODELS if name.match(model)), usual)


def _lines(head: bytes) -> Iterator[_Line]:
    for line in head.split(b"\n"):
        try:
            yield _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue  # the reader reports it


def _tools_in(content: Any) -> Iterator[str]:
    for block in content if isinstance(content, list) else ():
        name = block.get("name") if isinstance(block, dict) and block.get("type") == "tool_use" else None
        if isinstance(name, str):
            yield name
