"""``agentstore show``, as a process."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, GitLink, Message, Session, ToolCall
from tests.cli.running import Cli, check_snapshots

TIDE = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"


class Whole(msgspec.Struct):
    """What ``--json`` is."""

    session: Session
    messages: list[Message]
    tool_calls: list[ToolCall]
    git_links: list[GitLink]


def test_a_session_as_text(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "show", "show", "0b6e2f4a")


def test_with_tools_and_thinking(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "show-tools", "show", "c2f8", "--tools", "--thinking")


def test_of_another_agent(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "show-codex", "show", "019cb8d2", "--tools", "--thinking")


def test_as_markdown(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "show-md", "show", "0b6e2f4a", "--tools", "--format", "md")


def test_json_is_the_records_themselves(sample_cli: Cli) -> None:
    found = msgspec.json.decode(sample_cli("show", "0b6e", "--json").out, type=Whole)
    assert found.session.id == TIDE
    assert [message.ordinal for message in found.messages] == list(range(found.session.message_count))
    assert len(found.tool_calls) == found.session.tool_call_count
    assert {link.link_type for link in found.git_links} == {"commit", "pr"}


def test_raw_is_the_agents_own_records(sample_cli: Cli) -> None:
    lines = sample_cli("show", "0b6e", "--raw").lines
    assert {json.loads(line).get("sessionId", TIDE) for line in lines} == {TIDE}
    assert len(lines) > 10


@pytest.mark.parametrize("prefix", ["0b6e2f4a:agent", f"{TIDE}:agent-7c1e0b2", f"{TIDE}:"])
def test_a_subagent_is_known_by_both_beginnings(sample_cli: Cli, prefix: str) -> None:
    assert f"id        {TIDE}:agent-7c1e0b2" in sample_cli("show", prefix).lines


@pytest.mark.parametrize("prefix", ["b7e4", "gemini:", "gemini:b7e4c1d8-26f3-4a95-8d10-3c9f5e7a2b64"])
def test_the_agents_name_may_be_left_out(sample_cli: Cli, prefix: str) -> None:
    assert "id        gemini:b7e4c1d8-26f3-4a95-8d10-3c9f5e7a2b64" in sample_cli("show", prefix).lines


def test_what_is_ambiguous_is_listed(own_cli: Cli) -> None:
    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            some = [
                Session(id=f"abc{number:02}", first_message=f"Number {number}", message_count=1, user_message_count=1)
                for number in range(12)
            ]
            await store.write_batch("local", sessions=some)

    asyncio.run(fill())
    done = own_cli("show", "abc")
    assert (done.code, done.out) == (2, "")
    said, hint, *candidates, more = done.err.splitlines()
    assert (said, hint.strip()) == ("agentstore: 'abc' is the beginning of 12 ids", "one of:")
    assert sorted(candidates)[-1] == "  abc11  Number 11"
    assert (len(candidates), more.strip()) == (10, "… and 2 more")


def test_what_is_not_there_is_said(sample_cli: Cli) -> None:
    done = sample_cli("show", "zz")
    assert (done.code, done.out) == (1, "")
    assert "no session begins with 'zz'" in done.err
    done = sample_cli("show", "")
    assert done.code == 2
    done = sample_cli("show")
    assert done.code == 2
    assert "ID" in done.err


def test_raw_goes_with_no_other_form(sample_cli: Cli) -> None:
    assert sample_cli("show", "0b6e", "--raw", "--json").code == 2
