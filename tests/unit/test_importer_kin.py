"""Files of other agents that have Claude Code's shape are never called Claude Code's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentstore.importers.claude_code.kin import HEAD, agent_of
from tests.unit.importer_lines import SESSION, assistant, data, said, use, user


def line(model: str, tool: str = "", version: str = "0.9.1", **fields: Any) -> bytes:
    """A response of this model that calls this tool."""
    record = assistant(*([use("t1", tool)] if tool else [said("hi")]), version=version, **fields)
    record["message"]["model"] = model
    return data(user("hi", version=version, **fields), record)


@pytest.mark.parametrize(
    ("file", "agent"),
    [
        (f"/home/ada/.qwen/projects/-home-ada/chats/{SESSION}.jsonl", "qwen-code"),
        (f"/home/ada/.qwen/projects/-home-ada/chats/archive/{SESSION}.jsonl", "qwen-code"),
        (f"/home/ada/.iflow/projects/-home-ada/session-{SESSION}.jsonl", "iflow"),
        (f"/home/ada/.kimi/sessions/abc/{SESSION}/context.jsonl", "kimi-cli"),
        (f"C:\\Users\\ada\\.kimi-code\\sessions\\x\\{SESSION}\\wire.jsonl", "kimi-cli"),
        (f"/home/ada/.qoder/projects/-home-ada/{SESSION}.jsonl", "qoder"),
        (f"/home/ada/.claude/projects/-home-ada--qwen/{SESSION}.jsonl", "claude-code"),
        (f"/home/ada/.qwen/backup/.claude/projects/-home-ada/{SESSION}.jsonl", "claude-code"),
        (f"/home/ada/.qwen/{SESSION}.jsonl", "claude-code"),
        ("", "claude-code"),
    ],
)
def test_by_its_place(file: str, agent: str) -> None:
    assert agent_of(file, data(user("hi"))) == agent


QWENS = json.dumps({"type": "user", "uuid": "u", "message": {"role": "user", "parts": [{"text": "hi"}]}}).encode()


@pytest.mark.parametrize(
    ("head", "agent"),
    [
        (QWENS, "qwen-code"),
        (b"garbage\n" + QWENS, "qwen-code"),
        (line("glm-5", sessionId=f"session-{SESSION}"), "iflow"),
        (line("qwen3-coder-plus", "run_shell_command"), "qwen-code"),
        (line("Qwen/Qwen3-Coder"), "qwen-code"),
        (line("kimi-k2", "WriteFile", "1.12.0"), "kimi-cli"),
        (line("glm-4.7", "read_file"), "iflow"),
        (line("deepseek-v3.2", "run_shell_command"), "iflow"),
        (line("an-endpoint", "StrReplaceFile", "1.30.0"), "kimi-cli"),
        (line("kimi-k2", "Glob", "0.70.0"), "kimi-cli"),
        # Claude Code with a model of another maker is Claude Code.
        (line("qwen3-coder-plus", "Bash", "2.1.9"), "claude-code"),
        (line("kimi-k2", "Read", "2.0.64"), "claude-code"),
        (line("glm-4.7", "", "2.1.9"), "claude-code"),
        (line("claude-opus-4-6", "read_file", "0.2.9"), "claude-code"),
        (data(user('{"message": {"parts": []}}')), "claude-code"),
        (b"", "claude-code"),
        (b"[" * HEAD, "claude-code"),
    ],
)
def test_by_what_only_they_write(head: bytes, agent: str) -> None:
    assert agent_of("taken/from/there.jsonl", head) == agent
