"""A session that is all hostile text, shown by every command that reads: nothing of it commands the terminal."""

from __future__ import annotations

import asyncio
import re

import pytest
from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, FileTouch, GitLink, Message, Session, SessionDelete, ToolCall
from tests.cli.running import Cli
from tests.faces.test_safe import is_harmless

EVIL = "needle \x1b]0;title\x07\x1b[2J\x9b31m\rover\u202egnp\u2066\u200b\x00\b\x85\u2028end\U000e0041"
# What our own colours are.
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*)m")
COMMANDS = [
    ["sessions"],
    ["sessions", "--json"],
    ["show", "hostile"],
    ["show", "hostile", "--tools", "--thinking", "--full"],
    ["show", "hostile", "--tools", "--format", "md"],
    ["show", "hostile", "--json"],
    ["search", "needle"],
    ["search", "needle", "-C", "2"],
    ["search", "needle", "--json"],
    ["commits"],
    ["commits", "--json"],
    ["commits", "abcd"],
    ["files", "--anywhere", "src/"],
    ["files", "--anywhere", "src/", "--json"],
    ["blame", EVIL.replace("\x00", "")],
    ["usage"],
    ["users"],
    ["projects"],
    ["projects", "--json"],
    ["models"],
    ["tools"],
    ["summary"],
    ["summary", "--json"],
    *[["cost", "--by", by] for by in ("model", "user", "project", "agent", "session", "agent-model")],
    ["cost", "--json"],
    ["star", "hostile"],
    ["unstar", "hostile"],
    ["pin", "hostile", "0", EVIL.replace("\x00", "")],
    ["show", "hostile"],
    ["delete", "--list"],
    ["delete", "--undo", "hidden"],
    ["restore", "hostile"],
    ["export"],
    ["commits", "https://" + EVIL.replace("\x00", "")],
    ["files", EVIL.replace("\x00", "")],
    ["purge", "-y", EVIL.replace("\x00", "")],
    ["show", EVIL.replace("\x00", "")],
    ["search", "no " + EVIL.replace("\x00", "")],
]


async def fill(dsn: str) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        session = Session(
            id=f"hostile{EVIL}",
            user_id=EVIL,
            user_name=EVIL,
            project_id=EVIL,
            project_name=EVIL,
            project_path=EVIL,
            machine=EVIL,
            agent_type="claude-code",
            first_message=EVIL,
            display_name=EVIL,
            git_branch=EVIL,
            message_count=1,
            user_message_count=1,
        )
        content = f"[Thinking]\n{EVIL}\n[/Thinking]\n{EVIL}\n```\n{EVIL}"
        message = Message(ordinal=0, session_id=session.id, role=EVIL, content=content, model=EVIL, output_tokens=5)
        call = ToolCall(
            message_ordinal=0, session_id=session.id, tool_use_id=EVIL, tool_name=EVIL, input_json=EVIL,
            result_content=EVIL, result_content_length=len(EVIL), subagent_session_id=EVIL,
        )  # fmt: skip
        hidden = replace(session, id=f"hidden{EVIL}")
        await store.write_batch("local", sessions=[session, hidden], messages=[message], tool_calls=[call])
        await store.write_session_deletes("local", [SessionDelete(session_id=hidden.id)])
        links = [
            GitLink(session_id=session.id, link_type="commit", confidence="high", commit_sha=f"abcd{EVIL}"),
            GitLink(session_id=session.id, link_type="pr", confidence="high", pr_url=f"https://{EVIL}/pull/1"),
        ]
        await store.write_git_links("local", links)
        touch = FileTouch(session_id=session.id, path=f"src/{EVIL}", operation="edit", tool_use_id=EVIL)
        await store.write_file_touches("local", [touch])


@pytest.fixture(scope="module")
def hostile_cli(module_cli: Cli) -> Cli:
    asyncio.run(fill(module_cli.dsn))
    return module_cli


@pytest.mark.parametrize(
    "arguments", COMMANDS, ids=[" ".join(one)[:30].encode("ascii", "replace").decode() for one in COMMANDS]
)
@pytest.mark.parametrize("colours", [False, True])
def test_nothing_of_it_commands_the_terminal(hostile_cli: Cli, arguments: list[str], colours: bool) -> None:
    done = hostile_cli(*arguments, colours=colours)
    text = done.out + done.err
    assert "Traceback" not in text
    assert done.code == (1 if done.err else 0)
    if colours:
        text = COLOUR.sub("", text)
    assert all(is_harmless(line) for line in text.split("\n"))
    assert done.err or "needle" in text
