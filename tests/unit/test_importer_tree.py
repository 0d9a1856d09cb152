"""A tree of files: one session in several places, projects, names and other agents, whatever the order."""

from __future__ import annotations

import json
import os
import pathlib
import random
import shutil
import tracemalloc
from typing import Any

import pytest

from agentstore.importers import ImportResult, find_claude_code, import_claude_code, import_claude_code_tree
from agentstore.importers.projects import project_of
from agentstore.models import Session
from tests.unit.importer_lines import SESSION, assistant, data, line, result, said, use, user

OTHER = "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f"
HELD = {"file/held by another": 1}


def write(root: pathlib.Path, name: str, *records: Any) -> pathlib.Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data(*records))
    return path


def sessions(root: pathlib.Path, **arguments: Any) -> dict[str, Session]:
    read = [session for result in import_claude_code_tree(root, **arguments) for session in result.sessions]
    assert len({session.id for session in read}) == len(read)
    return {session.id: session for session in read}


def talk(*parts: str, start: int = 0) -> list[dict[str, Any]]:
    """A prompt and a response for each part."""
    records = []
    for number, part in enumerate(parts, start):
        records += [
            user(part, 2 * number, uuid=f"u-{part}"),
            assistant(said(part), second=2 * number + 1, id=f"msg_{part}", uuid=f"l-{part}", output=1),
        ]
    return records


# --- one session in several places ------------------------------------------------------------------------------------


def test_exports_that_call_every_file_the_same_are_the_sessions_that_the_records_name(tmp_path: pathlib.Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    ids = [f"{number:08x}-2b64-4e0a-8f35-6a1b2c3d4e5f" for number in range(53)]
    numbers = list(range(60))
    chance.shuffle(numbers)
    for number, id in zip(numbers, [*ids, *ids[:7]], strict=True):
        parts = ["a", "b"] if number % 2 else ["a", "b", "c"]
        records = [record | {"sessionId": id} for record in talk(*(f"{id[:8]}{part}" for part in parts))]
        write(tmp_path, f"{number:02x}/0/full.jsonl", *records)
    read = list(import_claude_code_tree(tmp_path))
    assert sorted(s.id for r in read for s in r.sessions) == ids
    assert [r.skipped_records for r in read].count(HELD) == 7
    assert all(r.replaces == ["full"] for r in read if r.sessions)


def test_a_copy_that_extends_a_session_continues_it_in_whatever_folder(tmp_path: pathlib.Path) -> None:
    for longer, shorter in (("a", "z"), ("z", "a")):
        root = tmp_path / longer
        write(root, f"{shorter}/{SESSION}.jsonl", *talk("one"))
        write(root, f"{longer}/{SESSION}.jsonl", *talk("one", "two"))
        (only,) = sessions(root).values()
        assert (only.id, only.message_count, only.relationship_type) == (SESSION, 4, "")


def test_a_copy_that_diverges_is_a_fork_whose_id_depends_on_no_folder(tmp_path: pathlib.Path) -> None:
    found = []
    for number, (first, second) in enumerate([("a", "z"), ("z", "a")]):
        root = tmp_path / str(number)
        write(root, f"{first}/{SESSION}.jsonl", *talk("one", "two"))
        write(root, f"{second}/{SESSION}.jsonl", *talk("one"), *talk("three", "four", start=5))
        found.append(sessions(root))
        (fork,) = found[-1].keys() - {SESSION}
        read = [r for r in import_claude_code_tree(root) if r.sessions and r.sessions[0].id == fork]
        assert {message.session_id for r in read for message in r.messages} == {fork}
        assert fork.startswith(f"{SESSION}~")
        assert found[-1][fork].parent_session_id == SESSION
        assert (found[-1][fork].relationship_type, found[-1][fork].message_count) == ("fork", 6)
        assert (found[-1][SESSION].relationship_type, found[-1][SESSION].message_count) == ("", 4)
    assert found[0] == found[1]


def test_torn_and_joined_lines_of_a_copy_are_no_divergence(tmp_path: pathlib.Path) -> None:
    whole = data(*talk("one", "two", "three"))
    lines = whole.splitlines(keepends=True)
    write(tmp_path, f"a/{SESSION}.jsonl").write_bytes(lines[0] + lines[1].rstrip(b"\n") + b"".join(lines[2:4]))
    write(tmp_path, f"b/{SESSION}.jsonl").write_bytes(whole[:-40])
    write(tmp_path, f"c/{SESSION}.jsonl").write_bytes(whole)
    (only,) = sessions(tmp_path).values()
    assert only.message_count == 6


def test_the_same_subagents_id_in_two_sessions_is_two_subagents(tmp_path: pathlib.Path) -> None:
    for session, part in ((SESSION, "one"), (OTHER, "two")):
        records = [record | {"sessionId": session} for record in talk(part)]
        calls = [assistant(use("t", "Agent")), result("t", toolUseResult={"agentId": "7c1e0b2"})]
        write(tmp_path, f"p/{session}.jsonl", *records, *(call | {"sessionId": session} for call in calls))
        agents = [record | {"isSidechain": True, "agentId": "7c1e0b2"} for record in records]
        write(tmp_path, f"p/{session}/subagents/agent-7c1e0b2.jsonl", *agents)
        # A copy of it elsewhere below the root is the same one.
        write(tmp_path, f"copy/{session}/subagents/agent-7c1e0b2.jsonl", *agents[:1])
    read = list(import_claude_code_tree(tmp_path))
    found = {s.id: s for r in read for s in r.sessions}
    assert set(found) == {SESSION, OTHER, f"{SESSION}:agent-7c1e0b2", f"{OTHER}:agent-7c1e0b2"}
    assert {call.subagent_session_id for r in read for call in r.tool_calls} == set(found) - {SESSION, OTHER}
    assert found[f"{OTHER}:agent-7c1e0b2"].parent_session_id == OTHER


def test_two_subagents_of_one_id_in_one_session_are_both_kept_and_both_its(tmp_path: pathlib.Path) -> None:
    for folder, part in (("a", "one"), ("b", "two")):
        records = [record | {"isSidechain": True} for record in talk(part)]
        write(tmp_path, f"{folder}/{SESSION}/subagents/agent-a.jsonl", *records)
    found = sessions(tmp_path)
    assert len(found) == 2
    assert {(s.parent_session_id, s.relationship_type) for s in found.values()} == {(SESSION, "subagent")}


def test_messages_of_a_subagent_count_once_whether_or_not_it_has_a_file(tmp_path: pathlib.Path) -> None:
    inner = assistant(said("found"), id="msg_sub", output=500)
    progress = line(
        "progress", 3, parentToolUseID="t", data={"type": "agent_progress", "agentId": "a1", "message": inner}
    )
    write(tmp_path, f"p/{SESSION}.jsonl", *talk("go"), assistant(use("t", "Task")), progress)
    found = sessions(tmp_path)
    assert set(found) == {SESSION, f"{SESSION}:agent-a1"}
    assert found[f"{SESSION}:agent-a1"].total_output_tokens == 500
    write(tmp_path, f"p/{SESSION}/subagents/agent-a1.jsonl", inner | {"isSidechain": True, "agentId": "a1"})
    again = sessions(tmp_path)
    assert set(again) == set(found)
    assert sum(s.total_output_tokens for s in again.values()) == sum(s.total_output_tokens for s in found.values())


# --- what belongs to a file -----------------------------------------------------------------------------------------


def test_what_stands_beside_a_file_is_read_and_nothing_else(tmp_path: pathlib.Path) -> None:
    stub = "<persisted-output>\nOutput too large (1.0KB). Full output saved to: /x/tool-results/t.txt\n\nPreview"
    calls = [assistant(use("t", "Read")), result("t", stub)]
    agent = [record | {"isSidechain": True} for record in (*talk("look"), *calls)]
    secret = tmp_path / "secret"
    secret.write_text("s3cret" * 200)
    write(tmp_path, f"p/{SESSION}.jsonl", *talk("go"), *calls)
    folder = tmp_path / "p" / SESSION
    write(tmp_path, f"p/{SESSION}/subagents/agent-a.jsonl", *agent)
    write(tmp_path, f"p/{SESSION}/subagents/workflows/r/agent-b.jsonl", *agent)
    (folder / "subagents" / "agent-a.meta.json").write_text(json.dumps({"agentType": "Explore", "description": "Look"}))
    (folder / "subagents" / "workflows" / "r" / "agent-b.meta.json").symlink_to(secret)
    (folder / "tool-results").mkdir()
    (folder / "tool-results" / "t.txt").write_text("whole " * 200)
    read = list(import_claude_code_tree(tmp_path))
    assert [call.result_content for r in read for call in r.tool_calls] == ["whole " * 200] * 3
    assert {s.display_name for r in read for s in r.sessions} == {"", "Look"}
    (folder / "tool-results" / "t.txt").unlink()
    (folder / "tool-results" / "t.txt").symlink_to(secret)
    (folder / "subagents" / "agent-a.meta.json").unlink()
    os.mkfifo(folder / "subagents" / "agent-a.meta.json")
    again = list(import_claude_code_tree(tmp_path))
    assert [call.result_content for r in again for call in r.tool_calls] == [stub] * 3
    assert {s.display_name for r in again for s in r.sessions} == {""}


def test_a_worktrees_name_is_no_title(tmp_path: pathlib.Path) -> None:
    stamped = [
        *talk("go"),
        line("custom-title", customTitle="fix-clock"),
        line(
            "worktree-state", worktreeSession={"worktreeName": "fix-clock", "worktreePath": "/w", "originalCwd": "/r"}
        ),
    ]
    write(tmp_path, f"p/{SESSION}.jsonl", *stamped)
    own = [record | {"sessionId": OTHER} for record in (*stamped, line("custom-title", customTitle="mine"))]
    write(tmp_path, f"p/{OTHER}.jsonl", *own)
    found = sessions(tmp_path)
    assert (found[SESSION].display_name, found[OTHER].display_name) == ("", "mine")


def test_pipes_are_not_opened(tmp_path: pathlib.Path) -> None:
    (tmp_path / "p").mkdir()
    os.mkfifo(tmp_path / "p" / f"{SESSION}.jsonl")
    os.mkfifo(tmp_path / "p" / "agent-a.jsonl")
    assert list(find_claude_code(tmp_path)) == []


# --- who speaks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "text", "role"),
    [
        ({"origin": {"kind": "human"}}, "Caveat: The messages below are odd", "user"),
        ({"promptSource": "typed"}, "[Request interrupted by user] is what it says", "user"),
        ({"origin": {"kind": "peer"}}, "do this", "system"),
        ({"origin": {"kind": "coordinator"}, "isMeta": True}, "do this", "system"),
        ({"isMeta": True}, "<agent-notification>done</agent-notification>", "system"),
        ({"isMeta": True, "origin": {"kind": "auto-continuation"}}, "go on", ""),
        ({"isMeta": True, "origin": {"kind": "human"}}, "[Image: source: /x]", ""),
        ({"isMeta": True}, "Base directory for this skill: /x", ""),
        ({"promptSource": "sdk"}, "do this", "user"),
        ({"promptSource": "system"}, "do this", "system"),
        ({"origin": "nonsense"}, "do this", "user"),
        ({"origin": {"kind": "human"}, "isCompactSummary": True}, "This session is being continued", "system"),
    ],
)
def test_who_speaks_in_a_line(fields: dict[str, Any], text: str, role: str) -> None:
    read = import_claude_code(data(user("hi"), user(text, 1, **fields)))
    assert [(m.role, m.content) for m in read.messages[1:]] == ([(role, text)] if role else [])
    assert read.sessions[0].user_message_count == 1 + (role == "user")


def test_who_speaks_in_what_was_queued() -> None:
    def queued(text: str, second: int, **origin: str) -> dict[str, Any]:
        return line("attachment", second, attachment={"type": "queued_command", "prompt": text, "origin": origin})

    read = import_claude_code(data(queued("a", 1, kind="human"), queued("b", 2, kind="peer"), queued("c", 3)))
    assert [(m.role, m.content) for m in read.messages] == [("user", "a"), ("system", "b"), ("user", "c")]


# --- projects ---------------------------------------------------------------------------------------------------------

REQUEST = "https://github.com/ada/clock/pull/3"


def test_one_repository_is_one_project_for_all_files_of_a_tree(tmp_path: pathlib.Path) -> None:
    at = {
        "00000001": "/home/ada/clock",
        "00000002": "/home/ada/clock/.worktrees/fix",
        "00000003": "/home/ada/.codex/worktrees/44be/clock",
        "00000004": "/tmp/wt/7",
        "00000005": "/home/ada/sand",
    }
    for first, cwd in at.items():
        records = [record | {"sessionId": f"{first}{SESSION[8:]}", "cwd": cwd} for record in talk(first)]
        if first == "00000001":
            records.append(line("pr-link", 9, prUrl=REQUEST, cwd=cwd))
        if first == "00000004":
            made = {"worktreeName": "7", "worktreePath": cwd, "originalCwd": "/home/ada/clock"}
            records.append(line("worktree-state", worktreeSession=made))
        write(tmp_path, f"p/{first}{SESSION[8:]}.jsonl", *records)
    found = {s.project_path: (s.project_id, s.project_name) for s in sessions(tmp_path).values()}
    assert list(found) == list(at.values())
    assert len({found[cwd] for cwd in list(at.values())[:4]}) == 1
    assert found["/home/ada/clock"][1] == "clock"
    assert found["/home/ada/sand"] == project_of("/home/ada/sand")[:2]


def test_a_file_alone_tells_its_remote_or_guesses_nothing() -> None:
    asked = [assistant(use("t", command="git remote -v")), result("t", "origin\tgit@github.com:ada/clock.git (fetch)")]
    by_remote = import_claude_code(data(user("hi"), *asked)).sessions[0]
    by_request = import_claude_code(data(user("hi", cwd="/other"), line("pr-link", prUrl=REQUEST))).sessions[0]
    assert by_remote.project_id == by_request.project_id != ""
    assert by_remote.project_id != import_claude_code(data(user("hi"))).sessions[0].project_id
    two = line("pr-link", prUrl="https://github.com/ada/sand/pull/4")
    plain = import_claude_code(data(user("hi", cwd="/other"), line("pr-link", prUrl=REQUEST), two)).sessions[0]
    assert plain.project_id == project_of("/other").id
    elsewhere = [record | {"cwd": "/elsewhere"} for record in asked]
    moved = import_claude_code(data(user("hi"), *elsewhere)).sessions[0]
    assert moved.project_id == project_of("/home/ada/clock").id


def test_a_remote_that_one_session_asked_for_is_that_of_all_in_its_directory(tmp_path: pathlib.Path) -> None:
    asked = [
        assistant(use("t", command="git remote get-url origin")),
        result("t", "https://s3cret@github.com/ada/uhr\n"),
    ]
    write(tmp_path, f"p/{SESSION}.jsonl", *talk("one"), *asked)
    write(tmp_path, f"p/{OTHER}.jsonl", *(record | {"sessionId": OTHER} for record in talk("two")))
    one, two = sessions(tmp_path).values()
    assert one.project_id == two.project_id
    assert one.project_name == two.project_name == "uhr"


def test_what_is_pushed_to_is_the_remote_where_it_has_the_name_of_the_directory(tmp_path: pathlib.Path) -> None:
    def pushing(id: str, cwd: str, *urls: str) -> None:
        records = talk(id)
        for number, url in enumerate(urls):
            call = use(f"t{number}", command="git push")
            records += [assistant(call, id=f"msg{number}"), result(f"t{number}", f"To {url}\n")]
        write(tmp_path, f"p/{id}.jsonl", *(record | {"sessionId": id, "cwd": cwd} for record in records))

    ids = [f"{number}{SESSION[1:]}" for number in range(6)]
    pushing(ids[0], "/a/clock", "git@github.com:ada/clock.git")
    pushing(ids[1], "/a/clock")
    pushing(ids[2], "/b/clock", "https://github.com/Ada/clock")
    pushing(ids[3], "/b/other", "https://github.com/Ada/clock")  # somewhere else, who knows why
    pushing(ids[4], "/c/clock", "https://github.com/ada/clock", "https://github.com/fork/clock")
    pushing(ids[5], "/c/clock")
    found = sessions(tmp_path)
    assert len({found[id].project_id for id in ids[:3]}) == 1
    assert found[ids[0]].project_id != project_of("/a/clock").id
    assert [found[id].project_id for id in ids[3:]] == [
        project_of(cwd).id for cwd in ("/b/other", "/c/clock", "/c/clock")
    ]
    alone = import_claude_code((tmp_path / "p" / f"{ids[0]}.jsonl").read_bytes()).sessions[0]
    assert alone.project_id == found[ids[0]].project_id


def test_the_directory_is_looked_at_only_where_it_is_allowed(tmp_path: pathlib.Path) -> None:
    clock = tmp_path / "clock"
    (clock / ".git").mkdir(parents=True)
    (clock / ".git" / "config").write_text('[remote "origin"]\nurl = git@github.com:ada/uhr.git\n')
    (clock / "src").mkdir()
    for id, cwd in ((SESSION, clock), (OTHER, clock / "src")):
        records = [record | {"sessionId": id, "cwd": str(cwd)} for record in talk(id)]
        write(tmp_path, f"p/{id}.jsonl", *records)
    assert {s.project_name for s in sessions(tmp_path).values()} == {"clock", "src"}
    assert {s.project_name for s in sessions(tmp_path, local_git=True).values()} == {"uhr"}
    (clock / ".git" / "config").write_text("")
    assert {s.project_name for s in sessions(tmp_path, local_git=True).values()} == {"clock"}


# --- other agents -----------------------------------------------------------------------------------------------------


def test_files_of_other_agents_are_found_only_when_asked_for(tmp_path: pathlib.Path) -> None:
    write(tmp_path, f".claude/projects/x/{SESSION}.jsonl", *talk("one"))
    iflow = f"session-{OTHER}"
    records = [record | {"sessionId": iflow, "version": "0.5.14"} for record in talk("two")]
    write(tmp_path, f".iflow/projects/x/{iflow}.jsonl", *records)
    write(tmp_path, f".qwen/projects/x/chats/{OTHER}.jsonl", *talk("three"))
    assert {s.agent_type for s in sessions(tmp_path).values()} == {"claude-code"}
    found = sessions(tmp_path, others=True)
    assert {id: s.agent_type for id, s in found.items()} == {
        SESSION: "claude-code",
        iflow: "iflow",
        OTHER: "qwen-code",
    }
    # Also where it was taken from its place, and given alone.
    taken = shutil.move(tmp_path / ".iflow" / "projects" / "x" / f"{iflow}.jsonl", tmp_path / "x.jsonl")
    (alone,) = import_claude_code_tree(taken)
    assert (alone.sessions[0].id, alone.sessions[0].agent_type) == (iflow, "iflow")


# --- big files --------------------------------------------------------------------------------------------------------


def joined(results: list[ImportResult]) -> dict[str, Any]:
    """The last row of each key."""
    return {
        "messages": list({m.ordinal: m for r in results for m in r.messages}.values()),
        "calls": {(c.message_ordinal, c.tool_use_id, c.call_index): c for r in results for c in r.tool_calls},
        "session": results[-1].sessions[0],
    }


def test_a_big_file_comes_in_pieces_and_in_bounded_memory(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, f"p/{SESSION}.jsonl")
    with path.open("wb") as file:
        for number in range(5_000):
            file.write(data(user(f"{number} " + "x" * 2000, number % 3600, uuid=f"u{number}")))
        file.write(data(line("summary", None, summary="The clock", leafUuid=f"u{number}")))
    write(tmp_path, f"q/{SESSION}.jsonl", user("0 " + "x" * 2000, 0, uuid="u0"))  # so that its records are compared
    tracemalloc.start()
    messages = pieces = 0
    last = Session("")
    for read in import_claude_code_tree(tmp_path, piece_bytes=1 << 18):
        if read.skipped_records != HELD:
            assert read.piece == pieces
            pieces += 1
            messages += len(read.messages)
            last = read.sessions[0]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pieces > 30
    assert messages == last.message_count == 5_000
    assert last.display_name == "The clock"
    assert peak < path.stat().st_size / 2


def test_pieces_make_the_rows_of_the_whole(tmp_path: pathlib.Path) -> None:
    records = [*talk(*map(str, range(50))), assistant(use("t")), *talk("more", start=60), result("t", second=200)]
    write(tmp_path, "export/full.jsonl", *records)
    (whole,) = import_claude_code_tree(tmp_path)
    assert joined(list(import_claude_code_tree(tmp_path, piece_bytes=1))) == joined([whole])
    assert whole.sessions[0].id == SESSION
