"""agentsview's database: the sessions of all agents under the ids that our own importers give."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import msgspec
import pytest

from agentstore.importers import ImportResult, StaleStateError, import_claude_code, import_tree, importer_of
from agentstore.importers.agentsview.importer import AgentsView
from agentstore.importers.importer import Home, Options
from agentstore.importers.opencode.importer import OpenCode
from agentstore.importers.pi.importer import Pi
from tests.unit import importer_lines as claude
from tests.unit import opencode_files as opencode
from tests.unit import pi_lines as pi
from tests.unit.agentsview_files import THEN, Archive, at
from tests.unit.databases import opened
from tests.unit.importer_lines import SESSION
from tests.unit.importer_rows import kept

BRANCH = f"{SESSION}-1a2b3c4d-2b64-4e0a-8f35-6a1b2c3d4e5f"
USAGE = json.dumps(
    {"input_tokens": 3, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 7, "output_tokens": 9}
)


@pytest.fixture
def archive(tmp_path: pathlib.Path) -> Archive:
    return Archive(tmp_path / "sessions.db")


def known_by(result: ImportResult) -> list[tuple[str, str, int]]:
    return [(message.role, message.source_id, message.output_tokens) for message in result.messages]


def test_a_session_of_claude_code_is_the_one_of_its_file(archive: Archive) -> None:
    native = import_claude_code(
        claude.data(
            claude.user("fix it", 0),
            claude.assistant(claude.said("ok"), claude.use("t1", command="git commit"), second=1, output=9),
            claude.result("t1", "[main 1a2b3c4] x", 2),
            claude.assistant(claude.use("t2", "Task", prompt="x"), id="msg_2", second=3, output=4),
            claude.result("t2", "done", 4, toolUseResult={"agentId": "a1"}),
        ),
        file=claude.FILE,
    )
    dates = {"started_at": at(0), "ended_at": at(4), "cwd": "/home/ada/clock", "git_branch": "main"}
    archive.session(SESSION, session_name="A title", **dates)
    archive.message(SESSION, "user", "fix it", timestamp=at(0), source_uuid="user-0")
    one = {"model": "claude-x", "token_usage": USAGE, "output_tokens": 9, "context_tokens": 60}
    said = archive.message(
        SESSION,
        "assistant",
        "ok\n[Bash]\n$ git commit",
        timestamp=at(1),
        claude_message_id="msg_1",
        source_uuid="l",
        **one,
    )
    archive.call(SESSION, said, "Bash", {"command": "git commit"}, tool_use_id="t1", result_content="[main 1a2b3c4] x")
    two = {"model": "claude-x", "token_usage": USAGE.replace("9}", "4}"), "claude_message_id": "msg_2"}
    asked = archive.message(SESSION, "assistant", "[Task: x]", timestamp=at(3), source_uuid="m", **two)
    ended = {"result_content": "done", "subagent_session_id": "agent-a1"}
    archive.call(SESSION, asked, "Task", {"prompt": "x"}, tool_use_id="t2", **ended)
    copy = archive.sessions()[SESSION]
    assert [message.content for message in copy.messages] == [message.content for message in native.messages]
    assert [msgspec.structs.replace(one, content="") for one in copy.messages] == [
        msgspec.structs.replace(one, content="", token_usage=same.token_usage)
        for one, same in zip(native.messages, copy.messages, strict=True)
    ]
    assert copy.tool_calls == native.tool_calls
    assert [msgspec.structs.replace(link, detected_at=None) for link in copy.git_links] == [
        msgspec.structs.replace(link, detected_at=None) for link in native.git_links
    ]
    assert copy.sessions == [
        msgspec.structs.replace(native.sessions[0], display_name="A title", copied_by="agentsview")
    ]


def test_ids_are_those_of_our_own_importers(archive: Archive) -> None:
    ids = {
        SESSION: ("claude", "", "", SESSION),
        "agent-a1": ("claude", SESSION, "subagent", f"{SESSION}:agent-a1"),
        "agent-a2": ("claude", "agent-a1", "subagent", f"{SESSION}:agent-a2"),
        "agent-a3": ("claude", SESSION, "", f"{SESSION}:agent-a3"),
        "agent-lost": ("claude", "", "subagent", "agent-lost"),
        "codex:u1": ("codex", "", "", "codex:u1"),
        "codex:u2": ("codex", "codex:u1", "subagent", "codex:u2"),
        "opencode:ses_1": ("opencode", "opencode:ses_0", "", "opencode:ses_1"),
        "qwen:u3": ("qwen", "", "", "u3"),
        "iflow:u4": ("iflow", "", "", "session-u4"),
        "laptop~gemini:u5": ("gemini", "", "", "gemini:u5"),
        "laptop~u6": ("claude", "", "", "u6"),
        "laptop~agent-b1": ("claude", "laptop~u6", "subagent", "u6:agent-b1"),
        "vibe:u7": ("vibe", "vibe:u8", "continuation", "vibe:u7"),
    }
    for id, (agent, parent, relationship, _) in ids.items():
        host = "laptop" if id.startswith("laptop") else "local"
        archive.session(id, agent, parent_session_id=parent or None, relationship_type=relationship, machine=host)
        archive.message(id, "user", "x")
    found = archive.sessions(Options(machine="here"))
    assert set(found) == {native for *_, native in ids.values()}
    rows = {id: one.sessions[0] for id, one in found.items()}
    assert {row.agent_type for row in rows.values()} == {
        "claude-code", "codex", "opencode", "qwen-code", "iflow", "gemini", "vibe",
    }  # fmt: skip
    parents = {id: (row.parent_session_id, row.relationship_type) for id, row in rows.items() if row.parent_session_id}
    assert parents == {
        **{f"{SESSION}:agent-a{number}": (SESSION, "subagent") for number in (1, 2, 3)},
        "codex:u2": ("codex:u1", "subagent"),
        "opencode:ses_1": ("opencode:ses_0", "subagent"),
        "u6:agent-b1": ("u6", "subagent"),
        "vibe:u7": ("vibe:u8", "continuation"),
    }
    assert {id for id, row in rows.items() if row.machine == "laptop"} == {"gemini:u5", "u6", "u6:agent-b1"}
    assert {row.machine for row in rows.values()} == {"laptop", "here"}
    assert list(rows).index(f"{SESSION}:agent-a1") < list(rows).index(SESSION)


def test_branches_are_in_the_session_that_they_are_of(archive: Archive) -> None:
    archive.session(SESSION)
    archive.session(BRANCH, parent_session_id=SESSION, relationship_type="fork")
    archive.session("agent-a1", parent_session_id=BRANCH, relationship_type="subagent")
    archive.message(SESSION, "user", "one", timestamp=at(1), source_uuid="1")
    archive.message(SESSION, "user", "four", timestamp=at(4), source_uuid="4")
    archive.message(BRANCH, "user", "two", timestamp=at(2), source_uuid="2")
    said = archive.message(BRANCH, "assistant", "three", timestamp=at(3), claude_message_id="3")
    archive.call(BRANCH, said, "Bash", {}, tool_use_id="t", result_content="x")
    archive.message("agent-a1", "user", "look", timestamp=at(3))
    found = archive.sessions()
    assert set(found) == {SESSION, f"{SESSION}:agent-a1"}
    assert [message.content for message in found[SESSION].messages] == ["one", "two", "three", "four"]
    assert [(one.message_ordinal, one.result_content) for one in found[SESSION].tool_calls] == [(2, "x")]
    assert found[SESSION].sessions[0].relationship_type == ""


def test_of_several_files_of_one_session_the_longest_counts(archive: Archive) -> None:
    id = "gemini:f7633853-6663-4dbb-bbf4-6159afa29df8"
    for suffix, count in (("", 1), ("_alt-43cc926f16af90fe", 3), ("_alt-b08be2ae18583768", 2)):
        parent = {"parent_session_id": id, "relationship_type": "continuation"} if suffix else {}
        archive.session(id + suffix, "gemini", message_count=count, cwd="/home/ada/clock", **parent)
        for number in range(count):
            archive.message(id + suffix, "user", f"{number} of {count}")
    found = archive.sessions()
    assert {key: [one.content for one in result.messages] for key, result in found.items()} == {
        id: ["0 of 3", "1 of 3", "2 of 3"]
    }
    assert (found[id].sessions[0].parent_session_id, found[id].sessions[0].relationship_type) == ("", "")
    assert archive.read()[-1].skipped_records == {"session/alternate": 2}


def test_what_was_written_again_counts_once(archive: Archive) -> None:
    archive.session(SESSION)
    for number in range(2):
        archive.message(SESSION, "user", "x", timestamp=at(1), source_uuid=f"new-{number}")
        row = {"claude_message_id": "m", "token_usage": USAGE if number else USAGE.replace("9}", "1}")}
        said = archive.message(SESSION, "assistant", "[Bash]\n$ ls", timestamp=at(2), **row)
        archive.call(SESSION, said, "Bash", {"command": "ls"}, tool_use_id="t")
    result = archive.sessions()[SESSION]
    assert known_by(result) == [("user", "new-0", 0), ("assistant", "m", 9)]
    assert result.messages[1].content == "[Bash]\n$ ls"
    assert len(result.tool_calls) == 1


def test_who_speaks_and_thinks(archive: Archive) -> None:
    archive.session("codex:s", "codex")
    archive.message("codex:s", "user", "a reminder", is_system=1)
    archive.message("codex:s", "user", "typed")
    archive.message("codex:s", "assistant", "a summary", is_system=1, is_compact_boundary=1)
    archive.message("codex:s", "assistant", "said", thinking_text="hm")
    archive.message("codex:s", "assistant", "[Thinking]\nho\n[/Thinking]\nx", thinking_text="ho", has_thinking=1)
    archive.message("codex:s", "tool", "a result")
    archive.message("codex:s", "user", "inside", is_sidechain=1)
    archive.message("codex:s", "assistant", " ")
    result = archive.sessions()["codex:s"]
    assert [(one.role, one.content, one.has_thinking) for one in result.messages] == [
        ("system", "a reminder", False),
        ("user", "typed", False),
        ("system", "a summary", False),
        ("assistant", "[Thinking]\nhm\n[/Thinking]\nsaid", True),
        ("assistant", "[Thinking]\nho\n[/Thinking]\nx", True),
        ("system", "a result", False),
        ("system", "inside", False),
    ]
    assert (result.sessions[0].first_message, result.sessions[0].user_message_count) == ("typed", 1)
    assert result.skipped_records == {"message/empty": 1}


def test_commands_of_the_program_are_no_prompts(archive: Archive) -> None:
    archive.session(SESSION, machine="0123456789abcdef0123456789abcdef")
    for content in (
        "/clear",
        "/model opus",
        "/review all",
        "<task-notification>x</task-notification>",
        "/not a path/x",
    ):
        archive.message(SESSION, "user", content)
    result = archive.sessions()[SESSION]
    assert [one.role for one in result.messages] == ["system", "system", "user", "system", "user"]
    assert (result.sessions[0].first_message, result.sessions[0].machine) == ("/review all", "")


def test_repositories_that_it_looked_up(archive: Archive) -> None:
    archive.connection.execute("CREATE TABLE project_identity_observations (root_path TEXT, git_remote TEXT)")
    url = "https://x:secret@github.com/ada/watch.git"
    archive.connection.execute("INSERT INTO project_identity_observations VALUES ('/home/ada/clock', ?)", (url,))
    archive.session(SESSION, cwd="/home/ada/clock")
    archive.message(SESSION, "user", "x")
    assert archive.sessions()[SESSION].sessions[0].project_name == "watch"


def test_results_in_all_their_forms(archive: Archive) -> None:
    archive.session("codex:s", "codex")
    said = archive.message("codex:s", "assistant", "x")
    forms: list[dict[str, Any]] = [
        {"result_content": "a text", "result_content_length": 6},
        {"result_content_length": 1234},  # left out
        {},
        {"input_json": "no object"},
        {"input_json": '{"a":1}'},
        {"result_content": "<tool_use_error>no</tool_use_error>"},
        {"result_content": "(no output)\n\nCommand exited with code 3"},
        {},
        {},
    ]
    for number, fields in enumerate(forms):
        archive.call("codex:s", said, "shell", tool_use_id=f"t{number}", call_index=number, **fields)
    archive.event("codex:s", 0, "begun", call_index=2, status="running")
    archive.event("codex:s", 0, "ended", call_index=2, status="completed", event_index=1)
    archive.event("codex:s", 0, "one", call_index=3, agent_id="a", status="completed", subagent_session_id="codex:c")
    archive.event("codex:s", 0, "two", call_index=3, agent_id="b", status="errored")
    archive.event("codex:s", 0, "", call_index=4, status="completed")
    archive.event("codex:s", 0, "", call_index=8, status="started")
    calls = archive.sessions()["codex:s"].tool_calls
    assert [(one.result_content, one.result_content_length, one.is_error) for one in calls] == [
        ("a text", 6, False),
        ("", 1234, False),
        ("ended", 5, False),
        ("a:\none\n\nb:\ntwo", 14, True),
        ("", 0, False),
        ("<tool_use_error>no</tool_use_error>", 35, True),
        ("(no output)\n\nCommand exited with code 3", 39, True),
        ("", None, False),
        ("", None, False),
    ]
    assert [one.input_json for one in calls[2:5]] == ["{}", '"no object"', '{"a":1}']
    assert calls[3].subagent_session_id == "codex:c"


def test_tokens(archive: Archive) -> None:
    archive.session("gemini:s", "gemini")
    inside = '{"input_tokens":100,"cache_read_input_tokens":60,"output_tokens":5}'
    archive.message("gemini:s", "assistant", "x", token_usage=inside)
    archive.session(SESSION)
    sums = '{"input_tokens":1,"cache_creation_input_tokens":null,"cache_creation":{"a":2,"b":3},"output_tokens":4}'
    archive.message(SESSION, "assistant", "x", token_usage=sums)
    archive.message(SESSION, "assistant", "y", context_tokens=70, output_tokens=8)
    archive.session("copilot:s", "copilot")
    archive.message("copilot:s", "assistant", "x")
    archive.message("copilot:s", "assistant", "y")
    archive.message("copilot:s", "user", "z")
    spent = {"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4}
    archive.usage("copilot:s", model="gpt", message_ordinal=0, **spent)
    found = archive.sessions()
    assert [(one.input_tokens, one.cache_read_tokens) for one in found["gemini:s"].messages] == [(40, 60)]
    assert [(one.cache_write_tokens, one.context_tokens, one.output_tokens) for one in found[SESSION].messages] == [
        (5, 6, 4),
        (0, 70, 8),
    ]
    assert [one.output_tokens for one in found["copilot:s"].messages] == [2, 0, 0]
    archive.connection.execute("UPDATE usage_events SET message_ordinal = NULL")
    archive.usage("copilot:s", model="gpt", **spent)
    archive.connection.commit()
    (first, last, _) = archive.sessions()["copilot:s"].messages
    assert (first.output_tokens, last.output_tokens, last.context_tokens, last.model) == (0, 4, 34, "gpt")


def test_messages_of_pi_and_opencode_have_the_keys_of_their_files(archive: Archive, tmp_path: pathlib.Path) -> None:
    path = pi.write(tmp_path / pi.NAME, pi.header(), pi.user(1, pi.said("x")), pi.assistant(2, pi.said("y"), output=9))
    (native,) = import_tree(path, importers=(Pi(),))
    archive.session(f"pi:{pi.ID}", "pi")
    archive.message(f"pi:{pi.ID}", "user", "x", timestamp=pi.at(1), source_uuid=f"{1:08x}")
    archive.message(f"pi:{pi.ID}", "assistant", "y", timestamp=pi.at(2), source_uuid=f"{2:08x}", token_usage=USAGE)
    assert known_by(archive.sessions()[f"pi:{pi.ID}"]) == known_by(native)
    talk = opencode.export(opencode.user(1, opencode.said("x")), opencode.assistant(2, opencode.said("y"), output=9))
    (exported,) = import_tree(opencode.write_export(tmp_path / "x.json", talk), importers=(OpenCode(),))
    id = exported.sessions[0].id
    archive.session(id, "opencode")
    times = [message.timestamp.isoformat() for message in exported.messages if message.timestamp]
    archive.message(id, "user", "x\nCalled the Read tool", timestamp=times[0])
    spent = {"input_tokens": 7, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50, "output_tokens": 9}
    archive.message(id, "assistant", "y", timestamp=times[1], model="gpt-5", token_usage=json.dumps(spent))
    assert known_by(archive.sessions()[id]) == known_by(exported)


def test_a_fork_begins_with_itself(archive: Archive) -> None:
    archive.session("opencode:ses_f", "opencode", started_at=at(9), ended_at=at(20))
    archive.message("opencode:ses_f", "user", "old", timestamp=at(1))
    archive.message("opencode:ses_f", "user", "new", timestamp=at(10))
    (own,) = archive.sessions()["opencode:ses_f"].sessions
    assert (own.relationship_type, own.source_created_at) == ("fork", at(9))
    assert own.started_at is not None
    assert own.started_at.second == 9


def test_what_a_person_threw_away_stays_away(archive: Archive) -> None:
    for id, fields in {
        "a": {"deleted_at": at(1)},
        "b": {"deleted_at": at(1), "deletion_cause": "source_missing"},
        SESSION: {"deleted_at": at(1)},
        BRANCH: {"parent_session_id": SESSION, "relationship_type": "fork"},
    }.items():
        archive.session(id, **fields)
        archive.message(id, "user", "x")
    assert set(archive.sessions()) == {"b"}


def test_the_first_release(tmp_path: pathlib.Path) -> None:
    archive = Archive(tmp_path / "sessions.db", THEN)
    archive.session(SESSION, started_at=at(0))
    archive.session("agent-a1", parent_session_id=SESSION)
    archive.session("codex:c", "codex", project="unknown")
    for id in (SESSION, "agent-a1", "codex:c"):
        archive.message(id, "user", "x", timestamp=at(1))
        archive.call(id, archive.message(id, "assistant", "[Bash]\n$ ls", timestamp=at(2)), "Bash")
    found = archive.sessions()
    assert {id: (len(one.messages), len(one.tool_calls)) for id, one in found.items()} == {
        SESSION: (2, 1),
        f"{SESSION}:agent-a1": (2, 1),
        "codex:c": (2, 1),
    }
    assert found[SESSION].sessions[0].project_name == "clock"
    assert found[SESSION].sessions[0].project_id
    assert found["codex:c"].sessions[0].project_id == ""
    assert {one.result_content_length for result in found.values() for one in result.tool_calls} == {None}


def test_only_sessions_that_have_changed_are_read_again(archive: Archive) -> None:
    for id in (SESSION, "codex:c"):
        archive.session(id)
        archive.call(id, archive.message(id, "assistant", "x"), "Bash", tool_use_id="t")
    *results, last = archive.read()
    assert len(results) == 2
    state = kept(last.state)
    for statement in (
        "INSERT INTO messages (session_id, ordinal, role, content) VALUES ('codex:c', 9, 'user', 'more')",
        "UPDATE tool_calls SET result_content = 'x', result_content_length = 1 WHERE session_id = 'codex:c'",
        "UPDATE sessions SET display_name = 'x' WHERE id = 'codex:c'",
        "DELETE FROM messages WHERE session_id = 'codex:c'",
    ):
        assert [result.file for result in archive.read(state)] == [str(archive.path)]
        archive.connection.execute(statement)
        archive.connection.commit()
        *results, last = archive.read(state)
        assert [result.file for result in results] == [f"{archive.path}#codex:c"]
        state = kept(last.state)
    with pytest.raises(StaleStateError):
        archive.read(msgspec.structs.replace(state, memory=b"x"))


def test_only_its_databases_are_detected(tmp_path: pathlib.Path) -> None:
    Archive(tmp_path / "sessions.db").connection.close()
    Archive(tmp_path / "old.sqlite", THEN).connection.close()
    assert isinstance(importer_of(tmp_path / "sessions.db"), AgentsView)
    assert isinstance(importer_of(tmp_path / "old.sqlite"), AgentsView)
    (tmp_path / "goose").mkdir()
    others = opened(tmp_path / "goose" / "sessions.db")
    others.executescript("CREATE TABLE sessions (id TEXT, description TEXT); CREATE TABLE messages (id INTEGER)")
    others.close()
    assert importer_of(tmp_path / "goose" / "sessions.db") is None


def test_places() -> None:
    home = pathlib.PurePosixPath("/home/ada")
    assert AgentsView().places(Home(home, "linux")) == [home / ".agentsview" / "sessions.db"]
    moved = Home(home, "linux", {"AGENTSVIEW_DATA_DIR": "/data"})
    assert AgentsView().places(moved) == [pathlib.PurePosixPath("/data/sessions.db")]
