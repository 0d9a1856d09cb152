"""What a Claude Code transcript says about its session: who it is, when, where, and what it is called."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from agentstore.importers import ImportResult, import_claude_code
from agentstore.models import Session
from tests.unit.importer_lines import FILE, SESSION, assistant, at, data, line, said, use, user

OTHER = "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f"
AGENT = f"{SESSION}:agent-a1"


def imported(*records: Any, file: str = FILE, **arguments: Any) -> ImportResult:
    return import_claude_code(data(*records), file=file, **arguments)


def session(*records: Any, **arguments: Any) -> Session:
    (only,) = imported(*records, **arguments).sessions
    return only


def test_a_session_is_who_its_file_says() -> None:
    own = session(user("hi"))
    assert (own.id, own.agent_type, own.parent_session_id, own.relationship_type) == (SESSION, "claude-code", "", "")
    told = session(user("hi"), user_id="u", user_name="Ada", machine="m")
    assert (told.user_id, told.user_name, told.machine) == ("u", "Ada", "m")
    unnamed = session(user("hi"), file="")
    assert (unnamed.id, unnamed.relationship_type) == (SESSION, "")


@pytest.mark.parametrize(
    ("file", "fields", "expected"),
    [
        (f"p/{SESSION}/subagents/agent-a1.jsonl", {"isSidechain": True}, (AGENT, SESSION, "subagent", "agent-a1")),
        (f"p/{SESSION}/subagents/workflows/r/agent-a1.jsonl", {}, (AGENT, SESSION, "subagent", "agent-a1")),
        (f"C:\\p\\{SESSION}\\subagents\\agent-a1.jsonl", {}, (AGENT, SESSION, "subagent", "agent-a1")),
        ("p/agent-a1.jsonl", {"isSidechain": True, "agentId": "a1"}, (AGENT, SESSION, "subagent", "agent-a1")),
        ("", {"isSidechain": True, "agentId": "a1"}, (AGENT, SESSION, "subagent", "agent-a1")),
        (f"p/{OTHER}.jsonl", {}, (OTHER, SESSION, "continuation")),
        (f"p/{OTHER}.jsonl", {"forkedFrom": {"sessionId": "origin"}}, (OTHER, "origin", "fork")),
        ("p/full.jsonl", {}, (SESSION, "", "", "full")),
        ("p/full.jsonl", {"forkedFrom": {"sessionId": "origin"}}, (SESSION, "origin", "fork", "full")),
    ],
)
def test_where_a_session_comes_from(file: str, fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    read = imported(user("hi", **fields), file=file)
    (only,) = read.sessions
    assert (only.id, only.parent_session_id, only.relationship_type, *read.replaces) == expected
    assert {message.session_id for message in read.messages} == {only.id}


def test_where_a_session_goes_on_in_a_new_file_its_last_lines_say_who_it_is() -> None:
    read = imported(user("hi"), user("on", 1, sessionId=OTHER), line("mode", sessionId=SESSION), file="p/full.jsonl")
    (only,) = read.sessions
    assert (only.id, only.parent_session_id, only.relationship_type) == (OTHER, SESSION, "continuation")


def test_times_are_the_least_and_greatest_of_all_records() -> None:
    read = session(
        line("summary", None, summary="x", leafUuid="y"),
        user("b", 30),
        line("file-history-snapshot", None, snapshot={"timestamp": at(90)}),
        user("a", 10),
        user("c", 20, timestamp="nonsense"),
    )
    assert read.started_at == dt.datetime(2026, 3, 2, 8, 0, 10, 125000, tzinfo=dt.UTC)
    assert read.ended_at == dt.datetime(2026, 3, 2, 8, 1, 30, 125000, tzinfo=dt.UTC)
    assert read.source_created_at == at(10)


@pytest.mark.parametrize(
    ("records", "titles", "expected"),
    [
        ([line("custom-title", customTitle="mine"), line("ai-title", aiTitle="its")], {}, "mine"),
        ([line("ai-title", aiTitle="its"), line("summary", None, summary="s", leafUuid="user-0")], {}, "its"),
        ([line("summary", None, summary="s", leafUuid="user-0")], {}, "s"),
        ([line("summary", None, summary="s", leafUuid="elsewhere")], {}, ""),
        ([], {"user-0": "from another file", "x": "y"}, "from another file"),
    ],
)
def test_the_name_of_a_session(records: list[Any], titles: dict[str, str], expected: str) -> None:
    assert session(*records, user("hi"), titles=titles).display_name == expected


def test_summaries_of_other_sessions_are_handed_on() -> None:
    read = imported(line("summary", None, summary="s", leafUuid="elsewhere"))
    assert (read.titles, read.sessions, read.messages) == ({"elsewhere": "s"}, [], [])


@pytest.mark.parametrize(
    ("cwd", "name"),
    [
        ("/home/ada/clock", "clock"),
        ("/home/ada/clock/", "clock"),
        ("/home/ada/clock/.worktrees/ada/fix", "clock"),
        ("/home/ada/clock/.claude/worktrees/x", "clock"),
        ("C:\\src\\clock", "clock"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_the_project_is_the_last_part_of_the_path_without_its_worktree(cwd: str, name: str) -> None:
    read = session(user("hi", cwd=cwd))
    assert (read.project_name, read.project_path) == (name, cwd)
    assert bool(read.project_id) == bool(cwd)


def test_worktrees_share_the_project() -> None:
    ids = {session(user("hi", cwd=f"/r/clock{end}")).project_id for end in ("", "/", "/.worktrees/a", "/.worktrees/b")}
    assert len(ids) == 1


def test_an_inline_sidechain_stays_in_its_session_without_being_a_person() -> None:
    read = imported(
        user("go"),
        user("look for it", 1, isSidechain=True),
        assistant(use("t1"), isSidechain=True, output=4),
        assistant(said("done"), id="msg_2", second=9, output=6),
    )
    assert [message.role for message in read.messages] == ["user", "system", "assistant", "assistant"]
    assert (read.sessions[0].user_message_count, read.sessions[0].total_output_tokens) == (1, 10)


def test_progress_that_carries_a_subagents_messages_counts_nothing_twice() -> None:
    inner = assistant(said("sub"), id="msg_sub", output=500)
    read = imported(user("go"), line("progress", 2, data={"type": "agent_progress", "agentId": "a", "message": inner}))
    assert (read.sessions[0].total_output_tokens, read.skipped_records) == (0, {"progress/agent_progress": 1})
