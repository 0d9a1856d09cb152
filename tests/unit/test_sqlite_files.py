"""Reading agents' databases: beside those who write them, and whatever is wrong with the file."""

from __future__ import annotations

import pathlib
import random
import shutil
import sqlite3

import pytest

from agentstore.importers import sqlite_files
from agentstore.importers.sqlite_files import open_database
from tests.unit.databases import opened


def made(path: pathlib.Path, *, mode: str = "wal", rows: int = 3) -> sqlite3.Connection:
    """A database that is open, with a table of so many rows."""
    connection = opened(path)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("CREATE TABLE items (key TEXT, value BLOB)")
    connection.executemany("INSERT INTO items VALUES (?, ?)", [(f"k{n}", f"v{n}") for n in range(rows)])
    connection.commit()
    return connection


def read(path: pathlib.Path, query: str = "SELECT key FROM items ORDER BY key") -> tuple[list[object], list[str]]:
    told: list[str] = []
    with open_database(path, told.append) as database:
        found = [row[0] for row in database.rows(query)]
        assert database.is_whole == (not told)
    return found, told


def names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_that_is_written_is_read_and_left_as_it_is(tmp_path: pathlib.Path, mode: str) -> None:
    path = tmp_path / "a #1?.db"
    writer = made(path, mode=mode)
    before = names(tmp_path)
    assert read(path) == (["k0", "k1", "k2"], [])
    writer.execute("INSERT INTO items VALUES ('k3', '')")
    writer.commit()
    assert read(path) == (["k0", "k1", "k2", "k3"], [])
    assert names(tmp_path) == before
    writer.close()
    assert read(path) == (["k0", "k1", "k2", "k3"], [])
    assert names(tmp_path) == [path.name]


def test_what_a_killed_agent_left_in_its_log_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "live").mkdir()
    writer = made(tmp_path / "live" / "x.db")
    shutil.copytree(tmp_path / "live", tmp_path / "dead")
    writer.close()
    (tmp_path / "dead" / "x.db-shm").unlink()
    assert read(tmp_path / "dead" / "x.db") == (["k0", "k1", "k2"], [])


def test_a_large_closed_database_is_not_copied(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "x.db").close()
    monkeypatch.setattr(sqlite_files, "MOST_COPIED", 100)
    assert read(tmp_path / "x.db") == (["k0", "k1", "k2"], [])


def test_a_writer_may_write_between_two_queries_and_while_rows_are_read(tmp_path: pathlib.Path) -> None:
    writer = made(tmp_path / "x.db", rows=1000)
    told: list[str] = []
    with open_database(tmp_path / "x.db", told.append) as database:
        rows = database.rows("SELECT key FROM items")
        next(rows)
        writer.execute("DELETE FROM items")
        writer.commit()
        assert len(list(rows)) == 999
        assert list(database.rows("SELECT key FROM items")) == []
    assert not told
    writer.close()


def test_a_locked_database_is_a_problem(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_files, "BUSY_SECONDS", 0.01)
    writer = made(tmp_path / "x.db", mode="delete")
    writer.execute("BEGIN EXCLUSIVE")
    assert read(tmp_path / "x.db") == ([], ["the database cannot be opened: database is locked"])
    writer.close()


def test_a_database_that_is_locked_later_has_gaps_from_there_on(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "BUSY_SECONDS", 0.01)
    writer = made(tmp_path / "x.db", mode="delete")
    told: list[str] = []
    with open_database(tmp_path / "x.db", told.append) as database:
        writer.execute("BEGIN EXCLUSIVE")
        assert (database.failures, database.has("items")) == (0, False)
        assert (database.is_whole, database.failures > 0) == (False, True)
        failures = database.failures
        assert list(database.rows("SELECT key FROM items")) == []
        assert database.failures > failures
    assert told == ["the database cannot be read further: database is locked"]
    writer.close()


def test_what_is_no_database_is_a_problem(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database" * 1000)
    assert read(path) == ([], ["the database cannot be opened: it is no SQLite database"])
    path.write_bytes(b"")
    assert read(path) == ([], ["the database cannot be read further: no such table: items"])
    assert read(tmp_path / "none.db") == ([], ["the database cannot be opened: No such file or directory"])
    assert names(tmp_path) == ["x.db"]


def test_tables_and_columns(tmp_path: pathlib.Path) -> None:
    writer = made(tmp_path / "x.db")
    writer.execute("CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n")
    writer.commit()
    told: list[str] = []
    with open_database(tmp_path / "x.db", told.append) as database:
        assert database.columns("items") == {"key", "value"}
        assert database.has("items", "key")
        assert not database.has("items", "key", "other")
        assert not database.has("nothing")
        assert not database.has("endless")
    assert not told
    writer.close()


def test_values_that_no_text_is(tmp_path: pathlib.Path) -> None:
    writer = made(tmp_path / "x.db", rows=0)
    writer.execute("INSERT INTO items VALUES (CAST(x'61ff' AS TEXT), x'ff')")
    writer.commit()
    assert read(tmp_path / "x.db") == (["a\ufffd"], [])
    writer.close()


def test_a_value_that_is_too_long_is_a_problem(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_files, "MOST_VALUE", 5000)
    writer = made(tmp_path / "x.db", rows=1)
    writer.execute("INSERT INTO items VALUES ('k1', zeroblob(6000))")
    writer.commit()
    _, told = read(tmp_path / "x.db", "SELECT value FROM items ORDER BY key")
    assert len(told) == 1
    assert "too big" in told[0]
    assert read(tmp_path / "x.db", "SELECT key FROM items WHERE length(value) < 5000") == (["k0"], [])
    writer.close()


def test_an_index_on_what_a_function_gives_does_not_hide_a_database(tmp_path: pathlib.Path) -> None:
    """Kilo has indexes on json_extract(), which older builds of SQLite call unsafe."""
    writer = made(tmp_path / "x.db", rows=2)
    writer.execute("CREATE INDEX i ON items (json_extract(key, '$.role')) WHERE json_valid(key)")
    writer.commit()
    assert read(tmp_path / "x.db", "SELECT key FROM items ORDER BY key") == (["k0", "k1"], [])
    writer.close()
    assert read(tmp_path / "x.db", "SELECT key FROM items ORDER BY key") == (["k0", "k1"], [])


def test_no_damage_raises(tmp_path: pathlib.Path) -> None:
    made(tmp_path / "x.db", rows=2000).close()
    whole = (tmp_path / "x.db").read_bytes()
    seed = random.randrange(10**9)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 30)):
            data[draw.randrange(16 if draw.random() < 0.9 else 0, len(data))] = draw.randrange(256)
        (tmp_path / "y.db").write_bytes(data[: draw.randrange(len(data)) if draw.random() < 0.3 else None])
        told: list[str] = []
        with open_database(tmp_path / "y.db", told.append) as database:
            for table in ("items", "sqlite_sequence"):
                if database.has(table, "key"):
                    list(database.rows(f"SELECT * FROM {table} WHERE key > ? ORDER BY key", "k1"))
            assert database.is_whole or told
