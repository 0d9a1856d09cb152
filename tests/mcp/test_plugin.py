"""The plugin for Claude Code, against the published format as far as we found it.

The rules are from https://code.claude.com/docs/en/plugins/manifest-reference, …/plugins/marketplace-reference and
…/hooks, and from plugin-dev's manifest-reference.md in github.com/anthropics/claude-code, as they were in 2026.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugins" / "claude-code"
# A manifest's fields; only the name is required. Unknown ones are refused by `claude plugin validate --strict`.
TEXTS = {"name", "version", "description", "homepage", "repository", "license", "displayName"}
OTHERS = {"author", "keywords", "commands", "agents", "skills", "hooks", "mcpServers", "lspServers", "outputStyles",
          "dependencies", "userConfig", "channels"}  # fmt: skip
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SEMANTIC = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?")
MATCHERS = {"SessionStart": {"startup", "resume", "clear", "compact"}, "SessionEnd": set[str]()}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_manifest() -> None:
    manifest = read(PLUGIN / ".claude-plugin" / "plugin.json")
    assert set(manifest) <= TEXTS | OTHERS
    assert all(isinstance(manifest[key], str) for key in TEXTS & set(manifest))
    assert NAME.fullmatch(manifest["name"])
    assert SEMANTIC.fullmatch(manifest["version"])
    assert set(manifest["author"]) <= {"name", "email", "url"}
    assert all(isinstance(word, str) for word in manifest["keywords"])
    # Only the manifest lies in .claude-plugin; components are at the top, where they are found by themselves.
    assert [path.name for path in (PLUGIN / ".claude-plugin").iterdir()] == ["plugin.json"]


def test_the_marketplace_names_the_plugin() -> None:
    market = read(ROOT / ".claude-plugin" / "marketplace.json")
    assert NAME.fullmatch(market["name"])
    assert market["owner"]["name"]
    (entry,) = market["plugins"]
    assert entry["name"] == read(PLUGIN / ".claude-plugin" / "plugin.json")["name"]
    assert entry["source"].startswith("./")
    assert (ROOT / entry["source"]).resolve() == PLUGIN


def test_the_servers_are_commands_that_there_are() -> None:
    from agentstore.cli.app import COMMANDS

    servers = read(PLUGIN / ".mcp.json")["mcpServers"]
    for server in servers.values():
        assert set(server) <= {"type", "command", "args", "env"}
        assert server["command"] == "agentstore"
        assert server["args"][0] in {name for name, _, _ in COMMANDS}


def test_the_hooks() -> None:
    told = read(PLUGIN / "hooks" / "hooks.json")
    assert set(told) <= {"description", "hooks"}
    assert set(told["hooks"]) == set(MATCHERS)
    for event, groups in told["hooks"].items():
        for group in groups:
            assert set(group) <= {"matcher", "hooks"}
            assert set(group.get("matcher", "").split("|")) <= MATCHERS[event] | {""}
            for hook in group["hooks"]:
                assert set(hook) <= {"type", "command", "args", "timeout", "async"}
                assert hook["type"] == "command"
                script = re.fullmatch(r'sh "\$\{CLAUDE_PLUGIN_ROOT\}/(.+)"', hook["command"])
                assert script
                assert (PLUGIN / script[1]).is_file()


def test_the_skill_says_when() -> None:
    (skill,) = (PLUGIN / "skills").glob("*/SKILL.md")
    text = skill.read_text(encoding="utf-8")
    front = re.match(r"---\nname: (.+)\ndescription: (.+)\n---\n", text)
    assert front
    assert front[1] == skill.parent.name
    assert NAME.fullmatch(front[1])
    assert len(front[1]) <= 64
    assert "Use when" in front[2]
    assert len(front[2]) <= 1024


def hooked(given: str, programs: Path) -> subprocess.CompletedProcess[bytes]:
    """Run the hook with this input and these programs."""
    return subprocess.run(
        ["sh", str(PLUGIN / "hooks" / "import.sh")],
        input=given.encode(),
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        timeout=30,
        check=True,
    )


@pytest.mark.parametrize("event", ["SessionStart", "SessionEnd"])
def test_a_hook_imports_without_waiting(event: str, tmp_path: Path) -> None:
    transcript = tmp_path / "projects" / "a b" / "session.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_text("{}\n")
    pipe = tmp_path / "asked"
    os.mkfifo(pipe)
    programs = tmp_path / "bin"
    programs.mkdir()
    # It tells what it was asked only when somebody listens: a hook that waited for it would not end before.
    (programs / "agentstore").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{pipe}"\n')
    (programs / "agentstore").chmod(0o755)
    given = json.dumps({"session_id": "s", "transcript_path": str(transcript), "hook_event_name": event})
    done = hooked(given, programs)
    assert (done.stdout, done.stderr) == (b"", b"")
    wanted = transcript if event == "SessionEnd" else transcript.parent
    assert pipe.read_text().splitlines() == ["import", "--json", "--", str(wanted)]


@pytest.mark.parametrize(
    "given", ["", "{}", '{"transcript_path": "relative"}', '{"transcript_path": "/no/such"}', "\x00"]
)
def test_a_hook_that_is_told_nothing_does_nothing(given: str, tmp_path: Path) -> None:
    (tmp_path / "agentstore").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "agentstore").chmod(0o755)
    done = hooked(given, tmp_path)
    assert done.stdout == b""
    assert not (tmp_path / "ran").exists()
