"""The command that resumes a session in the agent that it is from. Pure."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from agentstore.faces import safe

if TYPE_CHECKING:
    from agentstore import Session

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class _Resumed(NamedTuple):
    """``words`` before the agent's own id, which is what follows ``prefix`` in the store's."""

    words: tuple[str, ...]
    prefix: str = ""
    id: re.Pattern[str] = _UUID


# By agent_type, as the agents' own documentation has it in 2026; what is not here cannot be resumed by a command that
# we know. Each looks for the id among the sessions of the directory it is started in, or of all.
_AGENTS = {
    "claude-code": _Resumed(("claude", "--resume")),
    "codex": _Resumed(("codex", "resume"), "codex:"),
    "copilot": _Resumed(("copilot", "--resume"), "copilot:"),
    # Its command-line agent; what was said in the editor's window is not known there.
    "cursor": _Resumed(("cursor-agent", "--resume"), "cursor:"),
    "gemini": _Resumed(("gemini", "--resume"), "gemini:"),
    "opencode": _Resumed(("opencode", "--session"), "opencode:", re.compile(r"ses_[0-9A-Za-z]+")),
    "pi": _Resumed(("pi", "--session"), "pi:"),
    "qwen-code": _Resumed(("qwen", "--resume")),
}


def resume_command(session: Session) -> str:
    """A line for a shell on the session's own machine; "" where there is none.

    A path or an id that would not come to a terminal as it is, is not offered to be pasted into one.
    """
    agent = _AGENTS.get(session.agent_type)
    if agent is None or session.relationship_type == "subagent" or not session.id.startswith(agent.prefix):
        return ""
    # A fork's id is the store's own: what the agent knows is the part before the mark.
    id = session.id.removeprefix(agent.prefix).partition("~")[0]
    if not agent.id.fullmatch(id):
        return ""
    command = shlex.join([*agent.words, id])
    if session.project_path:
        command = f"cd {shlex.quote(session.project_path)} && {command}"
    return command if safe.line(command) == command else ""
