"""What a message of OpenCode becomes: who speaks, what was called, what it cost."""

from __future__ import annotations

import json
import pathlib
import sqlite3
from typing import Any

import pytest

from agentstore.importers import ImportResult
from tests.unit.opencode_files import (
    CURRENT,
    START,
    assistant,
    call,
    export,
    info,
    insert_current,
    read,
    said,
    user,
    write_database,
    write_export,
)


def imported(tmp_path: pathlib.Path, *messages: dict[str, Any], **fields: Any) -> ImportResult:
    (result,) = read(write_export(tmp_path / "x.json", export(*messages, **fields)))
    return result


@pytest.mark.parametrize(
    ("parts", "role", "content"),
    [
        ([said("fix it")], "user", "fix it"),
        ([said("fix"), said("Called the Read tool", synthetic=True), said("it")], "user", "fix\nit"),
        ([said("look"), {"type": "file", "filename": "a.png", "url": "data:"}], "user", "look\n[File: a.png]"),
        ([{"type": "file", "url": "file:///x"}], "user", "[File: file:///x]"),
        ([{"type": "subtask", "command": "review", "description": "all"}], "user", "/review all"),
        ([said("done by a tool", synthetic=True)], "system", "done by a tool"),
        ([said("for nobody", ignored=True)], "system", "for nobody"),
        ([said("read", synthetic=True), {"type": "file", "filename": "a"}], "system", "read"),
    ],
)
def test_who_speaks(parts: list[dict[str, Any]], role: str, content: str, tmp_path: pathlib.Path) -> None:
    result = imported(tmp_path, user(1, *parts))
    (message,) = result.messages
    assert (message.role, message.content) == (role, content)
    assert result.sessions[0].user_message_count == (role == "user")
    assert result.sessions[0].first_message == (content.replace("\n", " ") if role == "user" else "")


def test_marks_are_no_messages(tmp_path: pathlib.Path) -> None:
    result = imported(
        tmp_path, user(1, {"type": "compaction", "auto": True}), assistant(2, said("a summary"), output=3), user(4)
    )
    assert [message.content for message in result.messages] == ["a summary"]
    assert result.skipped_records == {"part/compaction": 1, "message/empty": 2, "part/step-finish": 1}


def test_calls_and_what_came_back(tmp_path: pathlib.Path) -> None:
    commit = {"command": "git commit -m x", "description": "Commit"}
    calls = [
        call("1", "bash", commit, output="[main 1a2b3c4] x", metadata={"exit": 0}),
        call("2", "bash", {"command": "false"}, output="", metadata={"exit": 1}),
        call("3", "read", {"filePath": "/a/SKILL.md"}, output="---\nname: wind\n---"),
        call("4", "edit", {"filePath": "/a"}, "error", error="no match"),
        call("5", "invalid", {"tool": "x"}, output="unknown tool"),
        call("6", "skill", {"name": "wind"}, output="How to wind"),
        call("7", "bash", {"command": "sleep"}, "running"),
        call("8", "bash", None, "pending"),
    ]
    result = imported(tmp_path, assistant(1, *calls), user(2, said("x")))
    rows = {one.tool_use_id: one for one in result.tool_calls}
    assert {id: one.is_error for id, one in rows.items()} == dict(
        zip("12345678", [0, 1, 0, 1, 1, 0, 0, 0], strict=True)
    )
    assert {id: one.result_content for id, one in rows.items() if one.is_error} == {
        "2": "",
        "4": "no match",
        "5": "unknown tool",
    }
    assert [id for id, one in rows.items() if one.result_content_length is None] == ["7", "8"]
    assert {id: one.skill_name for id, one in rows.items() if one.skill_name} == {"3": "wind", "6": "wind"}
    assert [rows[id].tool_category for id in "1346"] == ["Bash", "Read", "Edit", "Tool"]
    assert result.messages[0].content.splitlines()[:3] == ["[Bash: Commit]", "$ git commit -m x", "[Bash]"]
    assert [(link.commit_sha, link.confidence, link.message_ordinal) for link in result.git_links] == [
        ("1a2b3c4", "high", 0)
    ]


@pytest.mark.parametrize(
    ("told", "output"),
    [
        ({"total": 110, "input": 7, "output": 90, "reasoning": 60, "cache": {"read": 10, "write": 3}}, 90),
        ({"total": 170, "input": 7, "output": 90, "reasoning": 60, "cache": {"read": 10, "write": 3}}, 150),
        ({"input": 7, "output": 90, "reasoning": 60, "cache": {"read": 10, "write": 3}}, 90),
        ({"input": 7, "output": 90, "reasoning": 160, "cache": {"read": 10, "write": 3}}, 250),
    ],
)
def test_reasoning_is_output_once(told: dict[str, Any], output: int, tmp_path: pathlib.Path) -> None:
    result = imported(tmp_path, user(1, said("x")), assistant(2, said("y"), tokens=told))
    message = result.messages[1]
    assert (message.input_tokens, message.cache_read_tokens, message.cache_write_tokens) == (7, 10, 3)
    assert (message.output_tokens, message.context_tokens) == (output, 20)
    assert json.loads(message.token_usage) == told
    assert result.sessions[0].total_output_tokens == output


def test_a_response_that_never_ended_has_the_tokens_of_its_last_step(tmp_path: pathlib.Path) -> None:
    step = {"type": "step-finish", "tokens": {"input": 5, "output": 6, "cache": {"read": 0, "write": 0}}}
    nothing = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    stopped = {"name": "MessageAbortedError", "data": {"message": "The operation was aborted."}}
    message = assistant(2, said("y"), tokens=nothing, error=stopped)
    message["parts"][-1] = step | {"id": "prt_9"}
    empty = assistant(3, tokens=nothing)
    empty["parts"] = []
    result = imported(tmp_path, user(1, said("x")), message, empty)
    assert [one.output_tokens for one in result.messages] == [0, 6]
    assert result.messages[1].content == "y\n[Error: MessageAbortedError: The operation was aborted.]"


@pytest.mark.parametrize(
    "title", ["New session - 2026-03-22T10:00:00.000Z", "Child session - 2026-03-22T10:00:00.000Z", "", None, 7]
)
def test_placeholders_are_no_titles(title: Any, tmp_path: pathlib.Path) -> None:
    assert imported(tmp_path, user(1, said("x")), title=title).sessions[0].display_name == ""
    assert imported(tmp_path, user(1, said("x")), title="New session - a plan").sessions[0].display_name


def test_a_fork_has_what_it_copied_under_the_same_keys(tmp_path: pathlib.Path) -> None:
    """It gives copies new ids and leaves their times."""
    talk = [user(1, said("x")), assistant(2, said("y"), output=4)]
    original = imported(tmp_path, *talk)
    times = {"created": START + 60_000, "updated": START + 99_000}
    fork = imported(tmp_path, *talk, user(70, said("z")), id="ses_fork", title="Winding (fork #1)", time=times)
    assert [one.source_id for one in fork.messages][:2] == [one.source_id for one in original.messages]
    assert len({one.source_id for one in fork.messages}) == 3
    (own,) = fork.sessions
    assert (own.relationship_type, own.parent_session_id) == ("fork", "")
    assert own.started_at is not None
    assert own.started_at.timestamp() * 1000 == START + 60_000
    assert fork.messages[0].timestamp == original.messages[0].timestamp


def test_an_undo_that_may_still_be_taken_back_hides_nothing(tmp_path: pathlib.Path) -> None:
    result = imported(tmp_path, user(1, said("x")), user(2, said("y")), revert={"messageID": "msg_0002"})
    assert [message.content for message in result.messages] == ["x", "y"]


def test_messages_of_version_2(tmp_path: pathlib.Path) -> None:
    connection = write_database(tmp_path / "opencode.db", export(user(1, said("old")), user(2, said("old"))))
    connection.executescript(CURRENT)
    tokens = {"input": 7, "output": 2, "reasoning": 3, "cache": {"read": 1, "write": 0}}
    done = {"status": "completed", "input": {"command": "ls"}, "content": [said("a.txt")], "structured": {"exit": 0}}
    failed = {"status": "error", "input": {}, "content": [], "structured": {}, "error": {"message": "no"}}
    asked = {"status": "completed", "input": {}, "content": [], "structured": {"sessionID": "ses_1"}}
    content = [
        {"type": "reasoning", "text": "hm"},
        said("see"),
        *(
            {"type": "tool", "id": str(n), "name": "bash", "state": state}
            for n, state in enumerate([done, failed, asked])
        ),
        {"type": "tool", "id": "3", "name": "bash", "state": {"status": "streaming", "input": '{"comm'}},
    ]
    insert_current(
        connection,
        info(forkSessionID="ses_0"),
        ("user", _at(1) | {"text": "new", "files": [{"name": "a.png", "uri": "data:"}]}),
        ("agent-switched", _at(2) | {"agent": "plan"}),
        ("assistant", _at(3) | {"model": {"id": "gpt-5", "providerID": "o"}, "content": content, "tokens": tokens}),
        ("shell", _at(4) | {"shell": {"command": "ls"}, "output": {"output": "a.txt"}}),
        ("synthetic", _at(5) | {"text": "a note"}),
        ("compaction", _at(6) | {"summary": "so far", "status": "completed", "tokens": tokens}),
    )
    (result,) = read(tmp_path)
    assert result.skipped_records == {"message/mark": 1}
    assert [(one.role, one.content) for one in result.messages] == [
        ("user", "new\n[File: a.png]"),
        ("assistant", "[Thinking]\nhm\n[/Thinking]\nsee\n[Bash]\n$ ls\n[Tool: bash]\n[Tool: bash]\n[Tool: bash]"),
        ("system", "! ls\na.txt"),
        ("system", "a note"),
        ("system", "so far"),
    ]
    assert [one.output_tokens for one in result.messages] == [0, 5, 0, 0, 5]
    assert result.messages[1].model == "gpt-5"
    assert [(one.result_content, one.is_error) for one in result.tool_calls] == [
        ("a.txt", False),
        ("no", True),
        ("", False),
        ("", False),
    ]
    assert result.tool_calls[2].subagent_session_id == "opencode:ses_1"
    assert result.tool_calls[3].result_content_length is None
    (own,) = result.sessions
    assert (own.relationship_type, own.parent_session_id) == ("fork", "opencode:ses_0")
    _only_the_old(connection, tmp_path)


def _only_the_old(connection: sqlite3.Connection, tmp_path: pathlib.Path) -> None:
    """A session that the migration has not reached."""
    connection.execute("DELETE FROM session_message")
    connection.commit()
    (result,) = read(tmp_path)
    assert [message.content for message in result.messages] == ["old", "old"]


def _at(second: int) -> dict[str, Any]:
    return {"time": {"created": START + second * 1000}}
