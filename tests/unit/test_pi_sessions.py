"""Pi's sessions, and those of its kin: who speaks, what was called, what a fork has of its parent."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from agentstore.importers import ImportResult, StaleStateError, import_tree, importer_of
from agentstore.importers.importer import Home, Options
from agentstore.importers.pi.importer import Pi
from tests.unit.pi_lines import (
    ID,
    NAME,
    assistant,
    at,
    call,
    data,
    entry,
    header,
    message,
    read,
    result,
    said,
    user,
    write,
)


def imported(tmp_path: pathlib.Path, *records: Any) -> ImportResult:
    (whole,) = read(write(tmp_path / ".pi" / "agent" / "sessions" / "--home-ada-clock--" / NAME, *records))
    assert whole.problems == []
    assert whole.unknown_records == {}
    return whole


def test_a_session(tmp_path: pathlib.Path) -> None:
    whole = imported(
        tmp_path,
        header(),
        entry("model_change", 1, provider="anthropic", modelId="claude-w"),
        user(2, said("wind it"), {"type": "image", "mimeType": "image/png", "data": "AAAA"}),
        assistant(3, {"type": "thinking", "thinking": "hm"}, said("ok"), call("t", command="git commit"), output=9),
        result("t", 4, "[main 1a2b3c4] x"),
        assistant(5, call("u", "read", path="/a"), output=2, model=None, stopReason="aborted"),
        result("v", 6, "an orphan"),
        entry("session_info", 7, name="First"),
        entry("session_info", 8, name="Winding"),
        entry("thinking_level_change", 9),
        entry("label", 10, targetId="x", label="y"),
    )
    (own,) = whole.sessions
    assert (own.id, own.agent_type, own.display_name) == (f"pi:{ID}", "pi", "Winding")
    assert (own.project_name, own.project_path) == ("clock", "/home/ada/clock")
    assert (own.message_count, own.user_message_count, own.first_message) == (3, 1, "wind it [Image: image/png]")
    assert (own.total_output_tokens, own.peak_context_tokens, own.source_created_at) == (11, 60, at(0))
    assert [(one.role, one.model, one.has_thinking) for one in whole.messages] == [
        ("user", "", False),
        ("assistant", "claude-x", True),
        ("assistant", "claude-x", False),
    ]
    assert whole.messages[1].content == "[Thinking]\nhm\n[/Thinking]\nok\n[Bash]\n$ git commit"
    assert whole.messages[2].content == "[Read: /a]\n[Error: aborted]"
    first = whole.messages[1]
    assert (first.input_tokens, first.cache_read_tokens, first.cache_write_tokens, first.output_tokens) == (3, 50, 7, 9)
    assert '"cacheRead":50' in first.token_usage
    assert [(one.result_content, one.result_content_length) for one in whole.tool_calls] == [
        ("[main 1a2b3c4] x", 16),
        ("", None),
    ]
    assert [(link.commit_sha, link.confidence) for link in whole.git_links] == [("1a2b3c4", "high")]
    assert whole.skipped_records == {
        "model_change": 1,
        "tool_result/orphan": 1,
        "session_info": 2,
        "thinking_level_change": 1,
        "label": 1,
    }


@pytest.mark.parametrize(
    ("record", "role", "content"),
    [
        (user(1, said("x")), "user", "x"),
        (message("user", 1, "a text"), "user", "a text"),
        (message("user", 1, "by the program", synthetic=True), "system", "by the program"),
        (message("user", 1, "a task", attribution="agent"), "system", "a task"),
        (message("assistant", 1, "a text"), "assistant", "a text"),
        (message("bashExecution", 1, None, command="ls", output="a.txt"), "system", "! ls\na.txt"),
        (message("pythonExecution", 1, None, code="1+1", output="2"), "system", "! 1+1\n2"),
        (message("custom", 1, "hint", customType="x"), "system", "hint"),
        (message("hookMessage", 1, [said("hint")], customType="x"), "system", "hint"),
        (message("custom", 1, "body", customType="skill-prompt", attribution="user"), "user", "body"),
        (message("developer", 1, "rules"), "system", "rules"),
        (entry("custom_message", 1, customType="x", content="hint", display=True), "system", "hint"),
        (entry("compaction", 1, summary="so far", firstKeptEntryId="x"), "system", "so far"),
        (entry("branch_summary", 1, summary="the other way", fromId="x"), "system", "the other way"),
    ],
)
def test_who_speaks(record: dict[str, Any], role: str, content: str, tmp_path: pathlib.Path) -> None:
    whole = imported(tmp_path, header(), record)
    assert [(one.role, one.content) for one in whole.messages] == [(role, content)]
    assert whole.sessions[0].user_message_count == (role == "user")


def test_a_block_whose_type_is_no_text(tmp_path: pathlib.Path) -> None:
    said_so = assistant(1, {"type": ["text"], "text": "no"}, {"type": {}}, said("yes"))
    path = write(tmp_path / ".pi" / "agent" / "sessions" / "--home-ada-clock--" / NAME, header(), said_so)
    (whole,) = read(path)
    assert [row.content for row in whole.messages] == ["yes"]
    assert whole.unknown_records == {"block/(no type)": 2}


def test_all_branches_are_read_in_the_order_of_the_file(tmp_path: pathlib.Path) -> None:
    other = user(3, said("otherwise")) | {"parentId": None}
    whole = imported(tmp_path, header(), user(1, said("one way")), assistant(2, said("a")), other)
    assert [one.content for one in whole.messages] == ["one way", "a", "otherwise"]


@pytest.mark.parametrize("parent", [f"/home/ada/.pi/agent/sessions/x/{NAME}", f"C:\\x\\{NAME}", ID])
def test_a_fork_has_its_parents_messages_under_the_same_keys(parent: str, tmp_path: pathlib.Path) -> None:
    talk = [user(1, said("x")), assistant(2, said("y"), output=4)]
    original = imported(tmp_path, header(), *talk)
    fork = imported(tmp_path, header(30, id="other", parentSession=parent), *talk, user(31, said("z")))
    assert [one.source_id for one in fork.messages[:2]] == [one.source_id for one in original.messages]
    (own,) = fork.sessions
    assert (own.relationship_type, own.parent_session_id) == ("fork", f"pi:{ID}")
    assert own.source_created_at == at(30)
    later = imported(tmp_path, header(30, id="other", parentSession=parent), user(31, said("z")))
    assert later.sessions[0].relationship_type == "continuation"


def test_version_1_has_no_ids(tmp_path: pathlib.Path) -> None:
    records = [header(id=None, version=None), user(1, said("x")), assistant(2, said("y"), output=3)]
    for record in records:
        record.pop("id", None)
    whole = imported(tmp_path, *records)
    assert whole.sessions[0].id == f"pi:{pathlib.PurePath(NAME).stem}"
    assert len({one.source_id for one in whole.messages}) == 2
    assert all(one.source_id.startswith("pi:1772438") for one in whole.messages)


def test_kin_have_names_of_their_own(tmp_path: pathlib.Path) -> None:
    slot = {"type": "title", "v": 1, "title": "In the slot", "pad": "   "}
    asked = tmp_path / ".omp" / "agent" / "sessions" / "p" / NAME
    write(asked, slot, header(title="In the header"), user(1, said("x")), entry("session_info", 2, name="Named"))
    write(asked.with_suffix("") / "0-Scout.jsonl", header(id="child"), user(3, said("look"), attribution="agent"))
    write(tmp_path / ".openclaw" / "agents" / "main" / "sessions" / "s.jsonl", header(id="claw"), user(1, said("x")))
    results = list(import_tree(tmp_path, importers=(Pi(),)))
    sessions = {one.id: one for result in results for one in result.sessions}
    assert {id: one.agent_type for id, one in sessions.items()} == {
        f"omp:{ID}": "omp",
        "omp:child": "omp",
        "openclaw:main:claw": "openclaw",
    }
    assert sessions[f"omp:{ID}"].display_name == "In the slot"
    child = sessions["omp:child"]
    assert (child.parent_session_id, child.relationship_type) == (f"omp:{ID}", "subagent")
    assert child.display_name == "0-Scout"
    ids = [one.id for result in results for one in result.sessions]
    assert ids.index("omp:child") < ids.index(f"omp:{ID}")


def test_of_copies_the_longest_is_imported(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "a" / NAME, header(), user(1, said("x")))
    write(tmp_path / "b" / NAME, header(), user(1, said("x")), user(2, said("y")))
    first, second = import_tree(tmp_path, importers=(Pi(),))
    assert first.skipped_records == {"file/held by another": 1}
    assert second.sessions[0].message_count == 2


def test_only_its_files_are_detected(tmp_path: pathlib.Path) -> None:
    slot = {"type": "title", "title": "t"}
    good: list[list[Any]] = [[header()], [slot, header()], [header(id=None)]]
    for number, records in enumerate(good):
        assert isinstance(importer_of(write(tmp_path / f"{number}.jsonl", *records)), Pi)
    bad: list[list[Any]] = [[slot], [{"type": "session"}], [user(1, said("x"))], [7], []]
    for number, records in enumerate(bad):
        assert importer_of(write(tmp_path / f"no{number}.jsonl", *records)) is None
    assert importer_of(write(tmp_path / "x.json", header())) is None


def test_places() -> None:
    environ = {"PI_CODING_AGENT_DIR": "/pi"}
    places = [str(place) for place in Pi().places(Home(pathlib.PurePosixPath("/home/ada"), "linux", environ))]
    assert places[:2] == ["/pi/sessions", "/home/ada/.omp/agent/sessions"]


def test_whose_it_is_and_where_it_comes_from(tmp_path: pathlib.Path) -> None:
    call_, answer = call("t", command="git remote -v"), "origin\tgit@github.com:ada/watch.git (fetch)"
    path = write(tmp_path / NAME, header(), user(0, said("x")), assistant(1, call_), result("t", 2, answer))
    (whole,) = Pi().survey([path], Options(user_id="ada", user_name="Ada", machine="m")).read(path)
    (own,) = whole.sessions
    assert (own.user_id, own.user_name, own.machine, own.project_name) == ("ada", "Ada", "m", "watch")


def test_a_file_that_was_written_again_is_told(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / NAME, header(), user(1, said("x")))
    (whole,) = read(path)
    path.write_bytes(data(header(id="other"), user(1, said("x")), user(2, said("x"))))
    with pytest.raises(StaleStateError):
        read(path, whole.state)
