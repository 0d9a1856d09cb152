"""Results that were too long for the transcript, and subagents whose messages stand in their parent's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentstore.importers import ImportResult, import_claude_code, import_claude_code_tree
from tests.unit.importer_lines import FILE, SESSION, assistant, data, line, result, said, use, user
from tests.unit.importer_rows import grown, union

WHOLE = "\n".join(f"line {number}" for number in range(2000))


def stub(path: str = "/home/ada/.claude/projects/p/s/tool-results/t1.txt", size: str = "18.4KB") -> str:
    head = f"Output too large ({size}). Full output saved to: {path}"
    return f"<persisted-output>\n{head}\n\nPreview (first 2KB):\n{WHOLE[:2000]}"


def content(text: str, tool_use_result: Any = None, read: Any = None) -> str:
    fields = {} if tool_use_result is None else {"toolUseResult": tool_use_result}
    records = [assistant(use("t1", "Grep", pattern="x")), result("t1", text, **fields)]
    return import_claude_code(data(*records), file=FILE, read_output=read).tool_calls[0].result_content


@pytest.mark.parametrize(
    "inside",
    [
        {"stdout": WHOLE, "stderr": "", "interrupted": False},
        {"mode": "content", "content": WHOLE, "numLines": 2000},
        {"type": "text", "file": {"filePath": "/x", "content": WHOLE}},
        {"content": [{"type": "text", "text": WHOLE}]},
        [{"type": "text", "text": WHOLE}],
        {"result": WHOLE},
        WHOLE,
    ],
)
def test_the_whole_text_stands_beside_the_stub(inside: Any) -> None:
    assert content(stub(), inside) == WHOLE


@pytest.mark.parametrize("inside", [None, {}, {"stdout": ""}, {"content": 7}, [], 5, {"file": []}])
def test_a_stub_without_more_stays(inside: Any) -> None:
    assert content(stub(), inside) == stub()


def test_what_only_begins_like_a_stub_or_is_none_stays() -> None:
    assert content("fine", {"stdout": WHOLE}) == "fine"
    assert content("see <persisted-output>", {"stdout": WHOLE}) == "see <persisted-output>"


def test_a_file_of_the_session_is_asked_for_by_its_name_only() -> None:
    asked: list[str] = []

    def read(name: str) -> str | None:
        asked.append(name)
        return WHOLE if name == "t1.txt" else None

    assert content(stub(), None, read) == WHOLE
    assert content(stub(), {"stdout": WHOLE[:3000]}, read) == WHOLE  # cut there as well
    assert content(stub("C:\\Users\\ada\\tool-results\\b12.txt"), None, read) == WHOLE
    assert asked == ["t1.txt", "t1.txt", "b12.txt", "t1.txt"]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../../etc/passwd", "..", ".", "/x/..", "C:\\x\\..", "a/.ssh", "x" * 5000, "\x00", "~"]
)
def test_no_stub_leads_out_of_the_folder(path: str) -> None:
    asked: list[str] = []
    content(stub(path), None, lambda name: asked.append(name))
    assert "t1.txt" in asked
    for name in asked:
        assert not set("/\\\x00") & set(name)
        assert not name.startswith(".")


# --- subagents without a file ----------------------------------------------------------------------------------------


def progress(agent: str, second: int, inner: dict[str, Any], **fields: Any) -> dict[str, Any]:
    inside = {key: value for key, value in inner.items() if key in ("type", "uuid", "timestamp", "message")}
    told = {"type": "agent_progress", "agentId": agent, "message": inside, "prompt": "look"}
    return line("progress", second, parentToolUseID="t1", data=told, **fields)


EMBEDDED = [
    user("go"),
    assistant(use("t1", "Task", prompt="look")),
    progress("a1", 2, user([said("look")], 2, uuid="s1")),
    progress("a1", 3, assistant(use("s-t1", "Grep", pattern="x"), id="s-m1", second=3, output=40)),
    progress("a1", 3, assistant(said("more"), id="s-m1", second=3, output=90)),
    progress("a1", 4, result("s-t1", "found", 4)),
    result("t1", "done", 5, toolUseResult={"agentId": "a1"}),
    assistant(said("so"), id="m2", second=6, output=10),
]


def embedded(*records: Any, **arguments: Any) -> ImportResult:
    return import_claude_code(data(*records), file=FILE, **arguments)


def test_a_subagent_without_a_file_becomes_a_session() -> None:
    read = embedded(*EMBEDDED, agent_files=())
    main, sub = read.sessions
    assert (sub.id, sub.parent_session_id, sub.relationship_type) == (f"{SESSION}:agent-a1", SESSION, "subagent")
    assert (sub.message_count, sub.total_output_tokens, main.total_output_tokens) == (2, 90, 10)
    assert (sub.git_branch, sub.project_id) == (main.git_branch, main.project_id)
    messages = [(m.ordinal, m.role, m.content) for m in read.messages if m.session_id == sub.id]
    assert messages == [(0, "user", "look"), (1, "assistant", "[Grep: x]\nmore")]
    calls = {call.tool_use_id: call for call in read.tool_calls}
    assert (calls["s-t1"].session_id, calls["s-t1"].result_content) == (sub.id, "found")
    assert calls["t1"].subagent_session_id == sub.id
    assert "progress/agent_progress" not in read.skipped_records


@pytest.mark.parametrize("agent_files", [None, ["a1"], {"a1", "b2"}])
def test_a_subagent_with_a_file_or_of_which_nobody_knows_stays_out(agent_files: Any) -> None:
    read = embedded(*EMBEDDED, agent_files=agent_files)
    assert [session.id for session in read.sessions] == [SESSION]
    assert read.skipped_records == {"progress/agent_progress": 4}


def test_what_the_file_of_the_subagent_says_later_takes_the_place_of_all_of_it() -> None:
    own = [
        user("look", 2, uuid="s1", isSidechain=True, agentId="a1"),
        assistant(use("s-t1", "Grep", pattern="x"), id="s-m1", second=3, output=40, isSidechain=True, agentId="a1"),
        assistant(said("more"), id="s-m1", second=3, output=90, isSidechain=True, agentId="a1"),
        result("s-t1", "found", 4, isSidechain=True, agentId="a1"),
        assistant(said("That is it."), id="s-m2", second=5, output=7, isSidechain=True, agentId="a1"),
    ]
    file = f"projects/-home-ada-clock/{SESSION}/subagents/agent-a1.jsonl"
    alone = union([import_claude_code(data(*own), file=file)])["rows"]
    both = union([embedded(*EMBEDDED, agent_files=()), import_claude_code(data(*own), file=file)])["rows"]
    agent = f"{SESSION}:agent-a1"
    assert {key: row for key, row in both.items() if key[1] == agent} == alone


def test_embedded_messages_in_pieces_are_the_same() -> None:
    whole = data(*EMBEDDED)
    expected = union([embedded(*EMBEDDED, agent_files=())])
    ends = [len(data(*EMBEDDED[:end])) for end in range(1, len(EMBEDDED) + 1)]
    assert union(grown(whole, ends, 1, file=FILE, agent_files=())) == expected


@pytest.mark.parametrize(
    "message", [None, 5, [], {}, {"type": "system"}, {"type": "user"}, {"message": {"content": "x"}}]
)
def test_embedded_messages_of_the_wrong_shape_are_no_session(message: Any) -> None:
    broken = line("progress", 2, data={"type": "agent_progress", "agentId": "a1", "message": message})
    read = embedded(user("x"), broken, agent_files=())
    assert [session.id for session in read.sessions] == [SESSION]


def test_the_number_of_embedded_subagents_is_bounded() -> None:
    many = [progress(f"a{number}", number, user("x", number)) for number in range(300)]
    read = embedded(user("go"), *many, agent_files=())
    assert len(read.sessions) == 201
    assert read.skipped_records == {"progress/agent_progress": 100}


@pytest.mark.parametrize("piece_bytes", [1, 10**7])
def test_a_tree_gives_one_session_at_a_time(tmp_path: Path, piece_bytes: int) -> None:
    (tmp_path / f"{SESSION}.jsonl").write_bytes(data(*EMBEDDED))
    results = list(import_claude_code_tree(tmp_path, piece_bytes=piece_bytes))
    for read in results:
        assert len(read.sessions) <= 1
        ids = {row.session_id for row in read.messages} | {row.session_id for row in read.tool_calls}
        assert ids <= {session.id for session in read.sessions}
    subs = [read for read in results if read.file.endswith(f"{SESSION}.jsonl#agent-a1")]
    assert [read.piece for read in subs] == list(range(len(subs)))
    assert results[-1].sessions[0].id == SESSION
    expected = union([embedded(*EMBEDDED, agent_files=())])["rows"]
    assert {key[:2] for key in union(results)["rows"]} == {key[:2] for key in expected}
