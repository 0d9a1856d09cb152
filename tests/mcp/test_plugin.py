"""The plugin for Claude Code, against the published format as far as we found it.

The rules are from https://code.claude.com/docs/en/plugins/manifest-reference, …/plugins/marketplace-reference and
…/hooks, and from plugin-dev's manifest-reference.md in github.com/anthropics/claude-code, as they were in 2026.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
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


def test_what_the_page_configures_for_other_agents_can_be_read() -> None:
    page = (ROOT / "docs" / "guides" / "agents.md").read_text(encoding="utf-8")
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (text,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    wanted = {"agentstore": {"command": "agentstore", "args": ["mcp"]}}
    assert tomllib.loads(toml) == {"mcp_servers": wanted}
    assert json.loads(text) == {"mcpServers": wanted}


def hooked(given: str, programs: Path, path: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the hook with this input and these programs."""
    return subprocess.run(
        ["sh", str(PLUGIN / "hooks" / "import.sh")],
        input=given.encode(),
        env={"PATH": f"{programs}:{path or os.environ['PATH']}"},
        capture_output=True,
        timeout=30,
        check=True,
    )


def listening(tmp_path: Path) -> tuple[Path, Path]:
    """A pipe, and the folder of an ``agentstore`` that tells there what it was asked, and its session."""
    pipe = tmp_path / "asked"
    os.mkfifo(pipe)
    programs = tmp_path / "bin"
    programs.mkdir()
    # It tells what it was asked only when somebody listens: a hook that waited for it would not end before.
    told = f"{sys.executable} -c 'import os; print(os.getsid(0))'"
    (programs / "agentstore").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" "$({told})" > "{pipe}"\n')
    (programs / "agentstore").chmod(0o755)
    return pipe, programs


@pytest.mark.parametrize("event", ["SessionStart", "SessionEnd"])
@pytest.mark.parametrize("folder", ["a b", """a "b" 'c' \\d $e `f` é""", "-rf", "*"])
def test_a_hook_imports_without_waiting(event: str, folder: str, tmp_path: Path) -> None:
    transcript = tmp_path / "projects" / folder / "session.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_text("{}\n")
    pipe, programs = listening(tmp_path)
    # As JavaScript writes it: only what must be escaped is. A folder's name may look like a field.
    given = json.dumps(
        {
            "session_id": "s", "transcript_path": str(transcript), "hook_event_name": event,
            "cwd": '/r/","transcript_path":"/etc/passwd","x":"',
        },
        ensure_ascii=False, separators=(",", ":"),
    )  # fmt: skip
    done = hooked(given, programs)
    assert (done.stdout, done.stderr) == (b"", b"")
    wanted = transcript if event == "SessionEnd" else transcript.parent
    assert pipe.read_text().splitlines()[:-1] == ["import", "--json", "--", str(wanted)]


def test_subagents_come_with_their_session(tmp_path: Path) -> None:
    transcript = tmp_path / "session.jsonl"
    transcript.write_text("{}\n")
    (tmp_path / "session" / "subagents").mkdir(parents=True)
    pipe, programs = listening(tmp_path)
    hooked(json.dumps({"transcript_path": str(transcript), "hook_event_name": "SessionEnd"}), programs)
    assert pipe.read_text().splitlines()[3:-1] == [str(transcript), str(tmp_path / "session")]


def linked(folder: Path, *names: str) -> None:
    """Put these programs of this machine into a folder, to be the only ones that there are."""
    for name in names:
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"there is no {name} here")
        (folder / name).symlink_to(program)


@pytest.mark.parametrize("missing", ["", "setsid"])
def test_who_ends_the_agent_does_not_end_the_import(missing: str, tmp_path: Path) -> None:
    """It runs in a session of its own, on a machine without ``setsid`` too."""
    transcript = tmp_path / "session.jsonl"
    transcript.write_text("{}\n")
    pipe, programs = listening(tmp_path)
    linked(programs, *{"sh", "cat", "sed", "head", "setsid", "perl"} - {missing})
    hooked(json.dumps({"transcript_path": str(transcript), "hook_event_name": "SessionEnd"}), programs, str(programs))
    assert int(pipe.read_text().splitlines()[-1]) != os.getsid(0)


def test_without_the_command_nothing_is_said_and_all_is_read(tmp_path: Path) -> None:
    """Who writes the input must not find the pipe closed: it is more than a pipe holds."""
    linked(tmp_path, "sh", "cat")
    process = subprocess.Popen(
        ["sh", str(PLUGIN / "hooks" / "import.sh")], env={"PATH": str(tmp_path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(b" " * 1_000_000)
    process.stdin.flush()
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 0


@pytest.mark.parametrize(
    "given", ["", "{}", '{"transcript_path": "relative"}', '{"transcript_path": "/no/such"}', "\x00"]
)
def test_a_hook_that_is_told_nothing_does_nothing(given: str, tmp_path: Path) -> None:
    (tmp_path / "agentstore").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "agentstore").chmod(0o755)
    done = hooked(given, tmp_path)
    assert done.stdout == b""
    assert not (tmp_path / "ran").exists()
