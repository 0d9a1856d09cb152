"""Nothing that a file of OpenCode may hold raises, and what comes out can always be stored."""

from __future__ import annotations

import copy
import json
import pathlib
import random
import sqlite3
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentstore.importers import ImportResult, import_tree
from agentstore.importers.opencode.importer import OpenCode
from tests.unit.mutation_seed import mutation_seed
from tests.unit.opencode_files import (
    CURRENT,
    SESSION,
    TABLES,
    assistant,
    call,
    export,
    insert_current,
    said,
    user,
    write_database,
    write_tree,
)
from tests.unit.test_importer_fuzz import check

WHOLE = export(
    user(1, said("wind it"), said("a file", synthetic=True), {"type": "file", "filename": "a.png"}),
    assistant(
        2,
        {"type": "reasoning", "text": "hm"},
        said("ok"),
        call("c1", "bash", {"command": "git commit"}, output="[main 1a2b3c4] x", metadata={"exit": 0}),
        call("c2", "task", {"prompt": "p"}, "error", error="no", metadata={"sessionId": "ses_1"}),
        output=9,
        error={"name": "E", "data": {"message": "m"}},
        path={"cwd": "/x"},
    ),
    user(3, {"type": "subtask", "command": "c"}),
    revert={"messageID": "m"},
)
KEYS = [
    "id",
    "info",
    "messages",
    "parts",
    "time",
    "created",
    "updated",
    "state",
    "input",
    "status",
    "tokens",
    "cache",
    "read",
    "output",
    "text",
    "type",
    "role",
    "tool",
    "callID",
    "metadata",
    "exit",
    "title",
    "directory",
    "parentID",
    "model",
    "modelID",
    "error",
    "data",
    "path",
    "content",
    "files",
    "summary",
    "command",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["user", "assistant", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
HOSTILE: list[Any] = [None, [], {}, "\ud800", 10**399, -1, 1e308, float("nan"), "x" * 5000, [[[]]], True, "../../x"]


def imported(path: pathlib.Path, data: bytes | None = None) -> list[ImportResult]:
    if data is not None:
        path.write_bytes(data)
    results = list(import_tree(path, importers=(OpenCode(),)))
    for result in results:
        check(result)
    return results


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(JSON, max_size=4), info=JSON)
def test_any_json_is_read(values: list[Any], info: Any, tmp_path: pathlib.Path) -> None:
    text = json.dumps({"info": {"id": "ses_1", "title": "t", "more": info}, "messages": values})
    imported(tmp_path / "x.json", text.encode())


def test_hostile_values_everywhere(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(400):
        session = json.loads(json.dumps(WHOLE))
        for _ in range(chance.randrange(1, 4)):
            _spoil(session, chance)
        text = json.dumps(session, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        imported(tmp_path / "x.json", text)
        if number % 8 == 0:
            _in_other_shapes(session, tmp_path / str(number))


def _spoil(value: Any, chance: random.Random) -> None:
    """Another value in one place; an object's id stays, for a file needs a name."""
    while True:
        keys = list(range(len(value))) if isinstance(value, list) else list(value)
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(value[key], dict | list) and value[key] and chance.random() < 0.8:
            value = value[key]
            continue
        value[key] = copy.deepcopy(chance.choice(HOSTILE))
        return


def _in_other_shapes(session: Any, folder: pathlib.Path) -> None:
    folder.mkdir()
    try:
        write_tree(folder, session)
        write_database(folder / "opencode.db", session).close()
    except (TypeError, KeyError, ValueError, AttributeError, OSError, sqlite3.Error, OverflowError, UnicodeError):
        pass  # what can have no such shape
    imported(folder)


def test_cut_and_damaged_bytes(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    data = json.dumps(WHOLE, indent=1).encode()
    for _ in range(200):
        cut = chance.randrange(len(data))
        results = imported(tmp_path / "x.json", data[:cut])
        assert all(result.problems for result in results)
        damaged = (
            data[:cut] + chance.choice([b"", b"{", b'"', b"\xff", b"\0", b"\xef\xbb\xbf", b"\r\n"]) + data[cut + 1 :]
        )
        imported(tmp_path / "x.json", damaged)
    for other in (b"", b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n"), data + data, b"[" * 100_000):
        imported(tmp_path / "x.json", other)
    bomb = b'{"info":{"id":"ses_1","title":"t"},"messages":' + b"[" * 100_000
    (result,) = imported(tmp_path / "x.json", bomb)
    assert [problem.reason for problem in result.problems] == ["nested too deeply"]


def test_damaged_databases(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = tmp_path / "opencode.db"
    connection = write_database(path, WHOLE, tables=TABLES + CURRENT)
    data = {"time": {"created": 1}, "text": "x", "content": [said("x"), 7, {"type": "tool", "state": 7}]}
    insert_current(connection, WHOLE["info"] | {"id": "ses_2"}, ("user", data), ("assistant", data), ("x", data))
    connection.close()
    whole = path.read_bytes()
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            damaged[chance.randrange(100, len(damaged))] = chance.randrange(256)
        imported(path, bytes(damaged[: chance.choice([len(damaged), chance.randrange(100, len(damaged))])]))


def test_columns_of_any_type(tmp_path: pathlib.Path) -> None:
    connection = write_database(tmp_path / "opencode.db", WHOLE, tables=TABLES + CURRENT)
    odd: list[Any] = [None, 7, 1.5, b"\xff\0", "x", "[]", '{"role":"user"}']
    for number, value in enumerate(odd):
        connection.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", (f"m{number}", SESSION, value, value, value))
        connection.execute(
            "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)", (f"p{number}", value, SESSION, value, value, value)
        )
        connection.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (value, *[value] * 9))
        columns = (f"s{number}", "ses_2", value, value, value, value, value)
        connection.execute("INSERT INTO session_message VALUES (?, ?, ?, ?, ?, ?, ?)", columns)
    connection.commit()
    results = imported(tmp_path / "opencode.db")
    assert msgspec.json.encode(results)
    assert any(result.sessions for result in results)
