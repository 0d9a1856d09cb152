"""What the tools take: their arguments, checked, and the short schemas that tell an agent of them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from agentstore.errors import InvalidArgumentError

Did = Literal["read", "write", "edit", "delete", "move"]
_PROJECT = 'name; default this repository; "*" all'
_SINCE = "2w, 3d, yesterday, 2026-11-01"
_CURSOR = "from the answer before"
LONGEST = 4096  # of a text that a tool takes: a path may be that long


class Arguments(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Arguments of a tool. Their texts for agents are in ``TEXTS``."""


class Search(Arguments, frozen=True):
    query: str
    words: bool = False
    role: Literal["", "user", "assistant", "tool"] = ""
    tool: str = ""
    session: str = ""
    since: str = ""
    until: str = ""
    project: str = ""
    limit: int = 8
    cursor: str = ""


class Open(Arguments, frozen=True):
    handle: str
    around: int = 1
    characters: int = 3000
    find: str = ""


class Sessions(Arguments, frozen=True):
    title: str = ""
    since: str = ""
    until: str = ""
    project: str = ""
    limit: int = 10
    cursor: str = ""


class FileHistory(Arguments, frozen=True):
    path: str
    did: list[Did] = []
    project: str = ""
    limit: int = 12
    cursor: str = ""


class Commit(Arguments, frozen=True):
    commit: str


class Usage(Arguments, frozen=True):
    by: Literal["model", "user", "project", "day", "agent", "session"] = "model"
    since: str = ""
    until: str = ""
    project: str = ""
    limit: int = 10


class Blame(Arguments, frozen=True):
    path: str
    line: int = 0
    last: int = 0


TEXTS: dict[type[Arguments], dict[str, str]] = {
    Search: {
        "query": "text as it stands, any case",
        "words": 'instead: all words and "phrases", best first',
        "role": "", "tool": "name of a tool", "session": "handle",
        "since": _SINCE, "until": "", "project": _PROJECT, "limit": "", "cursor": _CURSOR,
    },
    Open: {
        "handle": "of a message, or of a session: its prompts",
        "around": "messages before and after", "characters": "at most",
        "find": "show long texts around this",
    },
    Sessions: {
        "title": "text in it", "since": _SINCE, "until": "", "project": _PROJECT, "limit": "", "cursor": _CURSOR,
    },
    FileHistory: {
        "path": "file, or folder with / at its end", "did": "", "project": _PROJECT, "limit": "", "cursor": _CURSOR,
    },
    Commit: {"commit": "SHA or its beginning, or URL of a pull request"},
    Usage: {"by": "", "since": _SINCE, "until": "", "project": _PROJECT, "limit": ""},
    Blame: {"path": "file of this repository", "line": "first line; default all", "last": "last line"},
}  # fmt: skip


def schema_of(kind: type[Arguments]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments, as short as it can be."""
    (told,), definitions = msgspec.json.schema_components([kind])
    known = definitions[told["$ref"].rpartition("/")[2]]
    properties = {}
    for name, text in TEXTS[kind].items():
        field = {key: value for key, value in known["properties"][name].items() if key != "default"}
        default = known["properties"][name].get("default")
        if default:
            field["default"] = default
        properties[name] = {**field, "description": text} if text else field
    return {"type": "object", "properties": properties, "required": known.get("required", [])}


def arguments_of(kind: type[Arguments], given: dict[str, Any] | None) -> Arguments:
    """The arguments as a tool gets them; what is none of them is ``InvalidArgumentError``."""
    for name, value in (given or {}).items():
        if isinstance(value, str) and len(value) > LONGEST:
            raise InvalidArgumentError(f"{name}: expected at most {LONGEST} characters, got {len(value)}", field=name)
    try:
        return msgspec.convert(given or {}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidArgumentError(str(error), hint=f"it takes {', '.join(kind.__struct_fields__)}") from None


def limited(value: int, name: str, least: int, most: int) -> int:
    """A number within its bounds."""
    if not least <= value <= most:
        raise InvalidArgumentError(f"{name}: expected {least} to {most}, got {value}", field=name)
    return value
