"""An action as a tool call: which tool, with which arguments.

With function calling (SWE-agent since 1.0) the history has the call itself. Else an action is a line of a shell, whose
first word may be a command that SWE-agent brings (its ``tools/*/config.yaml`` and the commands of versions before 1.0):
those are tools of that name, everything else is a call of ``bash``.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from agentstore.importers.jsonl import Record, read_values
from agentstore.importers.swe_agent.runs import records_of

BASH = "bash"
_COMMANDS = re.compile(
    r"append|create|edit|filemap|find_file|goto|insert|open|scroll_(?:up|down)|search_(?:dir|file)|set_cursors"
    r"|str_replace_editor|undo_edit|view_image|submit|exit_forfeit|(?:open|close|screenshot)_site|(?:move|click)_mouse"
    r"|double_click_mouse|drag_mouse|type_text|scroll_on_page|(?:execute_script|press_keys)_on_page|reload_page"
    r"|navigate_(?:back|forward)|wait_time|set_browser_window_size|get_console_output|decompile|disassemble"
    r"|connect_(?:start|sendline|exec|stop)|debug_(?:start|add_breakpoint|continue|step|exec|stop)"
)
_WITH_PATH = {
    "open": 1,
    "create": 1,
    "filemap": 1,
    "view_image": 1,
    "str_replace_editor": 2,
    "search_file": 2,
    "search_dir": 2,
}
_FIRST_WORD = re.compile(r"\s*([a-z_]{1,40})(?![\w./-])")
_LONGEST_LINE = 2000


def call_of(action: str, called: Record | None) -> tuple[str, Any, str]:
    """The name, the arguments and the id of a step's call."""
    function = called.get("function") if called else None
    if called and isinstance(function, dict) and isinstance(name := function.get("name"), str) and name:
        id = called.get("id")
        return name, _arguments(function.get("arguments"), action), id if isinstance(id, str) else ""
    found = _FIRST_WORD.match(action)
    name = found.group(1) if found else ""
    if not _COMMANDS.fullmatch(name) or _is_shell(name, action):
        return BASH, {"command": action.strip("\n")}, ""
    arguments: Record = {"command": action.strip("\n")}
    words = _words(action)
    place = _WITH_PATH.get(name, 0)
    if place and len(words) > place:
        arguments["path"] = words[place]
    return name, arguments, ""


def _is_shell(name: str, action: str) -> bool:
    """Whether the words after a command's name make the line one of the shell: ``open a && python b``."""
    line = action.strip().partition("\n")[0]
    return name not in ("edit", "insert", "append") and (" && " in line or " | " in line or " ; " in line)


def _words(action: str) -> list[str]:
    line = action.strip().partition("\n")[0][:_LONGEST_LINE]
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _arguments(written: Any, action: str) -> Any:
    if isinstance(written, dict):
        return written
    values = read_values(written.encode("utf-8", errors="replace"), _silent) if isinstance(written, str) else []
    return values[0] if values and isinstance(values[0], dict) else {"command": action}


def _silent(_line: int, _reason: str) -> None:
    pass


def calls_of(history: list[Record]) -> list[tuple[str, Record | None, Record]]:
    """The actions that the history has, with the call of each, in order."""
    found = []
    for entry in history:
        if entry.get("role") == "assistant" and entry.get("is_demo") is not True:
            calls = records_of(entry.get("tool_calls"))
            action = entry.get("action")
            found.append((action if isinstance(action, str) else "", calls[0] if calls else None, entry))
    return found
