"""Gemini CLI's chats: documents and logs, who speaks, tokens, calls, directories, copies."""

from __future__ import annotations

import hashlib
import json
import pathlib
import time
from typing import Any

from agentstore.importers import ImportResult, Options, import_tree, importer_named
from agentstore.models import Session
from tests.unit.importer_seeds import (
    GEMINI,
    GEMINI_MESSAGES,
    document,
    gemini_call,
    gemini_message,
    gemini_meta,
    gemini_tokens,
    lines,
)

NAME = "tmp/tideclock/chats/session-2026-03-02T08-00-0b6e2f4a"
ID = f"gemini:{GEMINI}"


def put(root: pathlib.Path, name: str, data: bytes) -> pathlib.Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def read(root: pathlib.Path, **options: Any) -> list[ImportResult]:
    return list(import_tree(root, Options(**options), [importer_named("gemini")]))


def whole(root: pathlib.Path, *messages: Any, **meta: Any) -> ImportResult:
    put(root, f"{NAME}.json", document(gemini_meta(messages=list(messages), **meta)))
    (result,) = read(root)
    return result


def log(root: pathlib.Path, *records: Any) -> ImportResult:
    put(root, f"{NAME}.jsonl", lines(gemini_meta(kind="main"), *records))
    (result,) = read(root)
    return result


def said(result: ImportResult) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in result.messages]


def test_a_chat_is_its_rows(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "tmp/tideclock/.project_root", b"/home/ada/tideclock")
    result = whole(tmp_path, *GEMINI_MESSAGES, summary="Tides")
    assert said(result) == [
        ("user", "fix the tide"),
        (
            "assistant",
            "[Thinking]\nPlan\nread first\n[/Thinking]\nLooking.\n[Read: /home/ada/tideclock/a.md]\n"
            "[Bash]\n$ git commit -m x",
        ),
        ("system", "Request cancelled."),
        ("system", "System: Please continue."),
        ("assistant", "done\n[Tool: replace]"),
    ]
    (session,) = result.sessions
    assert (session.id, session.agent_type, session.display_name) == (ID, "gemini", "Tides")
    assert (session.project_name, session.project_path) == ("tideclock", "/home/ada/tideclock")
    assert (session.first_message, session.user_message_count, session.message_count) == ("fix the tide", 1, 5)
    assert (session.total_output_tokens, session.peak_context_tokens) == (15, 103)
    assert str(session.started_at) == "2026-03-02 08:00:00+00:00"
    assert str(session.ended_at) == "2026-03-02 08:00:09+00:00"
    answer = result.messages[1]
    assert (answer.input_tokens, answer.cache_read_tokens, answer.output_tokens) == (63, 40, 15)
    assert json.loads(answer.token_usage) == gemini_tokens(100, 10, 40, 5, 3)
    assert answer.source_id == f"gemini:{GEMINI}:a1"
    assert answer.has_thinking
    calls = [(c.tool_use_id, c.tool_name, c.tool_category, c.result_content, c.is_error) for c in result.tool_calls]
    assert calls == [
        ("c1", "read_file", "Read", "hello", False),
        ("c2", "run_shell_command", "Bash", "Output: ok\n[main 1a2b3c4] x\nExit Code: 0", False),
        ("c3", "replace", "Edit", "no", True),  # its answer came as a message
    ]
    (link,) = result.git_links
    assert (link.commit_sha, link.confidence, link.message_ordinal) == ("1a2b3c4", "high", 1)


def test_a_log_is_the_same_chat(tmp_path: pathlib.Path) -> None:
    expected = whole(tmp_path / "a", *GEMINI_MESSAGES, kind="main")
    first = {**GEMINI_MESSAGES[1], "toolCalls": [], "tokens": None}
    records = [GEMINI_MESSAGES[0], first, *GEMINI_MESSAGES[1:], {"$set": {"lastUpdated": "2026-03-02T08:00:09Z"}}]
    found = log(tmp_path / "b", *records)
    assert (found.messages, found.tool_calls, found.git_links) == (
        expected.messages,
        expected.tool_calls,
        expected.git_links,
    )
    assert found.sessions == expected.sessions
    assert not found.problems


def test_what_was_taken_back_is_gone(tmp_path: pathlib.Path) -> None:
    more = [gemini_message("u9", "user", "better", 9)]
    result = log(tmp_path, *GEMINI_MESSAGES, {"$rewindTo": "a1"}, *more)
    assert said(result) == [("user", "fix the tide"), ("user", "better")]
    assert result.skipped_records == {"rewound": 5}
    assert result.tool_calls == []
    result = log(tmp_path, *GEMINI_MESSAGES, {"$rewindTo": "unknown"}, *more)
    assert said(result) == [("user", "better")]


def test_a_compression_forgets_nothing(tmp_path: pathlib.Path) -> None:
    summary = gemini_message("s1", "user", [{"text": "the story so far"}], 9)
    shown = [summary, {**GEMINI_MESSAGES[1], "content": "masked", "toolCalls": []}]
    result = log(tmp_path, *GEMINI_MESSAGES, {"$set": {"messages": shown}}, gemini_message("u8", "user", "go on", 10))
    before = log(tmp_path, *GEMINI_MESSAGES)
    assert result.messages[:5] == before.messages
    assert said(result)[5:] == [("system", "the story so far"), ("user", "go on")]
    assert result.tool_calls == before.tool_calls


def test_what_is_shown_again_under_other_ids_counts_once(tmp_path: pathlib.Path) -> None:
    """As of a chat that was resumed, whose messages are made anew from its texts and calls."""
    calls: list[Any] = [{"functionCall": {"id": id, "name": "read_file", "args": {}}} for id in ("c1", "c2")]
    shown = [
        gemini_message("s0", "user", [{"text": "fix the tide"}], 9),
        gemini_message("s1", "gemini", [{"text": "Looking."}, *calls], 9),
        gemini_message("s2", "user", [{"functionResponse": {"id": "c1", "response": {"output": "masked"}}}], 9),
        gemini_message("s3", "gemini", [{"text": "Got it."}], 9),
    ]
    result = log(tmp_path, *GEMINI_MESSAGES, {"$set": {"messages": shown}}, gemini_message("u8", "user", "go on", 10))
    before = log(tmp_path, *GEMINI_MESSAGES)
    assert result.messages[:5] == before.messages
    assert said(result)[5:] == [("assistant", "Got it."), ("user", "go on")]
    assert result.tool_calls == before.tool_calls
    assert result.sessions[0].user_message_count == before.sessions[0].user_message_count + 1


def test_rewinding_again_and_again_costs_linear_time(tmp_path: pathlib.Path) -> None:
    messages = [gemini_message(f"m{number}", "user", "x", 1) for number in range(30_000)]
    back = [{"$rewindTo": f"m{number}"} for number in reversed(range(1, 30_000))]
    begun = time.process_time()
    assert said(log(tmp_path, *messages, *back)) == [("user", "x")]
    assert time.process_time() - begun < 60  # were it quadratic, minutes


def test_who_speaks(tmp_path: pathlib.Path) -> None:
    texts = [
        "<session_context>\nThis is the Gemini CLI.</session_context>",
        "<hook_context>x</hook_context>",
        "<state_snapshot>x</state_snapshot>",
        "Please continue.",
        "Here is the user's editor context as a JSON object. x",
    ]
    result = whole(tmp_path, *(gemini_message(f"m{n}", "user", [{"text": text}]) for n, text in enumerate(texts)))
    assert [message.role for message in result.messages] == ["system"] * 5
    assert result.sessions[0].user_message_count == 0
    typed = [
        gemini_message("m1", "user", "please continue with b"),
        gemini_message("m2", "user", [{"text": "sent with context"}], displayContent=[{"text": "typed"}]),
        gemini_message(
            "m3",
            "user",
            [
                {"text": "explain @a"},
                {"text": "\n--- Content from referenced files ---"},
                {"text": "\nContent from @a:\n"},
                {"text": "secret"},
                {"text": "\n--- End of content ---"},
            ],
        ),
        gemini_message("m4", "user", "/compress"),
        gemini_message("m5", "user", ""),
        gemini_message("m6", "model", None, parts=[{"text": "older"}]),
        gemini_message("m7", "news", "x"),
    ]
    result = whole(tmp_path, *typed)
    assert said(result) == [
        ("user", "please continue with b"),
        ("user", "typed"),
        ("user", "explain @a"),
        ("user", "/compress"),
        ("assistant", "older"),
    ]
    assert result.skipped_records == {"user/empty": 1}
    assert result.unknown_records == {"news": 1}


def test_results_of_calls(tmp_path: pathlib.Path) -> None:
    calls = [
        {**gemini_call("1", "a", status="cancelled"), "result": [{"functionResponse": {"response": {"error": "E"}}}]},
        {**gemini_call("2", "a", status="error"), "result": "text"},
        {**gemini_call("3", "a"), "result": [{"functionResponse": {"response": {"output": [1]}}}, {"text": "and"}]},
        {**gemini_call("4", "a", status="executing"), "result": None},
        {**gemini_call("5", "a"), "result": [{"functionResponse": {"response": {"output": ""}}}]},
        {**gemini_call("6", "invoke_agent"), "agentId": "sub-1"},
        {**gemini_call("7", "activate_skill", "ok"), "args": {"name": "tides"}},
    ]  # fmt: skip
    result = whole(tmp_path, gemini_message("a", "gemini", "", toolCalls=calls))
    assert [(c.result_content, c.is_error, c.result_content_length) for c in result.tool_calls] == [
        ("E", True, 1),
        ("text", True, 4),
        ("[1]\nand", False, 7),
        ("", False, None),
        ("", False, 0),
        ("", False, None),
        ("ok", False, 2),
    ]
    assert result.tool_calls[5].subagent_session_id == "gemini:sub-1"
    assert result.tool_calls[6].skill_name == "tides"


def test_calls_and_thoughts_that_only_the_content_has(tmp_path: pathlib.Path) -> None:
    parts = [
        {"text": "**Plan** think", "thought": True},
        {"text": "Now."},
        {"functionCall": {"id": "c9", "name": "glob", "args": {"pattern": "*.py"}}},
    ]
    answer = {"functionResponse": {"id": "c9", "name": "glob", "response": {"output": "a.py"}}}
    result = whole(tmp_path, gemini_message("a", "gemini", parts), gemini_message("r", "user", [answer]))
    assert said(result) == [("assistant", "[Thinking]\n**Plan** think\n[/Thinking]\nNow.\n[Glob: *.py]")]
    assert [(call.tool_use_id, call.result_content) for call in result.tool_calls] == [("c9", "a.py")]
    listed = gemini_message("a", "gemini", parts, toolCalls=[gemini_call("c9", "glob", "a.py", pattern="*.py")])
    assert len(whole(tmp_path, listed).tool_calls) == 1


# --- where it was ----------------------------------------------------------------------------------------------------


def project_hash(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


def located(root: pathlib.Path, call: dict[str, Any], folder: str = "", **meta: Any) -> Session:
    folder = folder or project_hash("/home/ada/tideclock")
    answer = gemini_message("a", "gemini", "", toolCalls=[call])
    whole = {**gemini_meta(messages=[answer]), "projectHash": project_hash("/home/ada/tideclock"), **meta}
    put(root, f"tmp/{folder}/chats/session-1.json", document(whole))
    (result,) = read(root)
    return result.sessions[0]


def test_a_directory_proves_itself(tmp_path: pathlib.Path) -> None:
    nothing = gemini_call("1", "read_file", "x", file_path="a.md")
    session = located(tmp_path / "0", nothing)
    assert (session.project_path, session.project_name, session.project_id) == ("", "", "")
    for number, call in enumerate(
        [
            gemini_call("1", "read_file", "x", file_path="/home/ada/tideclock/src/a b/c.md"),
            gemini_call("1", "list_directory", "x", dir_path="/home/ada/tideclock/"),
            gemini_call("1", "write_file", "Successfully wrote: /home/ada/tideclock/docs/blue.md.", file_path="b"),
            gemini_call("1", "run_shell_command", "x", command="cd /home/ada/tideclock && ls"),
        ]
    ):  # fmt: skip
        assert located(tmp_path / f"a{number}", call).project_path == "/home/ada/tideclock"
    listed = located(tmp_path / "b", nothing, directories=["/tmp", "/home/ada/tideclock"])
    assert listed.project_path == "/home/ada/tideclock"


def test_a_directory_that_a_file_beside_tells(tmp_path: pathlib.Path) -> None:
    nothing = gemini_call("1", "read_file", "x", file_path="a.md")
    put(tmp_path, "1/projects.json", document({"projects": {"/home/ada/tideclock": "tides", "/x": 1}}))
    assert located(tmp_path / "1", nothing, "tides").project_path == "/home/ada/tideclock"
    put(tmp_path, "5/projects.json", document({"projects": {"/home/ada/tideclock": "tides"}}))
    assert located(tmp_path / "5", nothing).project_path == "/home/ada/tideclock"
    put(tmp_path, "2/trustedFolders.json", document({"/home/ada/tideclock": "TRUST_FOLDER"}))
    assert located(tmp_path / "2", nothing, "tides").project_path == "/home/ada/tideclock"
    put(tmp_path, "3/tmp/tides/.project_root", b"/home/ada/tideclock\n")
    assert located(tmp_path / "3", nothing, "tides").project_path == "/home/ada/tideclock"
    named = located(tmp_path / "4", nothing, "tides")
    assert (named.project_name, named.project_path) == ("tides", "")


def test_no_link_is_followed_for_a_directory(tmp_path: pathlib.Path) -> None:
    secret = put(tmp_path, "secret", b"/home/ada/tideclock")
    (tmp_path / "1/tmp/tides").mkdir(parents=True)
    (tmp_path / "1/tmp/tides/.project_root").symlink_to(secret)
    nothing = gemini_call("1", "read_file", "x", file_path="a.md")
    assert located(tmp_path / "1", nothing, "tides").project_path == ""


# --- several files ---------------------------------------------------------------------------------------------------


def test_subagents_come_first_and_know_their_parent(tmp_path: pathlib.Path) -> None:
    call = {**gemini_call("c", "invoke_agent", "found"), "agentId": "sub-1"}
    put(tmp_path, f"{NAME}.jsonl", lines(gemini_meta(), gemini_message("a", "gemini", "", toolCalls=[call])))
    own = {**gemini_meta(kind="subagent", directories=["/home/ada/tideclock"]), "sessionId": "sub-1"}
    records = [own, gemini_message("u", "user", "look"), gemini_message("a", "gemini", "found")]
    put(tmp_path, f"tmp/tideclock/chats/{GEMINI}/sub-1.jsonl", lines(*records))
    sub, main = read(tmp_path)
    (session,) = sub.sessions
    assert (session.id, session.parent_session_id, session.relationship_type) == ("gemini:sub-1", ID, "subagent")
    assert session.project_path == "/home/ada/tideclock"
    assert main.tool_calls[0].subagent_session_id == session.id
    assert main.sessions[0].id == ID


def test_a_folder_that_is_called_chats_makes_no_subagents(tmp_path: pathlib.Path) -> None:
    put(tmp_path, f"tmp/chats/chats/{NAME}.jsonl", lines(gemini_meta(), *GEMINI_MESSAGES))
    put(tmp_path, "chats/some/session-1.json", document({**gemini_meta(messages=GEMINI_MESSAGES), "sessionId": "s"}))
    sessions = [result.sessions[0] for result in read(tmp_path)]
    assert sorted((one.id, one.parent_session_id, one.relationship_type) for one in sessions) == [
        (ID, "", ""),
        ("gemini:s", "", ""),
    ]


def test_a_document_and_the_log_that_followed_it_are_one_session(tmp_path: pathlib.Path) -> None:
    put(tmp_path, f"{NAME}.json", document(gemini_meta(messages=GEMINI_MESSAGES)))
    put(tmp_path, f"{NAME}.jsonl", lines(gemini_meta(), *GEMINI_MESSAGES))
    put(tmp_path, "copy/session-1.json", document(gemini_meta(messages=GEMINI_MESSAGES[:2])))
    results = read(tmp_path)
    (main,) = [result for result in results if result.sessions]
    assert main.file.endswith(".jsonl")
    assert [result.skipped_records for result in results if result is not main] == [{"file/held by another": 1}] * 2


def test_copies_that_went_different_ways_are_forks(tmp_path: pathlib.Path) -> None:
    one = gemini_message("o", "user", "one", 10)
    other = gemini_message("p", "user", "other", 11)
    put(tmp_path, "a/session-1.json", document(gemini_meta(messages=[*GEMINI_MESSAGES, other])))
    put(tmp_path, "b/session-1.json", document(gemini_meta(messages=[*GEMINI_MESSAGES, one])))
    sessions = {result.sessions[0].id: result for result in read(tmp_path)}
    assert len(sessions) == 2
    assert sessions.pop(ID).messages[-1].content == "one"  # it went on first
    (fork,) = sessions.values()
    assert fork.sessions[0].id.startswith(f"{ID}~")
    assert (fork.sessions[0].parent_session_id, fork.sessions[0].relationship_type) == (ID, "fork")
    assert fork.messages[0].source_id == f"gemini:{GEMINI}:u1"  # what both have counts once


def test_files_without_a_session_say_so(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "chats/session-1.json", b'{"messages": []}')
    put(tmp_path, "chats/session-2.json", b'{"sessionId": "x", "projectHash": "y", "messages": [')
    put(tmp_path, "chats/session-3.jsonl", lines(gemini_meta())[:-1] + b"\n{torn")
    put(tmp_path, "chats/logs.json", b"[]")
    reasons = [(result.file[-14:], [(p.line, p.reason[:9]) for p in result.problems]) for result in read(tmp_path)]
    assert reasons == [
        ("session-1.json", [(0, "no sessio")]),
        ("session-2.json", [(1, "truncated")]),
        ("ession-3.jsonl", [(2, "truncated")]),
    ]
