"""OpenCode's three shapes of one session give the same rows, and of several files that have it one is imported."""

from __future__ import annotations

import csv
import json
import os
import pathlib
from typing import Any

import pytest
from msgspec.structs import replace

from agentstore.importers import ImportResult, import_tree
from agentstore.importers.importer import Home, Options
from agentstore.importers.opencode.importer import OpenCode
from agentstore.importers.registry import importer_of
from tests.unit.opencode_files import (
    SESSION,
    START,
    assistant,
    call,
    export,
    read,
    said,
    user,
    write_database,
    write_export,
    write_tree,
)

ROOT = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)
TALK = [
    user(1, said("wind it"), said("Called the Read tool", synthetic=True)),
    assistant(2, {"type": "reasoning", "text": "hm"}, said("ok"), call("c1", "bash", {"command": "ls"}), output=9),
    user(8, said("and now?")),
    assistant(9, said("wound"), output=2),
]


def rows(result: ImportResult) -> ImportResult:
    """The rows of a result, whichever file they come from."""
    return replace(result, file="", state=None)


def real() -> list[dict[str, str]]:
    if not (ROOT / "MANIFEST.tsv").exists():
        return []
    with (ROOT / "MANIFEST.tsv").open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file, delimiter="\t") if row["agent"] == "opencode"]
    return [row for row in found if "/export/" in row["file"]]


def test_three_shapes_of_one_session(tmp_path: pathlib.Path) -> None:
    session = export(*TALK)
    write_export(tmp_path / "a" / "x.json", session)
    write_tree(tmp_path / "b", session)
    write_database(tmp_path / "opencode.db", session)
    (exported,), (tree,), (database,) = read(tmp_path / "a"), read(tmp_path / "b"), read(tmp_path / "opencode.db")
    assert rows(exported) == rows(tree) == rows(database)
    assert database.file.endswith(f"opencode.db#{SESSION}")
    (row,) = exported.sessions
    assert (row.id, row.agent_type, row.display_name) == (f"opencode:{SESSION}", "opencode", "Winding")
    assert (row.message_count, row.user_message_count, row.first_message) == (4, 2, "wind it")
    assert (row.total_output_tokens, row.peak_context_tokens) == (11, 157)
    assert (row.project_name, row.project_path) == ("clock", "/home/ada/clock")
    assert row.ended_at is not None
    assert row.ended_at.timestamp() * 1000 == START + 90_000


@pytest.mark.parametrize("row", real(), ids=lambda row: pathlib.PurePath(str(row["file"])).name)
def test_real_exports_in_all_shapes(row: dict[str, str], tmp_path: pathlib.Path) -> None:
    (exported,) = read(ROOT / row["file"])
    session = json.loads((ROOT / row["file"]).read_bytes())
    write_tree(tmp_path / "tree", session)
    write_database(tmp_path / "opencode.db", session)
    assert rows(exported) == rows(read(tmp_path / "tree")[0]) == rows(read(tmp_path / "opencode.db")[0])
    (own,) = exported.sessions
    assert own.user_message_count == int(row["user_messages"])
    assert len(exported.tool_calls) == int(row["tool_calls"])
    assert sum(one.result_content_length is not None for one in exported.tool_calls) == int(row["pairs_matched"])
    assert own.total_output_tokens == int(row["output_tokens_dedup"])
    assert sum(message.output_tokens for message in exported.messages) == int(row["output_tokens_dedup"])
    assert own.started_at is not None
    assert own.ended_at is not None
    assert own.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z") == row["first_ts"]
    assert own.ended_at.isoformat(timespec="milliseconds").replace("+00:00", "Z") == row["last_ts"]
    keys = [message.source_id for message in exported.messages]
    assert len(set(keys)) == len(keys)


def test_the_real_tree_of_an_older_version() -> None:
    folder = ROOT / "opencode" / "jazzyalex-agent-sessions-fixtures"
    if not folder.exists():
        pytest.skip(f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")
    found = {result.sessions[0].id: result for result in read(folder)}
    assert {id: (len(one.messages), len(one.tool_calls)) for id, one in found.items()} == {
        "opencode:s_stage0_large": (4, 1),
        "opencode:s_stage0_small": (2, 1),
    }


def test_of_several_files_the_newest_is_imported(tmp_path: pathlib.Path) -> None:
    old = export(*TALK[:2], time={"created": START, "updated": START + 1})
    new = export(*TALK, time={"created": START, "updated": START + 9})
    write_tree(tmp_path / "opencode", old)
    write_database(tmp_path / "opencode" / "opencode.db", new).close()
    write_export(tmp_path / "shared.json", new)
    results = list(import_tree(tmp_path, importers=(OpenCode(),)))
    (imported,) = [result for result in results if result.sessions]
    assert imported.file.endswith(f"opencode.db#{SESSION}")
    held = [
        pathlib.PurePath(result.file).name for result in results if "file/held by another" in result.skipped_records
    ]
    assert sorted(held) == [f"{SESSION}.json", "shared.json"]


def test_subagents_come_first_and_name_who_asked(tmp_path: pathlib.Path) -> None:
    task = call("c9", "task", {"description": "look", "prompt": "p"}, output="found", metadata={"sessionId": "ses_1"})
    parent = export(user(1, said("go")), assistant(2, task))
    child = export(
        user(3, said("look around")),
        assistant(4, said("found")),
        id="ses_1",
        parentID=SESSION,
        title="look (@explore subagent)",
        time={"created": START + 2500, "updated": START + 5000},
    )
    for place in (tmp_path / "tree", tmp_path / "database"):
        place.mkdir()
        if place.name == "tree":
            write_tree(place, parent)
            write_tree(place, child)
        else:
            write_database(place / "opencode.db", parent, child).close()
        first, second = read(place)
        (own,), (asked) = first.sessions, second.tool_calls[0]
        assert (own.id, own.parent_session_id, own.relationship_type) == (
            "opencode:ses_1",
            f"opencode:{SESSION}",
            "subagent",
        )
        assert own.display_name == "look (@explore subagent)"
        assert (asked.subagent_session_id, asked.tool_category) == ("opencode:ses_1", "Task")


def test_kin_have_names_of_their_own(tmp_path: pathlib.Path) -> None:
    write_database(tmp_path / "kilo.db", export(*TALK)).close()
    write_tree(tmp_path / "mimocode", export(*TALK))
    (tmp_path / "mimocode" / "storage" / "session").rename(tmp_path / "mimocode" / "storage" / "session_diff")
    assert {result.sessions[0].id: result.sessions[0].agent_type for result in read(tmp_path)} == {
        f"kilo:{SESSION}": "kilo",
        f"mimocode:{SESSION}": "mimocode",
    }


def test_the_oldest_layout(tmp_path: pathlib.Path) -> None:
    session = export(*TALK)
    base = tmp_path / "project" / "home-ada-clock" / "storage" / "session"
    parts = {f"part/{SESSION}/{m['info']['id']}/{p['id']}": p for m in session["messages"] for p in m["parts"]}
    messages = {f"message/{SESSION}/{m['info']['id']}": m["info"] for m in session["messages"]}
    for name, value in {f"info/{SESSION}": session["info"], **messages, **parts}.items():
        path = base / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    write_export(tmp_path / "e" / "x.json", session)
    assert rows(read(tmp_path / "project")[0]) == rows(read(tmp_path / "e")[0])


def test_links_in_a_tree_are_not_followed(tmp_path: pathlib.Path) -> None:
    write_tree(tmp_path / "tree", export(*TALK))
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(said("secret")), encoding="utf-8")
    (tmp_path / "tree/storage/part/msg_0009/prt_0009_9.json").symlink_to(secret)
    evil = export(user(1, said("x")), id="../../message/" + SESSION)
    path = tmp_path / "tree/storage/session/p1/ses_evil.json"
    path.write_text(json.dumps(evil["info"]), encoding="utf-8")
    found = {result.sessions[0].id: result for result in read(tmp_path / "tree")}
    assert set(found) == {f"opencode:{SESSION}"}
    assert "secret" not in str(found)


@pytest.mark.parametrize("name", ["message/s/m.json", "part/m/p.json", "project/p.json", "session_diff/s.json"])
def test_what_belongs_to_a_session_is_none_itself(name: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "storage" / name
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"id": "x", "title": "t", "role": "user"}), encoding="utf-8")
    assert importer_of(path) is None


def test_places() -> None:
    home = Home(pathlib.PurePosixPath("/home/ada"), "linux", {"XDG_DATA_HOME": "/data", "OPENCODE_DB": "/x/my.db"})
    places = [str(place) for place in OpenCode().places(home)]
    assert places[0] == "/x/my.db"
    assert "/data/opencode/opencode.db" in places
    assert "/data/kilo/storage/session" in places
    plain = [str(place) for place in OpenCode().places(Home(pathlib.PurePosixPath("/home/ada"), "macos"))]
    assert "/home/ada/.local/share/opencode/storage/session" in plain


def test_the_directory_and_what_is_said_of_it(tmp_path: pathlib.Path) -> None:
    remote = call("r", "bash", {"command": "git remote -v"}, output="origin\tgit@github.com:ada/watch.git (fetch)\n")
    commit = call("g", "bash", {"command": "git commit -m x"}, output="[main 1a2b3c4] x\n")
    options = Options(user_id="ada", user_name="Ada", machine="m")
    known: list[tuple[dict[str, Any], str]] = [
        ({"directory": "/"}, "/home/ada/project"),
        ({"directory": "/", "projectID": "unknown"}, "/from/message"),
    ]
    for number, (fields, path) in enumerate(known):
        session = export(assistant(1, remote, commit, path={"cwd": "/from/message"}), user(2, said("x")), **fields)
        folder = tmp_path / str(number)
        write_tree(folder, session)
        (folder / "storage/project/unknown.json").unlink(missing_ok=True)
        (result,) = read(folder, options)
        (own,) = result.sessions
        assert (own.project_path, own.project_name) == (path, "watch")
        assert (own.user_id, own.user_name, own.machine) == ("ada", "Ada", "m")
        assert [(link.commit_sha, link.user_id) for link in result.git_links] == [("1a2b3c4", "ada")]
