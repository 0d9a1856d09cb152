"""Where the pages are. Every address in a page is made here. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

SESSIONS = "/sessions"
SEARCH = "/search"
OVERVIEW = "/overview"
COMMITS = "/commits"
FILES = "/files"
# Pieces of a path that a browser leaves out before it asks, escaped or not: these ids have a "~" before them, and so
# have those that would mean them then.
_DOTS = re.compile(r"~*\.{1,2}")


def session_path(session_id: str) -> str:
    """The page of a session, whatever characters its id has."""
    piece = f"~{session_id}" if _DOTS.fullmatch(session_id) else session_id
    return f"{SESSIONS}/{quote(piece, safe='')}"


def id_in(piece: str) -> str:
    """The id that a piece of a path means, in which "/" and "%" are still escaped."""
    id = unquote(piece)
    return id[1:] if id.startswith("~") and _DOTS.fullmatch(id, 1) else id


def message_path(session_id: str, ordinal: int, source_id: str = "", when: dt.datetime | None = None) -> str:
    """A message on it. The source's own id, or else its time, tells after a re-import where the message is now."""
    values: dict[str, Any] = {"at": ordinal, "source": source_id}
    if not source_id and when is not None:
        values["t"] = micros(when)
    return with_query(session_path(session_id), values) + f"#m{ordinal}"


def micros(when: dt.datetime) -> int:
    """Microseconds since 1970, exactly."""
    return int(when.replace(microsecond=0).timestamp()) * 1_000_000 + when.microsecond


def with_query(path: str, values: Mapping[str, Any]) -> str:
    """The path with these values, without those that are "" or None or False; True is 1."""
    # 0 is a number, and a message has it.
    told = {
        name: 1 if value is True else value
        for name, value in values.items()
        if value is not None and value is not False and value != ""
    }
    query = urlencode({name: str(value) for name, value in told.items()}, errors="replace")
    return f"{path}?{query}" if query else path


def inside(path: str) -> str:
    """The path where it is one of these pages; else the first one. What a link asks to go on to may be anywhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_ours else "/"
