"""OpenCode's database: read beside the program, older ones too, and again only where something has changed."""

from __future__ import annotations

import os
import pathlib

import msgspec
import pytest

from agentstore.importers import ImportResult, ImportState, StaleStateError, sqlite_files
from agentstore.importers.importer import Options
from agentstore.importers.opencode.importer import OpenCode
from tests.unit.databases import opened
from tests.unit.importer_rows import kept
from tests.unit.opencode_files import (
    SESSION,
    START,
    TABLES,
    assistant,
    call,
    export,
    insert,
    read,
    said,
    user,
    write_database,
    write_export,
    write_tree,
)

TALK = [user(1, said("x")), assistant(2, said("y"), call("c", "bash", {"command": "ls"}, output="a"), output=3)]


def imported(path: pathlib.Path, state: ImportState | None = None) -> tuple[list[ImportResult], ImportState]:
    """The results that have a session, and the state of the last."""
    results = list(OpenCode().survey([path], Options()).read(path, state))
    return [result for result in results if result.sessions], kept(results[-1].state)


def test_only_sessions_that_have_changed_are_read_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "opencode.db"
    connection = write_database(path, export(*TALK), export(*TALK, id="ses_other"))
    first, state = imported(path)
    assert len(first) == 2
    again, state = imported(path, state)
    assert again == []
    changes = {
        "UPDATE part SET data = json_set(data, '$.text', 'more'), time_updated = 7 WHERE id = 'prt_0002_0000'": 1,
        "UPDATE session SET title = 'T', time_updated = time_updated + 1 WHERE id = 'ses_other'": 1,
        "DELETE FROM message WHERE id = 'msg_0002'": 1,  # an undo
        "UPDATE project SET worktree = '/moved', time_updated = time_updated + 1": 2,
        "INSERT INTO part SELECT 'prt_9', message_id, session_id, 1, 1, data FROM part WHERE id = 'prt_0001_0000'": 1,
    }
    for statement, number in changes.items():
        connection.execute(statement)
        connection.commit()
        again, state = imported(path, state)
        assert len(again) == number, statement
        assert imported(path, state)[0] == []
    insert(connection, export(*TALK, id="ses_third", projectID="p2"))
    assert [result.sessions[0].id for result in imported(path, state)[0]] == ["opencode:ses_third"]


def test_nothing_is_left_beside_the_database(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "opencode.db"
    write_database(path, export(*TALK)).close()
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert len(read(path)) == 1
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    # A running program may write at once after that.
    running = write_database(tmp_path / "kilo.db", export(*TALK))
    assert len(read(tmp_path / "kilo.db")) == 1
    running.execute("DELETE FROM part")
    running.commit()


def test_older_databases(tmp_path: pathlib.Path) -> None:
    (expected,) = read(write_export(tmp_path / "x.json", export(*TALK)))
    tables = TABLES.replace("directory TEXT, ", "").replace("time_updated INTEGER", "moved INTEGER")
    write_database(tmp_path / "opencode.db", export(*TALK), tables=tables)
    results, state = imported(tmp_path / "opencode.db")
    assert results[0].messages == expected.messages
    assert results[0].tool_calls == expected.tool_calls
    assert results[0].sessions[0].project_path == "/home/ada/project"
    # It does not say when it changed.
    assert len(imported(tmp_path / "opencode.db", state)[0]) == 1


def test_a_state_of_files(tmp_path: pathlib.Path) -> None:
    tree = write_tree(tmp_path, export(*TALK))
    document = write_export(tmp_path / "x.json", export(*TALK, id="ses_other"))
    for path, changed in ((tree, tmp_path / "storage/part/msg_0002/prt_0002_0001.json"), (document, document)):
        results, state = imported(path)
        assert len(results) == 1
        assert imported(path, state) == ([], state)
        text = changed.read_text(encoding="utf-8")
        changed.write_text(text.replace('"a"', '"b"'), encoding="utf-8")
        os.utime(changed, ns=(START, START))
        with pytest.raises(StaleStateError):
            imported(path, state)
        with pytest.raises(StaleStateError):
            imported(path, msgspec.structs.replace(state, version=0))
        changed.unlink()
        if path == tree:
            with pytest.raises(StaleStateError):
                imported(path, state)


def test_large_sessions_come_in_pieces(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "opencode.db"
    write_database(path, export(*(user(n, said("x" * 1000)) for n in range(1, 50)))).close()
    history = OpenCode().survey([path], Options(piece_bytes=10_000))
    *pieces, last = history.read(path)
    assert [piece.piece for piece in pieces] == list(range(len(pieces)))
    assert len(pieces) > 3
    assert [message.ordinal for piece in pieces for message in piece.messages] == list(range(49))
    assert {piece.file for piece in pieces} == {f"{path}#{SESSION}"}
    assert pieces[-1].sessions[0].message_count == 49
    assert (last.file, last.sessions) == (str(path), [])


def test_what_cannot_be_read_is_a_problem(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "opencode.db"
    connection = write_database(path, export(*TALK))
    connection.execute("UPDATE part SET data = 'x' WHERE id = 'prt_0002_0000'")
    connection.execute("INSERT INTO message VALUES ('m9', ?, 1, 1, NULL)", (SESSION,))
    connection.execute("INSERT INTO message VALUES ('m8', ?, 1, 1, '[1]')", (SESSION,))
    connection.commit()
    (result,), _ = imported(path)
    assert len(result.problems) == 3
    assert {problem.file for problem in result.problems} == {f"{path}#{SESSION}"}
    assert [message.role for message in result.messages] == ["user", "assistant"]
    connection.close()
    path.write_bytes(path.read_bytes()[:5000])
    results = list(OpenCode().survey([path], Options()).read(path))
    assert any(result.problems for result in results)


def test_a_database_of_another_name(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "backup.sqlite"
    write_database(path, export(*TALK)).close()
    assert len(read(path)) == 1
    other = opened(tmp_path / "other.db")
    other.execute("CREATE TABLE session(id)")
    other.close()
    assert read(tmp_path / "other.db") == []


def test_what_cannot_be_read_whole_takes_nobodys_place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_files, "BUSY_SECONDS", 0.01)
    path = tmp_path / "opencode.db"
    sessions = [export(*TALK, id=id) for id in ("ses_a", "ses_b", "ses_c")]
    connection = write_database(path, *sessions)
    connection.execute("PRAGMA journal_mode=DELETE")
    results = OpenCode().survey([path], Options()).read(path)
    assert len(next(results).messages) == 2
    connection.execute("BEGIN EXCLUSIVE")
    rest = list(results)
    assert not any(result.sessions or result.messages for result in rest)
    assert [problem.reason for problem in rest[-1].problems] == [
        "the database cannot be read further: database is locked"
    ]
    connection.rollback()
    assert len(imported(path, rest[-1].state)[0]) == 3
    connection.close()


def test_sessions_of_a_damaged_database_are_whole_or_missing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "opencode.db"
    write_database(path, *(export(user(1, said("x" * 900)), *TALK, id=f"ses_{n}") for n in range(40))).close()
    whole = path.read_bytes()
    expected = {result.sessions[0].id: (result.messages, result.tool_calls) for result in imported(path)[0]}
    assert len(expected) == 40
    found = 0
    for page in range(4096, len(whole), 4096):
        path.write_bytes(whole[:page] + bytes(4096) + whole[page + 4096 :])
        for result in imported(path)[0]:
            assert (result.messages, result.tool_calls) == expected[result.sessions[0].id]
            found += 1
    assert found


def test_the_program_may_write_between_two_pieces(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "opencode.db"
    connection = write_database(path, export(*(user(n, said("x" * 1000)) for n in range(300))))
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA busy_timeout=10")
    results = OpenCode().survey([path], Options(piece_bytes=10_000)).read(path)
    first = next(results)
    connection.execute("UPDATE session SET title = 'T'")
    connection.commit()
    assert len(first.messages) + sum(len(result.messages) for result in results) == 300
    connection.close()


def test_an_export_that_begins_with_much_is_looked_over_too(tmp_path: pathlib.Path) -> None:
    newer = {"created": START, "updated": START + 100_000}
    write_export(tmp_path / "x.json", export(user(1, said("newer")), time=newer, summary={"diffs": ["x" * 2_000_000]}))
    write_database(tmp_path / "opencode.db", export(*TALK)).close()
    (result,) = read(tmp_path)
    assert result.messages[0].content == "newer"
