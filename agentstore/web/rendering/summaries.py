"""A tool call in one line: what tells most of its arguments. Pure.

By the names of arguments rather than of tools: agents give new names to the same tools every month.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentstore.importers.tools import patched_files, text_of
from agentstore.web.rendering.inputs import value_text
from agentstore.web.rendering.patches import is_patch

COMMANDS = ("command", "cmd", "CommandLine", "commandLine", "script", "code")
TYPED = ("chars", "data", "input")  # what is typed into a command that runs
PATHS = (
    "file_path", "notebook_path", "filePath", "absolute_path", "path", "AbsolutePath", "TargetFile", "target_file",
    "targetFile", "relativePath", "relative_workspace_path", "file", "filename", "dir_path", "dirPath",
    "target_directory", "uri",
)  # fmt: skip
PATTERNS = ("pattern", "glob_pattern", "globPattern", "regex", "searchTerm", "search_term")
QUERIES = ("query", "q", "search_query", "queries")
PATCHES = ("patch", "patchText", "diff", "input", "command", "cmd")
_TODOS = ("todos", "todoList", "plan", "items")
_TO_DO = ("content", "step", "title", "description")
_DONE = ("completed", "done")
_WHERE = ("path", "dir_path", "directory", "include", "glob", "includePattern")
_WHO = ("subagent_type", "agent_type", "agentName", "agent", "name")
_SKILLS = ("skill", "skill_name", "skillName")
_NUMBERS = (("offset", "limit"), ("startLine", "endLine"), ("start_line", "end_line"))

Arguments = Mapping[str, Any]


def summary_of(category: str, arguments: Arguments, project_path: str = "") -> str:
    """The line; "" where no argument tells anything."""
    rules = _BY_CATEGORY.get(category, ()) + _RULES
    for rule in rules:
        if text := rule(arguments):
            return _below(text, project_path)
    return ""


def path_of(arguments: Arguments) -> str:
    """The file or directory that a call is about; "" for none."""
    return text_of(arguments, *PATHS).removeprefix("file://")


def command_of(arguments: Arguments) -> str:
    """The command of a shell tool; "" where there is none."""
    return text_of(arguments, *COMMANDS)


def patch_of(arguments: Arguments) -> tuple[str, str]:
    """A patch and the name of its argument; "" and "" for none."""
    for name in PATCHES:
        text = text_of(arguments, name)
        if text and is_patch(text):
            return name, text
    return "", ""


def todos_of(arguments: Arguments) -> list[tuple[str, str]]:
    """State and text of each thing to be done."""
    for name in _TODOS:
        listed = arguments.get(name)
        if isinstance(listed, list) and listed and all(isinstance(one, dict) for one in listed):
            found = [
                (text_of(one, "status"), text_of(one, "content", "step", "title", "description")) for one in listed
            ]
            if all(text for _, text in found):
                return found
    return []


def is_done(state: str) -> bool:
    return state in _DONE


def _below(text: str, project_path: str) -> str:
    """Paths of the project without its own."""
    root = project_path.rstrip("/\\")
    if len(root) > 1:
        text = text.removesuffix(f" in {root}")
    return text.replace(root + "/", "").replace(root + "\\", "") if len(root) > 1 else text


def _todos(arguments: Arguments) -> str:
    todos = todos_of(arguments)
    return f"{sum(is_done(state) for state, _ in todos)} of {len(todos)} done" if todos else ""


def _patch(arguments: Arguments) -> str:
    return ", ".join(patched_files(patch_of(arguments)[1])[:20])


def _command(arguments: Arguments) -> str:
    return _editor(arguments) or command_of(arguments)


def _editor(arguments: Arguments) -> str:
    """Of an editor whose first argument says what it shall do ("view")."""
    command, path = text_of(arguments, "command"), text_of(arguments, "path", "file_path")
    return f"{command} {path}" if path and command.isidentifier() else ""


def _typed(arguments: Arguments) -> str:
    """What was typed into a command that runs, controls as such; of nothing, that one looks again."""
    if not any(name in arguments for name in ("session_id", "sessionId", "shellId", "process_id")):
        return ""
    typed = text_of(arguments, *TYPED)
    number = next(arguments[name] for name in ("session_id", "sessionId", "shellId", "process_id") if name in arguments)
    return typed.rstrip("\n") or f"(waits for {value_text(number)[:40]})"


def _pattern(arguments: Arguments) -> str:
    pattern = text_of(arguments, *PATTERNS)
    where = text_of(arguments, *_WHERE)
    return f"{pattern} in {where}" if pattern and where else pattern


def _path(arguments: Arguments) -> str:
    path = path_of(arguments)
    for first, second in _NUMBERS:
        numbers = [arguments.get(name) for name in (first, second)]
        start, other = (one if isinstance(one, int) and 0 <= one < 1 << 31 else None for one in numbers)
        if path and start is not None and other is not None:
            return f"{path}:{start}-{start + other - 1 if first == 'offset' else other}"
    return path


def _question(arguments: Arguments) -> str:
    questions = arguments.get("questions")
    return text_of(questions[0], "question") if isinstance(questions, list) and questions else ""


def _task(arguments: Arguments) -> str:
    told = text_of(arguments, "description", "title", "prompt", "message", "task")
    who = text_of(arguments, *_WHO)
    return f"{who}: {told}" if who and told else told


def _named(*names: str) -> Callable[[Arguments], str]:
    return lambda arguments: text_of(arguments, *names)


def _first(arguments: Arguments) -> str:
    """The first argument that says something, a text or a number where there is one."""
    values = [value for value in list(arguments.values())[:20] if value not in ("", None)]
    simple = (value for value in values if isinstance(value, str | int | float))
    return value_text(next(simple, values[0]))[:2_000] if values else ""


_Rule = Callable[[Arguments], str]
_query = _named(*QUERIES)
_RULES: tuple[_Rule, ...] = (
    _todos, _question, _patch, _named(*_SKILLS), _typed, _command, _pattern, _path, _named("url"), _query,
    _task, _first,
)  # fmt: skip
_BY_CATEGORY: Mapping[str, tuple[_Rule, ...]] = {
    "Task": (_todos, _task),
    "Read": (_path,),
    "Write": (_path,),
    "Edit": (_patch, _editor, _path),
    "Grep": (_pattern, _query),
    "Glob": (_pattern,),
}
