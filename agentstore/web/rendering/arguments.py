"""What a tool was given as HTML: commands as in a shell, changes as diffs, files as code, the rest by name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from agentstore.importers.tools import text_of
from agentstore.web.rendering.blocks import Room
from agentstore.web.rendering.code import code_html, language_of
from agentstore.web.rendering.diffs import diff_html
from agentstore.web.rendering.inputs import Given, value_text
from agentstore.web.rendering.marks import Find
from agentstore.web.rendering.patches import Line, changed_lines, patch_lines
from agentstore.web.rendering.summaries import (
    COMMANDS,
    PATHS,
    command_of,
    is_done,
    patch_of,
    path_of,
    summary_of,
    todos_of,
)
from agentstore.web.rendering.text import line_html, text_html

_CHANGES = (
    ("old_string", "new_string"),
    ("oldString", "newString"),
    ("old_str", "new_str"),
    ("oldText", "newText"),
    ("old_text", "new_text"),
    ("TargetContent", "ReplacementContent"),
    ("search", "replace"),
)
_LISTS = ("edits", "replacements", "changes", "ReplacementChunks")
_CONTENTS = ("content", "contents", "file_text", "new_source", "CodeContent", "code_edit", "text")
_SHELLS = ("Bash",)
_MARKS = {"completed": "✓", "done": "✓", "in_progress": "→", "in-progress": "→"}
_NAME = 80
_SHORT = 120
_MOST_EDITS = 1_000

Arguments = Mapping[str, Any]


def input_summary(category: str, given: Given, project_path: str) -> str:
    """The one line; of an input that cannot be read its beginning."""
    if given.arguments is None:
        return "" if given.text.strip() in ("", "{}", "null") else given.text[:1_000]
    return summary_of(category, given.arguments, project_path)


def arguments_html(category: str, given: Given, room: Room, find: Find) -> Markup:
    """All arguments. What tells most comes first, the others follow by name."""
    if given.arguments is None:
        text = "" if given.text.strip() in ("", "{}", "null") else given.text
        return _pre("input", text_html(room.cut(text), find)) if text else Markup("")
    html, told = _telling(category, given.arguments, room, find)
    return html + _others({name: value for name, value in given.arguments.items() if name not in told}, room, find)


def _telling(category: str, arguments: Arguments, room: Room, find: Find) -> tuple[Markup, set[str]]:
    """The main thing, and the names of the arguments that it tells."""
    name, patch = patch_of(arguments)
    if patch:
        return diff_html(room.cut_lines(patch_lines(patch)), find), {name}
    if (command := command_of(arguments)) and category in _SHELLS:
        return _shell(command, room, find), {one for one in COMMANDS if text_of(arguments, one) == command}
    changes, names = _changes_in(arguments)
    if names:
        return diff_html(room.cut_lines(changes), find), names
    if todos := todos_of(arguments):
        return _todos(todos, room, find), {"todos", "todoList", "plan", "items"} & arguments.keys()
    if category in ("Write", "Edit") and (content := _content(arguments)):
        return _file(arguments[content], language_of(path_of(arguments)), room, find), {content}
    return Markup(""), set()


def _shell(command: str, room: Room, find: Find) -> Markup:
    code = code_html(room.cut(command.rstrip("\n")), "bash", find)
    return Markup('<pre class="code shell"><span class="prompt">$ </span><code>{}</code></pre>').format(code)


def _file(content: str, language: str, room: Room, find: Find) -> Markup:
    return _pre("code", Markup("<code>{}</code>").format(code_html(room.cut(content.rstrip("\n")), language, find)))


def _content(arguments: Arguments) -> str:
    return next((name for name in _CONTENTS if isinstance(arguments.get(name), str) and arguments[name]), "")


def _changes_in(arguments: Arguments) -> tuple[list[Line], set[str]]:
    """The lines of an edit, or of a list of them, and which arguments these are."""
    for old, new in _CHANGES:
        if isinstance(arguments.get(old), str) and isinstance(arguments.get(new), str):
            return changed_lines(arguments[old], arguments[new]), {old, new}
    for name in _LISTS:
        listed = arguments.get(name)
        if isinstance(listed, list) and (lines := list(_each(listed[:_MOST_EDITS]))) and len(listed) <= _MOST_EDITS:
            return lines, {name}
    return [], set()


def _each(edits: list[Any]) -> Iterator[Line]:
    for number, edit in enumerate(edits, 1):
        lines, names = _changes_in(edit) if isinstance(edit, dict) and not _has_lists(edit) else ([], set())
        if not names:
            lines = [Line("kept", text) for text in value_text(edit).split("\n")]
        where = path_of(edit) if isinstance(edit, dict) else ""
        yield Line("place", " ".join(filter(None, [f"{number} of {len(edits)}", where])))
        yield from lines


def _has_lists(edit: Arguments) -> bool:
    """An edit of edits is no edit."""
    return any(name in edit for name in _LISTS)


def _todos(todos: list[tuple[str, str]], room: Room, find: Find) -> Markup:
    shown = room.cut("\n".join(f"{_MARKS.get(state, '○')} {' '.join(text.split())}" for state, text in todos))
    states = ["done" if is_done(state) else "open" for state, _ in todos]
    rows = zip(states, shown.split("\n"), strict=False)
    return Markup('<ul class="todos">{}</ul>').format(
        Markup("").join(Markup('<li class="{}">{}</li>').format(state, line_html(row, 0, find)) for state, row in rows)
    )


def _others(arguments: Arguments, room: Room, find: Find) -> Markup:
    """Short values beside their names, long ones below. Paths come first."""
    rows = Markup("").join(_row(name, value, room, find) for name, value in _in_order(arguments))
    return Markup('<dl class="arguments">{}</dl>').format(rows) if rows else rows


def _in_order(arguments: Arguments) -> list[tuple[str, Any]]:
    return sorted(arguments.items(), key=lambda item: item[0] not in PATHS)


def _row(name: str, value: Any, room: Room, find: Find) -> Markup:
    text = value_text(value).strip("\n")
    shown = room.cut(text)
    if text and not shown:
        return Markup("")
    is_short = "\n" not in text and len(text) <= _SHORT
    html = text_html(shown, find) if is_short else _pre("value", text_html(shown, find))
    return Markup("<dt>{}</dt><dd>{}</dd>").format(line_html(name, _NAME, find), html)


def _pre(name: str, html: Markup) -> Markup:
    return Markup('<pre class="{}">{}</pre>').format(name, html)
