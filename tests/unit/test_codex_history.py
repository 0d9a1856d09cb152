"""Rollouts as files: where they are, compressed and archived copies, titles, parents and children."""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

import msgspec
import pytest
import zstandard

from agentstore.importers import Home, ImportResult, Options, import_tree, importer_of
from agentstore.importers.codex import Codex
from tests.unit.codex_families import Clock, Thread
from tests.unit.codex_lines import NAME, THREAD, call, data, event, line, meta, output, said, talk, tokens, usage
from tests.unit.databases import opened

replace = msgspec.structs.replace
OTHER = "0199c82d-0000-7337-8e32-5ed701c70441"
THIRD = "0199c82e-0000-7337-8e32-5ed701c70441"
SPAWN = {"parent_thread_id": OTHER, "depth": 1, "agent_nickname": "Ada", "agent_role": "explorer"}


def save(root: pathlib.Path, name: str, content: bytes) -> pathlib.Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def rollout(id: str) -> str:
    return f"sessions/2026/02/03/rollout-2026-02-03T10-00-00-{id}.jsonl"


def imported(root: pathlib.Path) -> list[ImportResult]:
    return list(import_tree(root, importers=[Codex()]))


def by_thread(root: pathlib.Path) -> dict[str, ImportResult]:
    return {session.id.removeprefix("codex:"): result for result in imported(root) for session in result.sessions}


@pytest.mark.parametrize(
    ("system", "home", "environ", "root"),
    [
        ("linux", "/home/ada", {}, "/home/ada/.codex"),
        ("macos", "/Users/ada", {}, "/Users/ada/.codex"),
        ("linux", "/home/ada", {"CODEX_HOME": "/srv/codex"}, "/srv/codex"),
        ("windows", "C:/Users/ada", {"CODEX_HOME": " "}, "C:/Users/ada/.codex"),
    ],
)
def test_places(system: Any, home: str, environ: dict[str, str], root: str) -> None:
    kind = pathlib.PureWindowsPath if system == "windows" else pathlib.PurePosixPath
    places = Codex().places(Home(kind(home), system, environ))
    assert places == [kind(root) / "sessions", kind(root) / "archived_sessions"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (NAME, data(meta()), True),
        (NAME, b"", True),
        ("saved.jsonl", data(meta()), True),
        ("saved.jsonl", data(line("world_state", full=True)), True),
        (
            "bare.jsonl",
            b'{"id":"' + THREAD.encode() + b'","timestamp":"2025-08-05T05:05:05Z","instructions":null}',
            True,
        ),
        ("bare.jsonl", b'{"record_type":"state"}\n', True),
        (f"rollout-2025-05-01-{THREAD}.json", b'{\n  "session": {"id": ""}, "items": []}', True),
        ("other.json", b'{"session": {}, "items": []}', False),
        ("history.jsonl", b'{"session_id":"x","ts":1,"text":"hi"}\n', False),
        ("session_index.jsonl", b'{"id":"x","thread_name":"y"}\n', False),
        ("auth.json", b'{"tokens": {}}', False),
        ("claude.jsonl", b'{"parentUuid":null,"sessionId":"x","type":"user","message":{"role":"user"}}\n', False),
        (f"{NAME}.zst", b"\x28\xb5\x2f\xfd", True),
        ("notes.md", data(meta()), False),
    ],
)
def test_detect(name: str, content: bytes, expected: bool, tmp_path: pathlib.Path) -> None:
    path = save(tmp_path, name, content)
    found = importer_of(path)
    assert Codex().detect(path, content) is expected
    assert (found is not None and found.name == "codex") is expected


def test_compressed(tmp_path: pathlib.Path) -> None:
    """Also one of several frames, and one that was cut: what there is of it is read."""
    lines = [meta(), *(said("user", f"{number} {random.Random(number).random()}") for number in range(3000))]
    whole = data(*lines)
    packed = zstandard.compress(whole[:9000]) + zstandard.compress(whole[9000:])
    save(tmp_path, rollout(THREAD) + ".zst", packed)
    (result,) = imported(tmp_path)
    assert len(result.messages) == 3000
    assert result.state is None
    assert result.sessions[0].id == f"codex:{THREAD}"
    pieces = list(Codex().survey([tmp_path / (rollout(THREAD) + ".zst")], Options(piece_bytes=1000)).read(
        tmp_path / (rollout(THREAD) + ".zst")
    ))  # fmt: skip
    assert [piece.piece for piece in pieces] == list(range(len(pieces)))
    assert [message for piece in pieces for message in piece.messages] == result.messages
    save(tmp_path, rollout(THREAD) + ".zst", packed[: len(packed) // 2])
    (cut,) = imported(tmp_path)
    assert 0 < len(cut.messages) < 3000


@pytest.mark.parametrize("piece_bytes", [1000, 1 << 30])
def test_a_compression_that_is_broken_is_told(piece_bytes: int, tmp_path: pathlib.Path) -> None:
    lines = [meta(), *(said("user", f"{number} {random.Random(number).random()}") for number in range(3000))]
    packed = zstandard.compress(data(*lines[:2000])) + b"no frame" + zstandard.compress(data(*lines[2000:]))
    path = save(tmp_path, rollout(THREAD) + ".zst", packed)
    pieces = list(Codex().survey([path], Options(piece_bytes=piece_bytes)).read(path))
    assert sum(len(piece.messages) for piece in pieces) == 1999
    (problem,) = [problem for piece in pieces for problem in piece.problems]
    assert "broken" in problem.reason
    assert [piece.piece for piece in pieces] == list(range(len(pieces)))


def test_copies_of_one_file_are_one_session(tmp_path: pathlib.Path) -> None:
    lines = [meta(), said("user", "a"), said("assistant", "b"), said("user", "c")]
    save(tmp_path, rollout(THREAD), data(*lines))
    save(tmp_path, f"archived_sessions/{NAME}", data(*lines[:3]))
    save(tmp_path, rollout(THREAD) + ".zst", zstandard.compress(data(*lines)))
    results = imported(tmp_path)
    assert [session.id for result in results for session in result.sessions] == [f"codex:{THREAD}"]
    assert [len(result.messages) for result in results if result.messages] == [3]
    assert sum("file/held by another" in result.skipped_records for result in results) == 2


def test_a_thread_that_was_taken_back_and_went_on_in_another_file(tmp_path: pathlib.Path) -> None:
    """Its id stays, that in the file's name is new. What both files have counts once, what each has is its own."""
    start = [meta(), said("user", "a", 1), said("assistant", "b", 2), tokens(usage(9, 0, 5), usage(9, 0, 5), 2)]
    more = [said("user", "c", 3), said("assistant", "d", 4)]
    save(tmp_path, rollout(THREAD), data(*start, *more, tokens(usage(19, 0, 7), usage(10, 0, 2), 4)))
    save(tmp_path, rollout(OTHER), data(*start, *more, tokens(usage(20, 0, 8), usage(11, 0, 3), 4)))
    read = by_thread(tmp_path)
    (main, fork) = read[THREAD], next(result for id, result in read.items() if id != THREAD)
    assert fork.sessions[0].id.startswith(f"codex:{THREAD}~")
    assert (fork.sessions[0].relationship_type, fork.sessions[0].parent_session_id) == ("fork", f"codex:{THREAD}")
    assert [row.source_id for row in fork.messages[:2]] == [row.source_id for row in main.messages[:2]]
    assert not {row.source_id for row in fork.messages[2:]} & {row.source_id for row in main.messages}
    assert [row.output_tokens for row in fork.messages] == [0, 5, 0, 3]


def test_titles(tmp_path: pathlib.Path) -> None:
    for id in (THREAD, OTHER, THIRD):
        save(
            tmp_path, rollout(id), data(meta(id=id), said("user", "hi"), event("thread_name_updated", thread_name="n"))
        )
    index = [
        {"id": THREAD, "thread_name": "Old"},
        {"id": OTHER, "thread_name": " "},
        {"id": THREAD, "thread_name": "New"},
    ]
    save(tmp_path, "session_index.jsonl", data(*index) + b"{torn")
    database = opened(tmp_path / "state_5.sqlite")
    database.execute("CREATE TABLE threads (id TEXT PRIMARY KEY, title TEXT, first_user_message TEXT, name TEXT)")
    rows = [(THREAD, "from the database", "hi", None), (OTHER, "hi", "hi", "Named"), (THIRD, "hi", "hi", None)]
    database.executemany("INSERT INTO threads VALUES (?, ?, ?, ?)", rows)
    database.commit()
    database.close()
    save(tmp_path, "state_6.sqlite", b"no database")
    before = sorted(path.name for path in tmp_path.iterdir())
    names = {id: result.sessions[0].display_name for id, result in by_thread(tmp_path).items()}
    assert names == {THREAD: "New", OTHER: "Named", THIRD: "n"}
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_titles_in_a_database_that_codex_has_closed(tmp_path: pathlib.Path) -> None:
    """It has a log: nothing is left behind beside it. Of two databases the one with the greater number is newer, and a
    name that is no UTF-8 takes no other with it."""
    for number, name in ((5, "Old"), (10, "New")):
        database = opened(tmp_path / f"state_{number}.sqlite")
        database.execute("PRAGMA journal_mode=wal")
        database.execute("CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT)")
        rows = [(THIRD, b"caf\xe9"), (THREAD, name)]
        database.executemany("INSERT INTO threads VALUES (?, CAST(? AS TEXT))", rows)
        database.commit()
        database.close()
    save(tmp_path, rollout(THREAD), data(meta(), said("user", "hi")))
    before = sorted(path.name for path in tmp_path.iterdir())
    assert by_thread(tmp_path)[THREAD].sessions[0].display_name == "New"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("more", "relationship", "parent", "title"),
    [
        ({"forked_from_id": OTHER}, "fork", OTHER, ""),
        ({"source": {"subagent": {"thread_spawn": SPAWN}}}, "subagent", OTHER, "Ada (explorer)"),
        ({"source": {"subagent": "review"}, "parent_thread_id": OTHER}, "subagent", OTHER, "review"),
        ({"source": {"subagent": {"other": "guardian"}}}, "subagent", "", "guardian"),
        ({"thread_source": "subagent", "forked_from_id": THIRD, "parent_thread_id": OTHER}, "subagent", OTHER, ""),
        ({"history_base": {"thread_id": OTHER, "end_ordinal_exclusive": 4}}, "fork", OTHER, ""),
        ({"source": "vscode"}, "", "", ""),
        ({"forked_from_id": THREAD}, "", "", ""),
        ({"source": ["x"], "git": "x", "history_base": 5}, "", "", ""),
    ],
)  # fmt: skip
def test_relationships(
    more: dict[str, Any], relationship: str, parent: str, title: str, tmp_path: pathlib.Path
) -> None:
    save(tmp_path, rollout(THREAD), data(meta(**more), said("user", "hi")))
    (session,) = imported(tmp_path)[0].sessions
    assert (session.relationship_type, session.parent_session_id) == (relationship, parent and f"codex:{parent}")
    assert session.display_name == title


def parent_and_copy() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A parent, and what a fork of it begins with: written again with new times."""
    own = meta(id=OTHER)
    said_there = [
        said("user", "go", 1),
        event("user_message", 1, message="go"),
        call("call_1", "shell", {"command": ["ls"]}, 2),
        tokens(usage(100, 10, 5), usage(100, 10, 5), 2),
        output("call_1", "x", 3),
        said("assistant", "ok", 4),
        tokens(usage(300, 60, 12), usage(200, 50, 7), 4),
    ]
    copied = [own | {"timestamp": "2026-02-03T11:00:00.000Z"}]
    copied += [one | {"timestamp": "2026-02-03T11:00:00.000Z"} for one in said_there]
    return [own, *said_there], copied


def test_identical_siblings_stay_apart(tmp_path: pathlib.Path) -> None:
    """Two forks that go on with the same words, and the parent, too."""
    parent, copied = parent_and_copy()
    on = [said("user", "go", 8), event("user_message", 8, message="go"), said("assistant", "ok", 9)]
    save(tmp_path, rollout(OTHER), data(*parent, *on, tokens(usage(400, 60, 13), usage(100, 0, 1), 9)))
    for id, output_tokens in ((THREAD, 2), (THIRD, 2)):
        last = tokens(usage(400, 60, 12 + output_tokens), usage(100, 0, output_tokens), 9)
        save(tmp_path, rollout(id), data(meta(id=id, forked_from_id=OTHER), *copied, *on, last))
    read = by_thread(tmp_path)
    original = [row.source_id for row in read[OTHER].messages]
    there, copied_at = read[OTHER].messages[1:3], read[THREAD].messages[1].timestamp
    for id in (THREAD, THIRD):
        ids = [row.source_id for row in read[id].messages]
        assert ids[:3] == original[:3]
        assert not set(ids[3:]) & set(original)
        # As a store has it: the session whole, and what was inherited the same as in the parent.
        assert read[id].messages[1:3] == [replace(row, session_id=f"codex:{id}", timestamp=copied_at) for row in there]
        assert [row.output_tokens for row in read[id].messages] == [0, 5, 7, 0, 2]
    assert not {row.source_id for row in read[THREAD].messages[3:]} & {row.source_id for row in read[THIRD].messages}
    assert read[THREAD].sessions[0].started_at == read[THIRD].sessions[0].started_at


def test_a_fork_in_the_middle_of_a_turn(tmp_path: pathlib.Path) -> None:
    """The parent was interrupted there; the child begins with a prompt of its own."""
    parent, copied = parent_and_copy()
    stop = [said("user", "again", 5), event("user_message", 5, message="again")]
    save(tmp_path, rollout(OTHER), data(*parent, *stop, said("assistant", "never copied", 6)))
    own = [said("user", "other", 8), event("user_message", 8, message="other"), said("assistant", "ok", 9)]
    save(tmp_path, rollout(THREAD), data(meta(forked_from_id=OTHER), *copied, *stop, *own))
    read = by_thread(tmp_path)
    original = {row.source_id for row in read[OTHER].messages}
    assert [row.source_id in original for row in read[THREAD].messages] == [True] * 4 + [False] * 2


def test_a_child_that_refers_to_its_parent_and_repeats_nothing(tmp_path: pathlib.Path) -> None:
    """It goes on from the parent's totals, and may tell them first."""
    parent, _ = parent_and_copy()
    numbered = [record | {"ordinal": place} for place, record in enumerate(parent)]
    after = [said("assistant", "later", 7), tokens(usage(900, 0, 90), usage(600, 0, 78), 7)]
    numbered += [record | {"ordinal": 8 + place} for place, record in enumerate(after)]
    base = {"thread_id": OTHER, "end_ordinal_exclusive": 8, "end_byte_offset": 1}
    own = [
        meta(history_mode="paginated", history_base=base, forked_from_id=OTHER),
        said("user", "go on", 8),
        tokens(usage(300, 60, 12), usage(200, 50, 7), 8),
        said("assistant", "ok", 9),
        tokens(usage(350, 60, 15), usage(50, 0, 3), 9),
    ]
    save(tmp_path, rollout(OTHER), data(*numbered))
    save(tmp_path, rollout(THREAD), data(*(record | {"ordinal": 8 + place} for place, record in enumerate(own))))
    read = by_thread(tmp_path)
    assert [row.output_tokens for row in read[THREAD].messages] == [0, 3]
    assert sum(row.output_tokens for row in read[OTHER].messages) == 90
    assert read[THREAD].sessions[0].parent_session_id == f"codex:{OTHER}"


def test_files_that_claim_to_be_each_others_parents(tmp_path: pathlib.Path) -> None:
    for id, parent in ((THREAD, OTHER), (OTHER, THIRD), (THIRD, THREAD)):
        save(tmp_path, rollout(id), data(meta(id=id, forked_from_id=parent), said("user", "a"), said("assistant", "b")))
    assert set(by_thread(tmp_path)) == {THREAD, OTHER, THIRD}


def test_a_project_is_the_repository_that_the_records_name(tmp_path: pathlib.Path) -> None:
    save(tmp_path, rollout(THREAD), data(meta(cwd="/home/ada/.codex/worktrees/1a2b/tideclock"), said("user", "a")))
    save(tmp_path, rollout(OTHER), data(meta(id=OTHER, cwd="/home/ada/tideclock", git=None), said("user", "a")))
    shell = {"command": ["git", "remote", "get-url", "origin"], "workdir": "/srv/x"}
    told = json.dumps({"output": "git@github.com:ada/tideclock.git\n", "metadata": {"exit_code": 0}})
    lines = [meta(id=THIRD, cwd="/srv/x", git={}), said("user", "a"), call("c", "shell", shell), output("c", told)]
    save(tmp_path, rollout(THIRD), data(*lines))
    sessions = {id: result.sessions[0] for id, result in by_thread(tmp_path).items()}
    assert len({session.project_id for session in sessions.values()} - {sessions[OTHER].project_id}) == 1
    assert {session.project_name for session in sessions.values()} == {"tideclock"}


def test_a_state_goes_on_where_the_file_ended(tmp_path: pathlib.Path) -> None:
    """Also in a fork, in the middle of what it inherits."""
    rng = random.Random(5)
    parent = Thread(Clock(rng), rng, "ids")
    for _ in range(4):
        parent.turn()
    child = parent.fork()
    child.turn()
    parent.save(tmp_path)
    path = child.save(tmp_path)
    whole = path.read_bytes()
    history = Codex().survey([path, parent.save(tmp_path)], Options())
    (expected,) = history.read(path)
    for cut in range(0, len(whole), len(whole) // 7):
        path.write_bytes(whole[:cut])
        (first,) = history.read(path)
        path.write_bytes(whole)
        (second,) = history.read(path, first.state)
        rows = {row.ordinal: row for row in (*first.messages, *second.messages)}
        assert list(rows.values()) == expected.messages
        assert second.sessions == expected.sessions


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path, rollout(THREAD), data(meta(), said("user", "a")))
    history = Codex().survey([path, tmp_path / "gone.jsonl"], Options())
    with pytest.raises(OSError, match="gone"):
        list(history.read(tmp_path / "gone.jsonl"))
    assert talk(next(iter(history.read(path)))) == [("user", "a")]


def test_a_copy_whose_items_got_other_ids(tmp_path: pathlib.Path) -> None:
    """And which was written in another history mode, so that events say it in other words."""
    parent, copied = parent_and_copy()

    def with_ids(records: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
        return [
            one | {"payload": one["payload"] | {"id": f"{name}_{place}"}} if one["type"] == "response_item" else one
            for place, one in enumerate(records)
        ]

    done = event(
        "item_completed", 8, item={"type": "UserMessage", "id": "u", "content": [{"type": "text", "text": "go"}]}
    )
    there = [done if one["payload"].get("type") == "user_message" else one for one in with_ids(copied, "new")]
    save(tmp_path, rollout(OTHER), data(*with_ids(parent, "old")))
    save(tmp_path, rollout(THREAD), data(meta(forked_from_id=OTHER), *there, said("user", "more", 9)))
    read = by_thread(tmp_path)
    original = [row.source_id for row in read[OTHER].messages]
    assert [row.source_id for row in read[THREAD].messages][:-1] == original
    assert read[THREAD].messages[-1].source_id not in original
