"""Cursor's databases: the CLI's ``store.db`` and the editor's ``state.vscdb`` to rows."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import os
import pathlib
import shutil
import sqlite3
from typing import Any

import pytest

from agentstore.importers import Options
from agentstore.importers.cursor.importer import Cursor
from agentstore.importers.cursor.protobuf import texts_and_messages
from tests.unit.agent_files import NOISE, read_all, read_one, seeded
from tests.unit.cursor_databases import field, state_db, store_db

ID = "11111111-2222-3333-4444-555555555555"
OTHER = "22222222-2222-3333-4444-555555555555"
SESSION = f"cursor:{ID}"
NOW = 1772438400000  # 2026-03-02 08:00:00 UTC, in milliseconds

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "You are an agent."},
    {"role": "user", "content": "<user_info>\nWorkspace Path: /home/u/other\n</user_info>"},
    {
        "role": "user",
        "content": [{"type": "text", "text": "<user_query>fix it</user_query>"}],
        "providerOptions": {"cursor": {"requestId": "r"}},
    },
    {
        "role": "assistant",
        "id": "1",
        "content": [
            {"type": "reasoning", "text": "hm", "signature": "x"},
            {"type": "redacted-reasoning", "data": "x"},
            {"type": "text", "text": "On it."},
            {"type": "tool-call", "toolCallId": "c1", "toolName": "Shell", "args": {"command": "git commit -m x"}},
            {"type": "tool-call", "toolCallId": "c2", "toolName": "Task", "args": {"prompt": "find"}},
        ],
    },
    {
        "role": "tool",
        "id": "c1",
        "content": [{"type": "tool-result", "toolCallId": "c1", "toolName": "Shell", "result": "[main 1a2b3c4] x"}],
    },
    {
        "role": "tool",
        "id": "c2",
        "content": [{"type": "tool-result", "toolCallId": "c2", "result": [{"type": "text", "text": "no"}]}],
        "providerOptions": {
            "cursor": {"highLevelToolCallResult": {"isError": True, "output": {"success": {"agentId": OTHER}}}}
        },
    },
    {"role": "assistant", "id": "1", "content": [{"type": "text", "text": "Done."}]},
    {"role": "user", "content": "so far", "providerOptions": {"cursor": {"isSummary": True}}},
    {"role": "user", "content": "<user_query>again</user_query>"},
    {"role": "assistant", "id": "1", "content": [{"type": "text", "text": "Done."}]},
]

BUBBLES: dict[str, dict[str, Any]] = {
    "u1": {"type": 1, "text": "fix it", "createdAt": "2026-03-02T08:00:01.000Z"},
    "a1": {"type": 2, "text": "", "thinking": {"text": "hm", "signature": "x"}, "createdAt": NOW + 2000},
    "a2": {
        "type": 2,
        "text": "On it.",
        "modelInfo": {"modelName": "claude-opus-4-7"},
        "tokenCount": {"inputTokens": 10, "outputTokens": 5},
        "toolFormerData": {
            "tool": 15,
            "toolCallId": "c1",
            "status": "completed",
            "name": "run_terminal_command_v2",
            "params": '{"command":"git commit -m x"}',
            "rawArgs": "",
            "result": '{"output":"[main 1a2b3c4] x","exitCode":0}',
        },
    },
    "gone": {"type": 2, "text": "", "toolFormerData": {"additionalData": {"status": "error"}}},
    "a3": {
        "type": 2,
        "toolFormerData": {"tool": 7, "rawArgs": '{"a":1}', "status": "error", "error": '{"message":"no"}'},
    },
    "a4": {"type": 2, "toolFormerData": {"name": "read_file_v2", "toolCallId": "c2", "status": "loading", "params": 3}},
    "a5": {"type": 2, "toolFormerData": {"name": "task_v2", "toolCallId": "c3", "status": "completed",
                                         "result": json.dumps({"agentId": OTHER})}},
    "u2": {"type": 1, "text": "", "richText": json.dumps({"root": {"children": [
        {"children": [{"text": "than"}, {"text": "ks"}]}]}})},
    "a6": {"type": 2, "text": "Done."},
}  # fmt: skip
COMPOSER: dict[str, Any] = {
    "_v": 17, "name": "Fixing", "createdAt": NOW, "lastUpdatedAt": NOW + 60_000,
    "modelConfig": {"modelName": "default"}, "createdOnBranch": "topic", "bubbles": BUBBLES,
    "subagentComposerIds": [OTHER],
}  # fmt: skip
CHILD = {"createdAt": NOW, "bubbles": {"x": {"type": 1, "text": "find"}, "y": {"type": 2, "text": "no"}}}


def chat(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / ".cursor" / "chats" / "0a1b" / ID / "store.db"


def editor(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "Cursor" / "User" / "globalStorage" / "state.vscdb"


@pytest.mark.parametrize(("nodes", "mode"), [(1, "wal"), (3, "wal"), (1, "delete")])
def test_a_session_of_the_cli_beside_its_agent(tmp_path: pathlib.Path, nodes: int, mode: str) -> None:
    path = chat(tmp_path)
    writer = store_db(path, MESSAGES, nodes=nodes, mode=mode, createdAt=NOW, lastUsedModel="claude-opus-4-7")
    (path.parent / "meta.json").write_text(json.dumps({"updatedAtMs": NOW + 5000, "cwd": "/home/u/shop"}))
    before = sorted(path.parent.iterdir())
    (result,) = read_all(Cursor(), tmp_path)
    assert sorted(path.parent.iterdir()) == before
    (session,) = result.sessions
    assert (session.id, session.first_message, session.display_name) == (SESSION, "fix it", "")
    assert (session.project_path, session.user_message_count) == ("/home/u/shop", 2)
    assert session.started_at == dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
    assert session.ended_at == dt.datetime(2026, 3, 2, 8, 0, 5, tzinfo=dt.UTC)
    assert [(row.role, row.content) for row in result.messages] == [
        ("system", "<user_info>\nWorkspace Path: /home/u/other\n</user_info>"),
        ("user", "fix it"),
        ("assistant", "[Thinking]\nhm\n[/Thinking]\nOn it.\n[Bash]\n$ git commit -m x\n[Task: find]"),
        ("assistant", "Done."),
        ("system", "so far"),
        ("user", "again"),
        ("assistant", "Done."),
    ]
    assert {row.model for row in result.messages if row.role == "assistant"} == {"claude-opus-4-7"}
    assert len({row.source_id for row in result.messages}) == 7
    assert [
        (row.tool_use_id, row.result_content, row.is_error, row.subagent_session_id) for row in result.tool_calls
    ] == [
        ("c1", "[main 1a2b3c4] x", False, ""),
        ("c2", "no", True, f"cursor:{OTHER}"),
    ]
    assert [link.commit_sha for link in result.git_links] == ["1a2b3c4"]
    assert not result.problems
    writer.close()


def test_a_session_of_the_cli_without_meta_json(tmp_path: pathlib.Path) -> None:
    path = chat(tmp_path)
    store_db(path, MESSAGES, createdAt=NOW, name="Greeting").close()
    os.utime(path, (NOW / 1000 + 9, NOW / 1000 + 9))
    (session,) = read_one(Cursor(), path)[0].sessions
    assert (session.project_path, session.display_name) == ("/home/u/my shop", "Greeting")
    assert session.ended_at == dt.datetime(2026, 3, 2, 8, 0, 9, tzinfo=dt.UTC)
    assert sorted(one.name for one in path.parent.iterdir()) == ["store.db"]


def test_a_copy_without_a_root_that_is_there(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "copy" / "store.db"
    store_db(path, MESSAGES[::-1], agentId=OTHER, latestRootBlobId="deadbeef").close()  # rows in order, that is
    (result,) = read_one(Cursor(), path)
    assert result.sessions[0].id == f"cursor:{OTHER}"
    assert [row.content[:5] for row in result.messages][1:3] == ["fix i", "[Thin"]


def test_fields_of_protocol_buffers() -> None:
    data = b"\x08\x96\x01" + field(1, b"a") + b"\x25abcd" + b"\x29abcdefgh" + field(300, b"b" * 200)
    assert list(texts_and_messages(data)) == [(1, b"a"), (300, b"b" * 200)]
    chance = seeded()
    for _ in range(2000):
        noise = chance.randbytes(chance.randrange(60))
        assert sum(len(value) for _, value in texts_and_messages(noise)) <= len(noise)


def test_nodes_that_lead_to_themselves(tmp_path: pathlib.Path) -> None:
    path = chat(tmp_path)
    connection = store_db(path, MESSAGES)
    ((root, data),) = connection.execute("SELECT id, data FROM blobs WHERE substr(hex(data), 1, 2) != '7B'").fetchall()
    connection.execute("UPDATE blobs SET data = ? WHERE id = ?", (data + field(1, bytes.fromhex(root)), root))
    connection.execute("DELETE FROM blobs WHERE instr(data, ?)", (b'"so far"',))
    connection.commit()
    connection.close()
    assert len(read_one(Cursor(), path)[0].messages) == 6


def test_conversations_of_the_editor_beside_it(tmp_path: pathlib.Path) -> None:
    path = editor(tmp_path)
    writer = state_db(path, {ID: COMPOSER, OTHER: CHILD, "draft": {"createdAt": NOW}})
    writer.execute("INSERT INTO cursorDiskKV VALUES ('composerData:null', NULL)")
    writer.commit()
    own, child, rest = read_all(Cursor(), tmp_path)
    assert [result.file.rpartition("#")[2] for result in (own, child)] == [ID, OTHER]
    (session,) = own.sessions
    assert (session.id, session.display_name, session.git_branch) == (SESSION, "Fixing", "topic")
    assert (session.started_at, session.ended_at) == (
        dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC), dt.datetime(2026, 3, 2, 8, 1, tzinfo=dt.UTC),
    )  # fmt: skip
    assert [(row.role, row.content) for row in own.messages] == [
        ("user", "fix it"),
        ("assistant", "[Thinking]\nhm\n[/Thinking]"),
        ("assistant", "On it.\n[Bash]\n$ git commit -m x"),
        ("assistant", "[Tool: tool 7]"),
        ("assistant", "[Tool: read_file_v2]"),
        ("assistant", "[Tool: task_v2]"),
        ("user", "thanks"),
        ("assistant", "Done."),
    ]
    third = own.messages[2]
    assert (third.model, third.input_tokens, third.output_tokens) == ("claude-opus-4-7", 10, 5)
    assert third.source_id == f"{SESSION}:a2"
    assert [(row.tool_name, row.result_content, row.is_error) for row in own.tool_calls] == [
        ("run_terminal_command_v2", "[main 1a2b3c4] x", False),
        ("tool 7", "no", True),
        ("read_file_v2", "", False),
        ("task_v2", json.dumps({"agentId": OTHER}), False),
    ]
    assert own.tool_calls[2].result_content_length is None
    assert own.tool_calls[3].subagent_session_id == f"cursor:{OTHER}"
    assert [link.commit_sha for link in own.git_links] == ["1a2b3c4"]
    assert (child.sessions[0].parent_session_id, child.sessions[0].relationship_type) == (SESSION, "subagent")
    assert not rest.sessions
    assert not rest.problems
    writer.close()


@pytest.mark.parametrize("as_text", [True, False])
def test_older_shapes_of_the_editor(tmp_path: pathlib.Path, as_text: bool) -> None:
    inline = {"conversation": [{"type": 1, "text": "a", "bubbleId": "x"}, {"type": 2, "text": "b"}, "no bubble"]}
    mapped = {
        "fullConversationHeadersOnly": [{"bubbleId": "x"}, {"bubbleId": "y"}, {}, 7],
        "conversationMap": {"x": {"type": 1, "text": "a"}, "y": {"type": 2, "text": "b"}},
    }
    state_db(editor(tmp_path), {"inline": inline, "mapped": mapped}, as_text=as_text).close()
    results = read_all(Cursor(), tmp_path)
    assert [[row.content for row in result.messages] for result in results] == [["a", "b"], ["a", "b"], []]


def test_workspaces_say_where_a_conversation_was_held(tmp_path: pathlib.Path) -> None:
    user = tmp_path / "Cursor" / "User"
    state_db(editor(tmp_path), {ID: {"bubbles": BUBBLES}, OTHER: CHILD, "third": CHILD},
             heads=[("third", "hash2", {"name": "Third", "trackedGitRepos": [{"branches": [{"branchName": "b"}]}]})]
             ).close()  # fmt: skip
    workspace = user / "workspaceStorage" / "hash1"
    known = [{"composerId": ID, "name": "Fixing", "createdOnBranch": "topic"}, {"composerId": 7}, None]
    tabs = [
        {
            "tabId": "tab",
            "chatTitle": "Old",
            "bubbles": [{"type": "user", "text": "how?", "id": "1"}, {"type": "ai", "text": "so"}, {"type": "other"}],
        }
    ]
    state_db(workspace / "state.vscdb", {}, items={
        "composer.composerData": {"allComposers": known},
        "workbench.panel.aichat.view.aichat.chatdata": {"tabs": tabs},
    }).close()  # fmt: skip
    (workspace / "workspace.json").write_text('{"folder": "file:///home/u/shop"}')
    state_db(user / "workspaceStorage" / "hash2" / "state.vscdb", {}).close()
    (user / "workspaceStorage" / "hash2" / "workspace.json").write_text('{"folder": "file:///home/u/third"}')
    sessions = {session.id: session for result in read_all(Cursor(), tmp_path) for session in result.sessions}
    assert sorted(sessions) == sorted([SESSION, f"cursor:{OTHER}", "cursor:third", "cursor:tab"])
    first, third, tab = sessions[SESSION], sessions["cursor:third"], sessions["cursor:tab"]
    assert (first.project_path, first.git_branch, first.display_name) == ("/home/u/shop", "topic", "Fixing")
    assert (third.project_path, third.git_branch, third.display_name) == ("/home/u/third", "b", "Third")
    assert (tab.message_count, tab.user_message_count, tab.display_name) == (2, 1, "Old")


def transcript(tmp_path: pathlib.Path, prompts: int) -> pathlib.Path:
    said = [
        json.dumps({"role": role, "message": {"content": [{"type": "text", "text": f"{role} {n}"}]}})
        for n in range(prompts)
        for role in ("user", "assistant")
    ]
    path = tmp_path / ".cursor" / "projects" / "home-u-shop" / "agent-transcripts" / ID / f"{ID}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(said) + "\n")
    path.with_suffix(".txt").write_text("user:\nx\nassistant:\ny\n")
    return path


@pytest.mark.parametrize(
    ("prompts", "kinds", "winner"),
    [
        (2, ("store", "state"), "state"),  # as many prompts in each: the one that says more
        (2, ("store",), "store"),
        (3, ("store", "state"), "lines"),
        (2, (), "lines"),
        (0, (), "text"),
    ],
)
def test_one_conversation_is_one_session_whatever_is_read_first(
    tmp_path: pathlib.Path, prompts: int, kinds: tuple[str, ...], winner: str
) -> None:
    paths = [transcript(tmp_path, prompts)]
    paths.append(paths[0].with_suffix(".txt"))
    if "store" in kinds:
        store_db(chat(tmp_path), MESSAGES).close()
        paths.append(chat(tmp_path))
    if "state" in kinds:
        state_db(editor(tmp_path), {ID: COMPOSER}).close()
        paths.append(editor(tmp_path))
    told = {"state": "state.vscdb", "store": "store.db", "lines": ".jsonl", "text": ".txt"}[winner]
    chance = seeded()
    for _ in range(4):
        chance.shuffle(paths)
        history = Cursor().survey(paths, Options())
        results = [result for path in paths for result in history.read(path)]
        (own,) = [result for result in results if result.sessions]
        assert own.sessions[0].id == SESSION
        assert own.file.partition("#")[0].endswith(told)
        held = sum(result.skipped_records.get("file/held by another", 0) for result in results)
        assert held == len(paths) - 1


def test_headers_whose_bubbles_were_deleted_do_not_hide_a_transcript(tmp_path: pathlib.Path) -> None:
    transcript(tmp_path, 2)
    writer = state_db(editor(tmp_path), {ID: COMPOSER})
    writer.execute("DELETE FROM cursorDiskKV WHERE key LIKE 'bubbleId:%'")
    writer.commit()
    writer.close()
    (own,) = [result for result in read_all(Cursor(), tmp_path) if result.sessions]
    assert own.file.endswith(".jsonl")
    assert own.sessions[0].user_message_count == 2


def test_no_file_is_opened_for_each_conversation_or_workspace_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of conversations have a transcript, too, and hundreds of folders were opened."""
    opened: dict[str, int] = {}

    def noted(module: str, name: str) -> None:
        do = getattr(importlib.import_module(module), name)

        def note(path: pathlib.Path, *more: Any) -> Any:
            opened[f"{name} {path}"] = opened.get(f"{name} {path}", 0) + 1
            return do(path, *more)

        monkeypatch.setattr(f"{module}.{name}", note)

    noted("agentstore.importers.cursor.sources", "open_database")
    noted("agentstore.importers.cursor.said", "cwd_of_workspace")
    ids = [f"{number:08d}-2222-3333-4444-555555555555" for number in range(20)]
    state_db(editor(tmp_path), dict.fromkeys(ids, CHILD)).close()
    said = json.dumps({"role": "user", "message": {"content": "hi"}})
    for id in ids:
        path = tmp_path / ".cursor" / "projects" / "a" / "agent-transcripts" / id / f"{id}.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(said)
        state_db(tmp_path / "Cursor" / "User" / "workspaceStorage" / id / "state.vscdb", {}).close()
    sessions = [session for result in read_all(Cursor(), tmp_path) for session in result.sessions]
    assert len(sessions) == 20
    assert set(opened.values()) == {1}


def test_a_database_that_is_locked_or_none_is_a_problem(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentstore.importers.sqlite_files.BUSY_SECONDS", 0.01)
    writer = store_db(chat(tmp_path), MESSAGES, mode="delete")
    writer.execute("BEGIN EXCLUSIVE")
    (result,) = read_one(Cursor(), chat(tmp_path))
    assert [problem.reason for problem in result.problems] == ["the database cannot be opened: database is locked"]
    writer.close()
    path = editor(tmp_path)
    path.parent.mkdir(parents=True)
    sqlite3.connect(path).close()
    for noise in [b"", *NOISE]:
        path.write_bytes(b"SQLite format 3\0" + noise)
        (result,) = read_one(Cursor(), path)
        assert result.problems


def test_damaged_databases_do_not_raise(tmp_path: pathlib.Path) -> None:
    chance = seeded()
    store_db(chat(tmp_path), MESSAGES, nodes=2).close()
    state_db(editor(tmp_path), {ID: COMPOSER, OTHER: CHILD}).close()
    for path in (chat(tmp_path), editor(tmp_path)):
        whole = path.read_bytes()
        for _ in range(120):
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 20)):
                data[chance.randrange(16, len(data))] = chance.randrange(256)
            path.write_bytes(data[: chance.randrange(100, len(data)) if chance.random() < 0.3 else None])
            read_one(Cursor(), path)
        shutil.rmtree(path.parent)


def test_any_value_in_any_field(tmp_path: pathlib.Path) -> None:
    hostile: list[Any] = [None, True, -1, 10**400, "", "\ud800", [], {}, [[None]], {"a": [{}]}, [1, "x"], "{", "NaN"]
    composers = {
        f"{key}{n}": {**COMPOSER, key: value} for key in COMPOSER if key != "bubbles" for n, value in enumerate(hostile)
    }
    bubbles = {
        f"{id}{key}{n}": {**bubble, key: value}
        for id, bubble in BUBBLES.items()
        for key in bubble
        for n, value in enumerate(hostile)
    }
    tools = {
        f"t{key}{n}": {"type": 2, "toolFormerData": {**BUBBLES["a2"]["toolFormerData"], key: value}}
        for key in BUBBLES["a2"]["toolFormerData"]
        for n, value in enumerate(hostile)
    }
    items = {"composer.composerData": {"allComposers": hostile}, "other": "x"}
    state_db(editor(tmp_path), {**composers, "all": {"bubbles": bubbles | tools}}, items=items).close()
    results = read_all(Cursor(), tmp_path)
    assert len(results) == len(composers) + 2
    messages = [
        {**message, key: value} for message in MESSAGES for key in message for value in hostile
    ] + [
        {"role": message["role"], "content": [{**block, key: value}]}
        for message in MESSAGES
        for block in message["content"]
        if isinstance(block, dict)
        for key in block
        for value in hostile
    ]  # fmt: skip
    store_db(chat(tmp_path), messages, createdAt="x", lastUsedModel=3, name=[]).close()
    assert read_one(Cursor(), chat(tmp_path))[0].messages
