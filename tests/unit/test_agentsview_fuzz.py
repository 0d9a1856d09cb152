"""Nothing that a database of agentsview's shape may hold raises, and what comes out can always be stored."""

from __future__ import annotations

import pathlib
import random
from typing import Any

from agentstore.importers import ImportResult, import_tree
from agentstore.importers.agentsview.importer import AgentsView
from tests.unit.agentsview_files import NOW, Archive, at
from tests.unit.importer_lines import SESSION
from tests.unit.mutation_seed import mutation_seed
from tests.unit.test_importer_fuzz import check

ODD: list[Any] = [
    None,
    -1,
    2**62,
    1.5,
    b"\xff\0",
    "x",
    "[]",
    '{"input_tokens":1e400}',
    "[" * 5000,
    at(1),
    SESSION,
    "agent-a",
]


def imported(path: pathlib.Path) -> list[ImportResult]:
    results = list(import_tree(path, importers=(AgentsView(),)))
    for result in results:
        check(result)
    return results


def filled(path: pathlib.Path) -> Archive:
    archive = Archive(path)
    for id, agent in (
        (SESSION, "claude"),
        ("agent-a", "claude"),
        ("codex:c", "codex"),
        ("pi:p", "pi"),
        ("kilo:k", "kilo"),
    ):
        archive.session(id, agent, parent_session_id=SESSION if id == "agent-a" else None)
        archive.message(id, "user", "x", timestamp=at(1), source_uuid="u")
        said = archive.message(id, "assistant", "y", timestamp=at(2), token_usage='{"input_tokens":1}')
        archive.call(id, said, "Bash", {"command": "git commit"}, tool_use_id="t", result_content="[main 1a2b3c4] x")
        archive.event(id, 1, "z", agent_id="a")
        archive.usage(id, input_tokens=1)
    return archive


def test_columns_of_any_type(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    archive = filled(tmp_path / "sessions.db")
    tables = [line.split()[2] for line in NOW.splitlines() if line.startswith("CREATE TABLE")]
    for _ in range(150):
        connection = archive.connection
        for _ in range(chance.randrange(1, 5)):
            table = chance.choice(tables)
            columns = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (table,))
            names = [name for name, kind, is_key in columns if (kind, is_key) != ("INTEGER", 1)]
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            values = (chance.choice(ODD), chance.randrange(rows))
            row = f"(SELECT rowid FROM {table} LIMIT 1 OFFSET ?)"
            connection.execute(f"UPDATE OR IGNORE {table} SET {chance.choice(names)} = ? WHERE rowid = {row}", values)
        connection.commit()
        assert imported(archive.path)


def test_parents_that_go_round(tmp_path: pathlib.Path) -> None:
    archive = Archive(tmp_path / "sessions.db")
    branch = f"{SESSION}-{SESSION}"
    for id, parent in (("agent-a", "agent-b"), ("agent-b", "agent-a"), (SESSION, SESSION), (branch, branch)):
        archive.session(id, parent_session_id=parent, relationship_type="fork" if id == branch else "")
        archive.message(id, "user", "x")
    ids = {result.sessions[0].id for result in imported(archive.path) if result.sessions}
    assert ids == {"agent-a", "agent-b", SESSION}


def test_damaged_databases(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = tmp_path / "sessions.db"
    filled(path).connection.close()
    whole = path.read_bytes()
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            damaged[chance.randrange(100, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(100, len(damaged))])])
        imported(path)


def test_sessions_of_a_damaged_database_are_whole_or_missing(tmp_path: pathlib.Path) -> None:
    archive = Archive(tmp_path / "sessions.db")
    for number in range(40):
        id = archive.session(f"codex:{number}", "codex", started_at=at(number))
        archive.message(id, "user", "x" * 900, timestamp=at(1))
        said = archive.message(id, "assistant", "y", timestamp=at(2), output_tokens=5)
        archive.call(id, said, "Bash", {"command": "ls"}, tool_use_id=f"t{number}", result_content="z" * 90)
    expected = {id: (result.messages, result.tool_calls) for id, result in archive.sessions().items()}
    archive.connection.close()
    whole = archive.path.read_bytes()
    found = 0
    for page in range(4096, len(whole), 4096):
        archive.path.write_bytes(whole[:page] + bytes(4096) + whole[page + 4096 :])
        for result in archive.read():
            if result.sessions:
                assert (result.messages, result.tool_calls) == expected[result.sessions[0].id]
                found += 1
    assert found
