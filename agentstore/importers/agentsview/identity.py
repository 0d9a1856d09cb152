"""What agentsview calls a session, and what our own importers call it.

================================================  =====================================================================
agentsview                                        here
================================================  =====================================================================
``<uuid>`` of "claude"                            the same, of "claude-code"
``agent-<id>`` of "claude", with a parent         ``<root session>:agent-<id>``: such ids are unique in one session only
``<uuid>-<uuid of a record>``, a "fork"           a part of ``<uuid>``: what was said before or after a rewind is in the
                                                  same file, and so in the same session
``<id>_alt-<16 digits>``                          ``<id>``: another file that claims to be it, a snapshot or a copy
``qwen:<uuid>``, ``iflow:<uuid>``                 ``<uuid>`` of "qwen-code", ``session-<uuid>``: their files have Claude
                                                  Code's shape
``<host>~<id>``                                   ``<id>``, whatever it is; the host is the machine
``codex:…``, ``opencode:…``, anything else        the same
================================================  =====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

CLAUDE = "claude"
_AGENTS = {CLAUDE: "claude-code", "qwen": "qwen-code"}
_BARE = {"qwen": ("qwen:", ""), "iflow": ("iflow:", "session-")}  # what our importers have in place of a prefix
_ASKED = frozenset({"opencode", "kilo", "mimocode", "icodemate"})  # a parent is always who asked for a subagent
_SUBAGENT = "agent-"
_BRANCH = re.compile(r"(.+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ALTERNATE = re.compile(r"(.+)_alt-[0-9a-f]{16}")
_DEEPEST = 50


class Known(NamedTuple):
    """What a row of ``sessions`` says of who it is."""

    id: str
    agent: str
    parent: str = ""
    relationship: str = ""


class Owner(NamedTuple):
    """The session that a row belongs to."""

    id: str
    agent_type: str
    parent: str
    relationship: str
    host: str


class Identities:
    """All sessions of a database: who one is may depend on those above it."""

    def __init__(self, known: Mapping[str, Known]) -> None:
        self._known = known

    def whole(self, id: str) -> str:
        """The row of the session that a branch or an alternate belongs to; that of any other session is its own."""
        for _ in range(_DEEPEST):
            one = self._known.get(id)
            branch = _BRANCH.fullmatch(id) if one and one.agent == CLAUDE and one.relationship == "fork" else None
            above = branch or _ALTERNATE.fullmatch(id)
            if above is None or above.group(1) not in self._known:
                break
            id = above.group(1)
        return id

    def owner(self, id: str) -> Owner:
        """Who the session of this row is here."""
        one = self._known[self.whole(id)]
        host, _ = _without_host(one.id)
        parent = self.whole(one.parent) if one.parent else ""
        relationship = one.relationship
        own = self.native(one.id)
        if own != _bare(one.id, one.agent) and relationship in ("", "subagent"):
            # All subagents of Claude Code belong to the session above, however deep they are.
            return Owner(own, _AGENTS[CLAUDE], own.partition(":")[0], "subagent", host)
        above = self.native(parent) if parent and parent != one.id else ""
        if above == own:
            above, relationship = "", ""
        if above and not relationship:
            relationship = "subagent" if one.agent in _ASKED else "continuation"
        return Owner(own, _AGENTS.get(one.agent, one.agent), above, relationship, host)

    def native(self, id: str, agent: str = CLAUDE) -> str:
        """An id as our importers give it; ``agent`` is whose it is where the database does not have it."""
        one = self._known.get(id)
        agent = one.agent if one else agent
        bare = _bare(id, agent)
        if agent != CLAUDE or not bare.startswith(_SUBAGENT):
            return bare
        root = self._root(id)
        return f"{root}:{bare}" if root else bare

    def _root(self, id: str) -> str:
        """The session at the top of a subagent; "" where it is not known."""
        seen = {id}
        one = self._known.get(id)
        while one and one.parent and one.parent not in seen and len(seen) < _DEEPEST:
            seen.add(one.parent)
            id = self.whole(one.parent)
            one = self._known.get(id)
        bare = _bare(id, CLAUDE)
        return "" if bare.startswith(_SUBAGENT) else bare


def is_alternate(id: str) -> bool:
    return _ALTERNATE.fullmatch(id) is not None


def _bare(id: str, agent: str) -> str:
    _, raw = _without_host(id)
    prefix, instead = _BARE.get(agent, ("", ""))
    return instead + raw.removeprefix(prefix) if prefix and raw.startswith(prefix) else raw


def _without_host(id: str) -> tuple[str, str]:
    host, found, raw = id.partition("~")
    return (host, raw) if found and raw and host else ("", id)
