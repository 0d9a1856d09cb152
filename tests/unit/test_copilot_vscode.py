"""Copilot's chats in VS Code: documents and logs of mutations to rows."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
from typing import Any

import pytest

from agentstore.importers import Home, ImportResult
from agentstore.importers.copilot.vscode import VSCodeCopilot
from agentstore.importers.editors import path_of_uri
from tests.unit.agent_files import cuts, damaged, read_all, read_one, seeded, union

ID = "aaaaaaaa-1111-2222-3333-444444444444"
SESSION = f"vscode-copilot:{ID}"
NOW = 1772438400000  # 2026-03-02 08:00:00 UTC, in milliseconds

CALL = {
    "kind": "toolInvocationSerialized",
    "toolId": "run_in_terminal",
    "toolCallId": "call_1__vscode-1772438400001",
    "invocationMessage": {"value": "Running"},
    "pastTenseMessage": {"value": "Ran `git commit`"},
    "isComplete": True,
    "toolSpecificData": {"kind": "terminal", "commandLine": {"original": "git commit -m x"}},
}
READ = {
    "kind": "toolInvocationSerialized",
    "toolId": "copilot_readFile",
    "toolCallId": "u2",
    "invocationMessage": "Reading",
    "resultDetails": {"input": "{}", "output": [{"type": "embed", "value": "text"}], "isError": True},
}
REQUEST: dict[str, Any] = {
    "requestId": "request_bbbbbbbb-1111-2222-3333-444444444444",
    "message": {"text": "fix the\ntest", "parts": []},
    "timestamp": NOW,
    "modelId": "copilot/claude-sonnet-4.6",
    "responseId": "response_cccccccc-1111-2222-3333-444444444444",
    "response": [
        {"kind": "mcpServersStarting", "didStartServerIds": []},
        {"kind": "thinking", "value": "hm"},
        {"value": "See ", "supportThemeIcons": False},
        {"kind": "inlineReference", "inlineReference": {"fsPath": "/r/a.py"}},
        {"value": ", it is."},
        {"kind": "prepareToolInvocation", "toolName": "x"},
        CALL,
        READ,
        {"kind": "textEditGroup", "edits": [[]]},
        {"value": "Done."},
    ],
    "result": {
        "timings": {"totalElapsed": 5},
        "metadata": {
            "promptTokens": 900,
            "outputTokens": 60,
            "resolvedModel": "claude-sonnet-4-6",
            "toolCallRounds": [
                {"toolCalls": [{"id": "call_1", "name": "x", "arguments": '{"command":"git commit -m x"}'}]},
            ],
            "toolCallResults": {
                "call_1": {
                    "content": [
                        {
                            "value": {
                                "node": {
                                    "type": 1,
                                    "children": [
                                        {
                                            "type": 1,
                                            "children": [
                                                {"type": 2, "text": "[main "},
                                                {"type": 2, "text": "1a2b3c4] x"},
                                            ],
                                        },
                                        {"type": 2, "text": "1 file", "lineBreakBefore": 1},
                                    ],
                                }
                            }
                        },
                        {"value": {"no": "text"}},
                    ]
                }
            },
        },
    },
}
CHAT: dict[str, Any] = {
    "version": 3,
    "requesterUsername": "u",
    "responderUsername": "GitHub Copilot",
    "initialLocation": "panel",
    "requests": [REQUEST],
    "sessionId": ID,
    "creationDate": NOW - 1000,
    "lastMessageDate": NOW + 9000,
    "customTitle": "Fixing",
}


def workspace(tmp_path: pathlib.Path, folder: str = "file:///home/u/my%20shop") -> pathlib.Path:
    root = tmp_path / "User" / "workspaceStorage" / "0a1b"
    (root / "chatSessions").mkdir(parents=True)
    (root / "workspace.json").write_text(json.dumps({"folder": folder}))
    return root / "chatSessions"


def imported(tmp_path: pathlib.Path, chat: Any, name: str = f"{ID}.json") -> ImportResult:
    path = workspace(tmp_path) / name
    path.write_text(json.dumps(chat))
    (result,) = read_one(VSCodeCopilot(), path)
    return result


def entries(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def test_a_chat(tmp_path: pathlib.Path) -> None:
    result = imported(tmp_path, CHAT)
    (session,) = result.sessions
    assert (session.id, session.agent_type, session.display_name) == (SESSION, "vscode-copilot", "Fixing")
    assert (session.project_name, session.project_path) == ("my shop", "/home/u/my shop")
    assert (session.first_message, session.user_message_count) == ("fix the test", 1)
    assert session.started_at == dt.datetime(2026, 3, 2, 7, 59, 59, tzinfo=dt.UTC)
    assert session.ended_at == dt.datetime(2026, 3, 2, 8, 0, 9, tzinfo=dt.UTC)
    prompt, answer = result.messages
    assert (prompt.role, prompt.content) == ("user", "fix the\ntest")
    assert prompt.source_id == f"{REQUEST['requestId']}:prompt"
    assert answer.content == "\n".join([
        "[Thinking]\nhm\n[/Thinking]", "See `/r/a.py`, it is.", "[Bash]\n$ git commit -m x", "[Tool: copilot_readFile]",
        "Done.",
    ])  # fmt: skip
    assert (answer.model, answer.input_tokens, answer.output_tokens) == ("claude-sonnet-4-6", 900, 60)
    assert (session.peak_context_tokens, answer.source_id) == (900, f"{REQUEST['responseId']}:response")
    assert [(row.tool_category, row.input_json, row.result_content, row.is_error) for row in result.tool_calls] == [
        ("Bash", '{"command":"git commit -m x"}', "[main 1a2b3c4] x\n1 file", False),
        ("Read", '{"message":"Reading"}', "text", True),
    ]
    assert [link.commit_sha for link in result.git_links] == ["1a2b3c4"]


def test_older_and_barer_shapes(tmp_path: pathlib.Path) -> None:
    result = imported(tmp_path, {
        "requests": [
            {"message": "as a text", "response": [{"value": "yes"}], "modelId": "copilot/gpt-4.1"},
            {"message": {"text": "no answer"}, "response": [], "timestamp": NOW},
            {"message": {"text": "calls only"}, "promptTokens": 5, "completionTokens": 2, "result": {"metadata": {
                "toolCallRounds": [{"toolCalls": [{"name": "read_file", "arguments": "not json", "id": "c"}]}]}}},
            {"message": {"text": "terminal"}, "response": [CALL | {
                "toolCallId": "t", "toolSpecificData": {"command": "ls", "terminalCommandOutput": {"text": "a"}},
            }]},
        ],
        "responderUsername": "GitHub Copilot",
    }, "one.json")  # fmt: skip
    assert result.sessions[0].id == "vscode-copilot:one"
    assert [(row.role, row.content) for row in result.messages] == [
        ("user", "as a text"), ("assistant", "yes"), ("user", "no answer"), ("user", "calls only"),
        ("assistant", "[Tool: read_file]"), ("user", "terminal"), ("assistant", "[Bash]\n$ ls"),
    ]  # fmt: skip
    assert (result.messages[4].input_tokens, result.messages[4].output_tokens) == (5, 2)
    assert [(row.input_json, row.result_content) for row in result.tool_calls] == [
        ('{"input":"not json"}', ""),
        ('{"message":"Ran `git commit`","command":"ls"}', "a"),
    ]


def test_a_log_of_mutations_is_replayed(tmp_path: pathlib.Path) -> None:
    path = workspace(tmp_path) / f"{ID}.jsonl"
    start = {**CHAT, "requests": []}
    bare = {**REQUEST, "response": [], "result": None}
    log = entries(
        {"kind": 0, "v": start},
        {"kind": 2, "k": ["requests"], "v": [bare, {"message": "taken back"}]},
        {"kind": 2, "k": ["requests", 0, "response"], "v": REQUEST["response"][:3]},
        {"kind": 1, "k": ["requests", 0, "response", 2], "v": {"value": "See more "}},
        {"kind": 2, "k": ["requests", 0, "response"], "i": 2, "v": REQUEST["response"][2:]},
        {"kind": 2, "k": ["requests"], "i": 1},
        {"kind": 1, "k": ["requests", 0, "result"], "v": REQUEST["result"]},
        {"kind": 1, "k": ["customTitle"], "v": "Other"},
        {"kind": 3, "k": ["customTitle"]},
        {"kind": 1, "k": ["customTitle"], "v": "Fixing"},
    )
    path.write_bytes(log)
    (replayed,) = read_one(VSCodeCopilot(), path)
    assert union([replayed]) == union([imported(tmp_path / "other", CHAT)])
    path.write_bytes(log + entries({"kind": 1, "k": ["requests", 7, "x"], "v": 1}, {"kind": 9}, {"kind": 1, "k": []}))
    assert [problem.line for problem in read_one(VSCodeCopilot(), path)[0].problems] == [11, 12, 13]


def test_the_log_is_newer_than_the_document(tmp_path: pathlib.Path) -> None:
    folder = workspace(tmp_path)
    (folder / f"{ID}.json").write_text(json.dumps({**CHAT, "customTitle": "Old"}))
    (folder / f"{ID}.jsonl").write_bytes(entries({"kind": 0, "v": CHAT}))
    empty = tmp_path / "User" / "globalStorage" / "emptyWindowChatSessions"
    empty.mkdir(parents=True)
    (empty / "b.json").write_text(json.dumps({**CHAT, "sessionId": "b"}))
    (empty / "c.json").write_text('{"no": "chat"}')
    results = read_all(VSCodeCopilot(), tmp_path)
    names = [session.display_name for result in results for session in result.sessions]
    assert names == ["Fixing", "Fixing"]
    assert results[0].sessions[0].project_path == ""
    assert results[1].skipped_records == {"file/held by another": 1}


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///c%3A/Users/u/shop", "c:/Users/u/shop"),
        ("vscode-remote://ssh-remote%2Bbox/home/u/shop/", "/home/u/shop"),
        ("file:///", "/"),
        ("file:///a%ff%C3%A9%zz", "/a\ufffdé%zz"),
        ("/home/u", ""),
        ("untitled:x", ""),
        ("", ""),
    ],
)
def test_paths_of_uris(uri: str, path: str) -> None:
    assert path_of_uri(uri) == path


def test_a_window_of_several_folders_and_a_repository(tmp_path: pathlib.Path) -> None:
    folder = workspace(tmp_path)
    (folder.parent / "workspace.json").write_text('{"workspace": "file:///home/u/all.code-workspace"}')
    data = {"remoteUrl": "git@github.com:owner/shop.git", "localBranch": "topic"}
    (folder / "a.json").write_text(json.dumps({**CHAT, "repoData": data}))
    session = read_one(VSCodeCopilot(), folder / "a.json")[0].sessions[0]
    assert (session.project_name, session.project_path, session.git_branch) == ("shop", "/home/u", "topic")


def test_places_and_what_is_its_own(tmp_path: pathlib.Path) -> None:
    vscode = VSCodeCopilot()
    linux = vscode.places(Home(pathlib.PurePosixPath("/home/u"), "linux"))
    assert str(linux[0]) == "/home/u/.config/Code/User/workspaceStorage"
    windows = Home(pathlib.PureWindowsPath("C:/Users/u"), "windows", {"APPDATA": "D:\\Roaming"})
    assert str(vscode.places(windows)[3]) == "D:\\Roaming\\Code - Insiders\\User\\workspaceStorage"
    macos = vscode.places(Home(pathlib.PurePosixPath("/Users/u"), "macos"))
    assert str(macos[7]) == "/Users/u/Library/Application Support/VSCodium/User/globalStorage/emptyWindowChatSessions"
    assert not vscode.detect(tmp_path / "package.json", b'{"requests": []}')
    assert vscode.detect(tmp_path / "export.json", b'{"responderUsername": "GitHub Copilot", "requests": []}')
    assert vscode.detect(tmp_path / "x.jsonl", b'{"kind":0,"v":{"version":3,"requests":[]}}')
    assert not vscode.detect(tmp_path / "x.jsonl", b'{"kind":1,"v":{"requests":[]}}')


def test_nothing_that_a_file_holds_raises(tmp_path: pathlib.Path) -> None:
    chance, folder = seeded(), workspace(tmp_path)
    for name, whole in (
        ("a.json", json.dumps(CHAT, indent=1).encode()),
        ("a.jsonl", entries({"kind": 0, "v": CHAT}, {"kind": 2, "k": ["requests"], "v": [REQUEST]})),
    ):
        path = folder / name
        parts = [damaged(whole, chance) for _ in range(150)]
        for part in [*cuts(whole, chance), *parts, b"", b"\xef\xbb\xbf" + whole, whole.replace(b"\n", b"\r\n")]:
            path.write_bytes(part)
            read_one(VSCodeCopilot(), path)


def test_any_value_in_any_field(tmp_path: pathlib.Path) -> None:
    path = workspace(tmp_path) / "a.json"
    hostile: list[Any] = [None, True, -1, 10**400, "", "\ud800", [], {}, [[None]], {"value": {"value": []}}, [1, "x"]]
    for holder in (CHAT, REQUEST, REQUEST["result"], REQUEST["result"]["metadata"], CALL, READ):
        for key in holder:
            for value in hostile:
                changed = json.loads(json.dumps(CHAT).replace(json.dumps(holder), json.dumps({**holder, key: value})))
                path.write_text(json.dumps(changed))
                read_one(VSCodeCopilot(), path)
