"""Commands that go on after their call was answered: what they print comes with the answers of later calls.

Read in public source: Codex (``Process running with session ID 7``, then ``write_stdin {session_id}``), Claude Code
(``running in background with ID: x``, then ``BashOutput {bash_id}`` or ``TaskOutput {task_id}``), Copilot CLI
(``shellId: 0``, then ``read_bash {shellId}``).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agentstore.importers.shell_text import command_of

Running = dict[str, str]  # the commands by their ids, of those that later answers may tell something about
_STARTED = re.compile(r"\b(?:session|shell|task|with)[ _]?id\b\W{1,4}([\w-]{1,80})", re.IGNORECASE)
_KEYS = ("session_id", "sessionId", "bash_id", "shell_id", "shellId", "task_id", "id")
_GOES_ON = re.compile(r"running|background", re.IGNORECASE)
_LONGEST = 4000
_MOST = 20


def note(running: Running, arguments: Any, result: str) -> None:
    """A command that was answered: kept where it goes on, the newest twenty."""
    beginning = result[:2000]
    if not _GOES_ON.search(beginning):
        return
    for id in _STARTED.findall(beginning)[:2]:
        running.pop(id, None)
        running[id] = command_of(arguments)[:_LONGEST]
    while len(running) > _MOST:
        del running[next(iter(running))]


def later(running: Running, input_json: str) -> str:
    """The command that a call asks about; "" for any other call."""
    if not any(id in input_json for id in running):
        return ""
    try:
        arguments = msgspec.json.decode(input_json.encode("utf-8", errors="replace"))
    except (msgspec.MsgspecError, RecursionError):
        return ""
    named = [str(arguments[key]) for key in _KEYS if key in arguments] if isinstance(arguments, dict) else []
    return next((running[id] for id in named if id in running), "")
