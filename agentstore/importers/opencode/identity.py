"""What sessions and messages of OpenCode are known by.

A session has its own id after the agent's name, as in agentsview: ``opencode:ses_…``.

A message has an id of its own, too, but a fork gives its copies new ones and says nowhere which they were. What it
leaves as it is: the times and the tokens. So a response is known by the millisecond when it began, its model and its
tokens; a prompt by its millisecond and its first line. agentsview keeps both of these and no ids, so that a message
that comes from there is known to be the same one.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
from typing import Any

from agentstore.importers.jsonl import Record
from agentstore.importers.times import parse_millis

OPENCODE = "opencode"
AGENTS = (OPENCODE, "kilo", "mimocode", "icodemate")
_PLACEHOLDER = re.compile(r"(?:New|Child) session - \d{4}-\d\d-\d\dT[\d:.]+Z")
_PROMPT_LENGTH = 64
_DATABASE = re.compile(r"(opencode|kilo|mimocode|icodemate)(?:-[\w.-]+)?\.db", re.IGNORECASE)


def agent_of(path: pathlib.PurePath) -> str:
    """Whose storage a path is in: by the name of the database, else by that of the folder that ``storage`` is in;
    OpenCode's, if none tells."""
    named = _DATABASE.fullmatch(path.name)
    if named:
        return named.group(1).lower()
    folder = path.parts[-5] if len(path.parts) > 4 and path.parts[-4] == "storage" else ""
    return folder if folder in AGENTS else OPENCODE


def is_database_name(name: str) -> bool:
    return _DATABASE.fullmatch(name) is not None


def session_key(agent: str, id: str) -> str:
    return f"{agent}:{id}" if id else ""


def title_of(title: Any) -> str:
    """A session's title; "" for the one that it has until the model finds one."""
    text = title.strip() if isinstance(title, str) else ""
    return "" if _PLACEHOLDER.fullmatch(text) else text


def response_key(agent: str, created: Any, model: str, tokens: Record) -> str:
    """What a response is known by in all copies of it; "" where no time is known."""
    cache = tokens.get("cache")
    cache = cache if isinstance(cache, dict) else {}
    spent = (tokens.get("input"), tokens.get("output"), cache.get("read"), cache.get("write"))
    return _key(agent, created, model, *(one if type(one) is int else 0 for one in spent))


def prompt_key(agent: str, created: Any, text: str) -> str:
    return _key(agent, created, "user", text.strip().partition("\n")[0].rstrip()[:_PROMPT_LENGTH])


def _key(agent: str, created: Any, *known_by: object) -> str:
    if parse_millis(created) is None or type(created) is not int:
        return ""
    digest = hashlib.blake2b(repr(known_by).encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{agent}:{created}-{digest}"
