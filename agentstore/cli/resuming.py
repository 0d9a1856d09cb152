"""The command that resumes a session in the agent that it is from. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from agentstore.cli.terminal import safe

if TYPE_CHECKING:
    from agentstore import Session

# By agent_type; what is not here cannot be resumed by a command that we know.
_COMMANDS = {
    "claude-code": ("claude", "--resume"),
    "codex": ("codex", "resume"),
    "copilot": ("copilot", "--resume"),
    "cursor": ("cursor-agent", "--resume"),
    "gemini": ("gemini", "--resume"),
    "opencode": ("opencode", "--session"),
    "pi": ("pi", "--session"),
    "qwen-code": ("qwen", "--resume"),
}


def resume_command(session: Session) -> str:
    """A line for a shell on the session's own machine; "" where there is none.

    A path or an id that would not come to a terminal as it is, is not offered to be pasted into one.
    """
    words = _COMMANDS.get(session.agent_type)
    # A subagent's or a fork's id is the store's own: what the agent knows is the part before the mark.
    id = session.id.partition("~")[0]
    if words is None or ":" in id or session.relationship_type == "subagent" or not id:
        return ""
    command = shlex.join([*words, id])
    if session.project_path:
        command = f"cd {shlex.quote(session.project_path)} && {command}"
    return command if safe.line(command) == command else ""
