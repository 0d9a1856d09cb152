"""The command that resumes a session, as each agent documents it."""

from __future__ import annotations

import pytest

from agentstore import Session
from agentstore.faces.resuming import resume_command

ID = "6d0a9b7e-3f42-4b1d-8c77-91e5f2a4c302"


@pytest.mark.parametrize(
    ("agent", "id", "command"),
    [
        ("claude-code", ID, f"claude --resume {ID}"),
        ("claude-code", f"{ID}~1a2b3c4d", f"claude --resume {ID}"),
        ("codex", f"codex:{ID}", f"codex resume {ID}"),
        ("copilot", f"copilot:{ID}", f"copilot --resume {ID}"),
        ("cursor", f"cursor:{ID}", f"cursor-agent --resume {ID}"),
        ("gemini", f"gemini:{ID}", f"gemini --resume {ID}"),
        ("opencode", "opencode:ses_3af9Kx", "opencode --session ses_3af9Kx"),
        ("pi", f"pi:{ID}", f"pi --session {ID}"),
        ("qwen-code", ID, f"qwen --resume {ID}"),
        # What the agent does not know under this id, or cannot resume.
        ("pi", "pi:1772440000000-0a1b2c3d", ""),
        ("codex", ID, ""),
        ("claude-code", f"{ID}:agent-7c1e0b2", ""),
        ("claude-code", "full", ""),
        ("swe-agent", f"swe-agent:{ID}", ""),
        ("", ID, ""),
    ],
)
def test_each_agent_has_its_own(agent: str, id: str, command: str) -> None:
    assert resume_command(Session(id=id, agent_type=agent)) == command


def test_it_goes_to_the_sessions_directory_first() -> None:
    session = Session(id=ID, agent_type="claude-code", project_path="/home/ada/tide clock; rm -rf /")
    assert resume_command(session) == f"cd '/home/ada/tide clock; rm -rf /' && claude --resume {ID}"


@pytest.mark.parametrize("path", ["/home/ada/\x1b[2J", "/home/\u202eada", "/home/a\nb"])
def test_what_would_not_come_to_the_terminal_as_it_is_is_not_offered(path: str) -> None:
    assert resume_command(Session(id=ID, agent_type="claude-code", project_path=path)) == ""


def test_a_subagent_is_not_resumed() -> None:
    assert resume_command(Session(id=ID, agent_type="claude-code", relationship_type="subagent")) == ""
