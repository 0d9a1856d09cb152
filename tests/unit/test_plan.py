"""The migrations: which there are, which a database needs, what they say on a cluster."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentstore import SchemaError
from agentstore.schema.plan import (
    Migration,
    create_database,
    ddl_directory,
    drop_database,
    load_migrations,
    migrations_table,
    pending,
)

RELEASED = {1: "initial"}
HARMLESS_AGAIN = re.compile(
    r"^(CREATE (TABLE|DATABASE|MATERIALIZED VIEW|VIEW) IF NOT EXISTS"
    r"|DROP (TABLE|DATABASE|VIEW) IF EXISTS"
    r"|ALTER TABLE \w+ .*(ADD (COLUMN|INDEX|PROJECTION) IF NOT EXISTS|DROP (COLUMN|INDEX|PROJECTION) IF EXISTS"
    r"|MODIFY|MATERIALIZE)"
    # A table that holds each row once, however often it is written.
    r"|INSERT INTO (message_sources|session_floors|session_rows|\w+_facts)\s)",
    re.DOTALL,
)


def directory(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name.lstrip('_')}.sql").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_released_files_are_there_in_order() -> None:
    found = {migration.version: migration.name for migration in load_migrations()}
    assert list(found) == list(range(1, len(found) + 1))
    assert RELEASED.items() <= found.items()
    assert ddl_directory().is_dir()


@pytest.mark.parametrize("cluster", ["", "main"])
def test_every_statement_is_harmless_when_run_again(cluster: str) -> None:
    for migration in load_migrations():
        statements = migration.statements(cluster)
        assert statements
        for statement in statements:
            assert HARMLESS_AGAIN.match(statement.text), statement.text
            assert ";" not in statement.text
            assert "/*" not in statement.text
            assert "--" not in statement.text


def test_on_a_cluster_every_statement_says_so_and_every_table_is_replicated() -> None:
    plain = [one.text for migration in load_migrations() for one in migration.statements()]
    clustered = [one.text for migration in load_migrations() for one in migration.statements("it's")]
    for alone, together in zip(
        [*plain, migrations_table().text], [*clustered, migrations_table("it's").text], strict=True
    ):
        assert "CLUSTER" not in alone
        assert "Replicated" not in alone
        # Rows are written at one node, and replicated from there.
        assert together.count(r"ON CLUSTER 'it\'s'") == (0 if alone.startswith("INSERT") else 1)
        assert together.count("ENGINE = Replicated") == together.count("ENGINE = ")
        # No second copy of the SQL: without the two words it is the same text.
        same = together.replace(r"ON CLUSTER 'it\'s'", "").replace("Replicated", "")
        assert same.split() == alone.split()


def test_databases_are_quoted_and_clustered() -> None:
    assert create_database("a`b").text == r"CREATE DATABASE IF NOT EXISTS `a\`b`"
    assert create_database("db", "main").text == "CREATE DATABASE IF NOT EXISTS `db` ON CLUSTER 'main'"
    assert drop_database("db").text == "DROP DATABASE IF EXISTS `db` SYNC"
    assert drop_database("d  b", "main").text == "DROP DATABASE IF EXISTS `d  b` ON CLUSTER 'main' SYNC"


def test_statements_end_with_a_semicolon_at_the_end_of_a_line() -> None:
    text = "-- a comment; with one\nCREATE a\n(x String); \n\n  -- between\nSELECT ';', 'a;b'\nFROM t;\n;\nlast"
    statements = [statement.text for statement in Migration(1, "x", text).statements()]
    assert statements == ["CREATE a\n(x String)", "SELECT ';', 'a;b'\nFROM t", "last"]


def test_files_are_numbered_without_gap_or_double(tmp_path: Path) -> None:
    assert [m.version for m in load_migrations(directory(tmp_path, _0001_a="x", _0002_b="y"))] == [1, 2]
    directory(tmp_path, _0004_d="z")
    with pytest.raises(SchemaError, match="not numbered"):
        load_migrations(tmp_path)
    directory(tmp_path, _0003_c="z", _0003_again="z")
    with pytest.raises(SchemaError, match="not numbered"):
        load_migrations(tmp_path)


@pytest.mark.parametrize("name", ["1_a", "0001-a", "0001_A", "notes", "00001_a"])
def test_strange_names_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.sql").write_text("x")
    with pytest.raises(SchemaError, match="is not named like"):
        load_migrations(tmp_path)


def test_the_checksum_is_of_the_text_whatever_the_line_ends(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_bytes(b"SELECT 1;\r\n")
    [windows] = load_migrations(tmp_path)
    assert windows.checksum == Migration(1, "a", "SELECT 1;\n").checksum
    assert windows.checksum != Migration(1, "a", "SELECT 2;\n").checksum


FILES = [Migration(n, f"m{n}", f"SELECT {n}") for n in (1, 2, 3)]
SUMS = {migration.version: migration.checksum for migration in FILES}


def test_what_is_pending() -> None:
    assert pending(FILES, {}) == FILES
    assert pending(FILES, {1: SUMS[1]}) == FILES[1:]
    assert pending(FILES, {2: SUMS[2]}) == [FILES[0], FILES[2]]
    assert pending(FILES, SUMS) == []


def test_newer_and_edited_databases_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"at schema version 9, this library knows 3.*upgrade"):
        pending(FILES, {**SUMS, 4: "x", 9: "y"})
    with pytest.raises(SchemaError, match=r"migration 0002_m2 was edited"):
        pending(FILES, {1: SUMS[1], 2: "edited"})
    with pytest.raises(SchemaError, match="edited"):
        pending(FILES, {1: ""})
