"""Cursor's transcripts: lines and plain text to rows."""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
from typing import Any

import pytest

from agentstore.importers import Home
from agentstore.importers.cursor.importer import Cursor
from agentstore.importers.cursor.paths import directory_in, project_name
from agentstore.importers.cursor.prompts import read_prompt
from tests.unit.agent_files import cuts, damaged, grown, keys, read_all, read_one, seeded, union

ID = "11111111-2222-3333-4444-555555555555"
CHILD = "99999999-2222-3333-4444-555555555555"
SESSION = f"cursor:{ID}"
CHANGED = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)


def said(role: str, *blocks: Any) -> dict[str, Any]:
    return {"role": role, "message": {"content": [*blocks]}}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": name, "input": arguments}


WHOLE = [
    said("user", text("<user_info>\nOS: linux\nWorkspace Path: /home/u/my.shop\n</user_info>")),
    said(
        "user", text("<timestamp>Monday, Mar 2, 2026, 9:05 AM (UTC+1)</timestamp>\n<user_query>\nfix it\n</user_query>")
    ),
    said("assistant", {"type": "thinking", "thinking": "hm"}, text("On it."), call("Shell", command="git commit -m x")),
    said("user", {"type": "tool_result", "content": [text("[main 1a2b3c4] x")]}),
    said("assistant", call("Task", description="Look", prompt="find it"), call("Read", path="/home/u/my.shop/a.py")),
    {"type": "turn_ended", "status": "success"},
    said("user", text("Thanks.")),
    said("assistant", text("You are welcome.")),
    {"type": "turn_ended", "status": "success"},
]


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def written(tmp_path: pathlib.Path, data: bytes, name: str = f"{ID}/{ID}.jsonl") -> pathlib.Path:
    path = tmp_path / ".cursor" / "projects" / "home-u-my-shop" / "agent-transcripts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (CHANGED.timestamp(), CHANGED.timestamp()))
    return path


def test_a_transcript(tmp_path: pathlib.Path) -> None:
    (result,) = read_one(Cursor(), written(tmp_path, lines(*WHOLE)))
    (session,) = result.sessions
    assert (session.id, session.agent_type, session.first_message) == (SESSION, "cursor", "fix it")
    assert (session.project_name, session.project_path) == ("my.shop", "/home/u/my.shop")
    assert (session.message_count, session.user_message_count) == (6, 2)
    assert session.started_at == dt.datetime(2026, 3, 2, 8, 5, tzinfo=dt.UTC)
    assert session.ended_at == CHANGED
    assert [(row.role, row.content) for row in result.messages[1:4]] == [
        ("user", "fix it"),
        ("assistant", "[Thinking]\nhm\n[/Thinking]\nOn it.\n[Bash]\n$ git commit -m x"),
        ("assistant", "[Task: Look]\n[Read: /home/u/my.shop/a.py]"),
    ]
    assert result.messages[0].role == "system"
    assert [(row.tool_name, row.tool_category, row.result_content_length) for row in result.tool_calls] == [
        ("Shell", "Bash", 16), ("Task", "Task", None), ("Read", "Read", None),
    ]  # fmt: skip
    assert [link.commit_sha for link in result.git_links] == ["1a2b3c4"]
    assert (result.skipped_records, result.unknown_records) == ({"turn_ended": 2}, {})


def test_a_subagent_belongs_to_the_call_that_started_it(tmp_path: pathlib.Path) -> None:
    written(tmp_path, lines(*WHOLE))
    child = lines(said("user", text("<user_query>find it</user_query>")), said("assistant", text("Found.")))
    written(tmp_path, child, f"{ID}/subagents/{CHILD}.jsonl")
    subagent, own = read_all(Cursor(), tmp_path)
    (session,) = subagent.sessions
    assert (session.id, session.parent_session_id, session.relationship_type) == (
        f"cursor:{CHILD}", SESSION, "subagent",
    )  # fmt: skip
    assert [row.subagent_session_id for row in own.tool_calls] == ["", f"cursor:{CHILD}", ""]


def test_the_cli_says_when_and_where(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, lines(said("user", text("hi")), said("assistant", text("yes"))))
    chat = tmp_path / ".cursor" / "chats" / "0a1b" / ID
    chat.mkdir(parents=True)
    (chat / "meta.json").write_text(json.dumps({"createdAtMs": 1772438400000, "cwd": "/srv/x", "title": "Greeting"}))
    session = read_one(Cursor(), path)[0].sessions[0]
    assert (session.started_at, session.ended_at) == (dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC), CHANGED)
    assert (session.project_path, session.display_name) == ("/srv/x", "Greeting")


def test_without_any_time_it_began_when_it_ended(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, lines(said("user", text("hi")), said("assistant", text("yes"))), f"{ID}.jsonl")
    session = read_one(Cursor(), path)[0].sessions[0]
    assert (session.started_at, session.ended_at, session.source_created_at) == (CHANGED, CHANGED, "")
    assert (session.project_name, session.project_path) == ("my-shop", "")
    assert session.project_id


def test_plain_text(tmp_path: pathlib.Path) -> None:
    body = """user:
<user_query>
fix it
</user_query>

assistant:
[Thinking]
  hm
First the file.
[Tool call] ReadFile
  path=a.go
  limit=3
[Tool result] ReadFile
  package main
[Tool call] Shell
  {"command": "git commit -m x"}
[Tool result]
  [main 1a2b3c4] x
[Tool call] ApplyPatch
  @@ -1,1 +1,1 @@
  -old
[Tool call] Other
  what it says

Done.
user:
Thanks
"""
    (result,) = read_one(Cursor(), written(tmp_path, body.encode(), f"{ID}.txt"))
    assert (result.sessions[0].id, result.sessions[0].user_message_count) == (SESSION, 2)
    assert result.messages[1].content.startswith("[Thinking]\nhm\n[/Thinking]\nFirst the file.\n[Read: a.go]\n")
    assert result.messages[1].content.endswith("\nDone.")
    assert [(row.tool_name, row.input_json, row.result_content) for row in result.tool_calls] == [
        ("ReadFile", '{"path":"a.go","limit":"3"}', "package main"),
        ("Shell", '{"command":"git commit -m x"}', "[main 1a2b3c4] x"),
        ("ApplyPatch", '{"patch":"@@ -1,1 +1,1 @@\\n-old"}', ""),
        ("Other", '{"input":"what it says"}', ""),
    ]
    assert [link.commit_sha for link in result.git_links] == ["1a2b3c4"]


@pytest.mark.parametrize(
    ("written", "role", "shown"),
    [
        ("hi", "user", "hi"),
        ("<user_query>\na <b>\n</user_query>\n", "user", "a <b>"),
        ("<system_reminder>x</system_reminder><user_query>y</user_query>", "user", "y"),
        ("<open_and_recently_viewed_files>\nx", "system", "<open_and_recently_viewed_files>\nx"),
        ("<div> is what?", "user", "<div> is what?"),
        ("<user_query>never closed", "user", "<user_query>never closed"),
        ("</user_query> <user_query>", "user", "</user_query> <user_query>"),
    ],
)
def test_who_wrote_a_prompt(written: str, role: str, shown: str) -> None:
    assert read_prompt(written)[:2] == (role, shown)


def test_times_before_a_prompt() -> None:
    def when(stamp: str) -> dt.datetime | None:
        return read_prompt(f"<timestamp>{stamp}</timestamp><user_query>x</user_query>").moment

    assert when("Thursday, Oct 9, 2025, 2:46 PM (UTC+5:30)") == dt.datetime(2025, 10, 9, 9, 16, tzinfo=dt.UTC)
    assert when("Oct 9, 2025, 12:01 AM (UTC-7)") == dt.datetime(2025, 10, 9, 7, 1, tzinfo=dt.UTC)
    assert when("2026-01-02T03:04:05.000Z") == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert when("Foo 9, 2025, 12:01 AM (UTC)") is None
    assert when("Feb 31, 2025, 12:01 AM (UTC)") is None
    assert when("yesterday") is None


@pytest.mark.parametrize(
    ("path", "slug", "found"),
    [
        ("/home/u/my.shop/src/a.py", "home-u-my-shop", "/home/u/my.shop"),
        ("/home/u/my-shop", "home-u-my-shop", "/home/u/my-shop"),
        ("C:\\Users\\u\\shop\\a.py", "c-Users-u-shop", "C:\\Users\\u\\shop"),
        ("c:/Users/u/shop", "c-Users-u-shop", "c:/Users/u/shop"),
        ("/home/other/a.py", "home-u-my-shop", ""),
        ("home/u/my-shop", "home-u-my-shop", ""),
        ("/home/u", "", ""),
        ("", "x", ""),
        ("/" + "a/" * 1000, "a-a", "/a/a"),
    ],
)
def test_a_directory_is_what_has_the_slug(path: str, slug: str, found: str) -> None:
    assert directory_in(path, slug) == found


def test_names_of_projects() -> None:
    assert project_name("Users-fiona-Documents-mcp-cursor-analytics") == "mcp-cursor-analytics"
    assert project_name("home-u-code-shop") == "shop"
    assert project_name("c-Users-u-projects-shop") == "shop"
    assert project_name("tmp-repo") == "tmp-repo"
    assert project_name("x") == "x"


def test_places_and_what_is_its_own(tmp_path: pathlib.Path) -> None:
    cursor, home = Cursor(), pathlib.PurePosixPath("/home/u")
    assert [str(place) for place in cursor.places(Home(home, "linux"))] == [
        "/home/u/.cursor/projects",
        "/home/u/.cursor/chats",
        "/home/u/.config/Cursor/User/globalStorage/state.vscdb",
        "/home/u/.config/Cursor/User/workspaceStorage",
    ]
    assert str(cursor.places(Home(home, "linux", {"CURSOR_CONFIG_DIR": "/x"}))[0]) == "/x/projects"
    assert cursor.detect(tmp_path / "a.jsonl", lines(*WHOLE))
    assert not cursor.detect(tmp_path / "a.jsonl", b'{"type":"user","message":{"role":"user","content":"x"}}')
    assert not cursor.detect(tmp_path / "a.txt", b"user:\nhi")
    assert cursor.detect(tmp_path / "agent-transcripts" / "a.txt", b"")
    assert not cursor.detect(tmp_path / "store.db", b"SQLite format 3\0 other tables")


def test_pieces_come_to_the_whole(tmp_path: pathlib.Path) -> None:
    chance, path = seeded(), written(tmp_path, lines(*WHOLE))
    size, whole = path.stat().st_size, union(read_one(Cursor(), path))
    del whole["session", SESSION]  # its end is when the file was changed
    for _ in range(50):
        ends = sorted({chance.randrange(size) for _ in range(chance.randrange(4))} | {size})
        read = union(grown(Cursor(), path, ends, chance.choice([1, 200, 10**6])))
        del read["session", SESSION]
        assert read == whole


def test_rows_of_a_prefix_are_a_prefix(tmp_path: pathlib.Path) -> None:
    path, before = written(tmp_path, lines(*WHOLE)), set[Any]()
    whole = keys(union(read_one(Cursor(), path)))
    for part in cuts(path.read_bytes(), seeded()):
        path.write_bytes(part)
        now = keys(union(read_one(Cursor(), path)))
        assert before <= now <= whole
        before = now


def test_damage_does_not_raise(tmp_path: pathlib.Path) -> None:
    chance = seeded()
    for name, data in (
        (f"{ID}.jsonl", lines(*WHOLE)),
        (f"{CHILD}.txt", b"user:\nx\nassistant:\n[Tool call] A\n  b=c\n"),
    ):
        path = written(tmp_path, b"", name)
        for _ in range(300):
            path.write_bytes(damaged(data, chance))
            read_one(Cursor(), path)
        path.write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
        assert read_one(Cursor(), path)[0].messages


def test_any_value_in_any_field(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, b"")
    hostile: list[Any] = [None, True, -1, 10**400, "", "\ud800", [], {}, [[None]], {"content": [{}]}, [1, "x"]]
    for record in WHOLE:
        blocks = record.get("message", {}).get("content", [])
        made = [{**record, key: value} for key in record for value in hostile]
        made += [
            {**record, "message": {"content": [{**block, key: value}]}}
            for block in blocks
            for key in block
            for value in hostile
        ]
        path.write_bytes(lines(*made, {"type": {}}, said("user", text("x"))))
        assert read_one(Cursor(), path)[0].messages
