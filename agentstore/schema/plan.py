"""Which migrations there are, and which of them a database still needs. Pure: reads files, decides, sends nothing.

A migration is a file ``ddl/0001_name.sql``. Once released it is never edited: its checksum is recorded in the database,
and a database that recorded another one is refused. Statements end with a semicolon at the end of a line, and each is
harmless when run again (``IF NOT EXISTS``), so that two processes may apply one file at once. A file that begins with
``-- requires: 26.4`` is left out on older servers, where the library does without, and applied once they are upgraded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentstore.connection.sql import Sql, identifier, join, of_package, sql
from agentstore.errors import SchemaError

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_REQUIRES = re.compile(r"-- requires: (\d+)\.(\d+)\n")
_COMMENT_LINE = re.compile(r"^\s*--.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text, hexadecimal."""
        # Of the file, not of what is sent: that differs with a cluster.
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def requires(self) -> tuple[int, int]:
        """The oldest server version it can be applied to."""
        match = _REQUIRES.match(self.text)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    def statements(self, cluster: str = "") -> list[Sql]:
        """The statements, for one server or for a cluster."""
        # Comments go first: a semicolon at the end of one would cut a statement in two.
        body = _COMMENT_LINE.sub("", self.text)
        parts = [part.strip() for part in re.split(r";[ \t]*(?:\n|$)", body)]
        return [_render(part, cluster) for part in parts if part]


def ddl_directory() -> Path:
    """Where the files are: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "ddl"
    return installed if installed.is_dir() else package.parent / "ddl"


def load_migrations(directory: Path | None = None) -> list[Migration]:
    """All files in the order of their numbers; a gap, a double or a strange name is a ``SchemaError``."""
    directory = directory or ddl_directory()
    found = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if not match:
            raise SchemaError(f"{path.name} is not named like 0001_name.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise SchemaError(f"the migrations in {directory} are not numbered 1, 2, 3 …")
    return found


def pending(
    migrations: Sequence[Migration], applied: Mapping[int, str], server: tuple[int, int] = (9999, 0)
) -> list[Migration]:
    """What is still to be applied to a database that recorded ``applied`` (version → checksum), on this server."""
    # First of all: an older library does not know what a newer database's tables mean, and must not change them.
    newest = len(migrations)
    unknown = [version for version in applied if version > newest]
    if unknown:
        raise SchemaError(
            f"the database is at schema version {max(unknown)}, this library knows {newest}", hint="upgrade agentstore"
        )
    for migration in migrations:
        recorded = applied.get(migration.version)
        if recorded is not None and recorded != migration.checksum:
            raise SchemaError(
                f"migration {migration.version:04d}_{migration.name} was edited after it was applied:"
                f" recorded {recorded[:12]}…, file {migration.checksum[:12]}…"
            )
    return [migration for migration in migrations if migration.version not in applied and migration.requires <= server]


def migrations_table(cluster: str = "") -> Sql:
    """The table that records what was applied."""
    # Replacing, since two processes may apply and record one migration at once.
    return _render(
        """CREATE TABLE IF NOT EXISTS schema_migrations /*ON CLUSTER*/
        (
            version UInt32,
            name String,
            checksum String,
            applied_at DateTime64(6, 'UTC') DEFAULT now64(6)
        )
        ENGINE = /*Replicated*/ReplacingMergeTree(applied_at)
        ORDER BY version""",
        cluster,
    )


def on_cluster(cluster: str) -> Sql:
    """``ON CLUSTER 'name'``, or nothing."""
    return sql("ON CLUSTER {cluster}", cluster=cluster) if cluster else sql("")


def create_database(database: str, cluster: str = "") -> Sql:
    """The statement that creates the database where it does not exist."""
    return _words(sql("CREATE DATABASE IF NOT EXISTS"), identifier(database), on_cluster(cluster))


def drop_database(database: str, cluster: str = "") -> Sql:
    """The statement that drops the database and waits until it is gone."""
    return _words(sql("DROP DATABASE IF EXISTS"), identifier(database), on_cluster(cluster), sql("SYNC"))


def _words(*parts: Sql) -> Sql:
    return join(" ", (part for part in parts if part.text))


def _render(text: str, cluster: str) -> Sql:
    if cluster:
        text = text.replace("/*ON CLUSTER*/", on_cluster(cluster).text).replace("/*Replicated*/", "Replicated")
    return of_package(text.replace("/*ON CLUSTER*/", "").replace("/*Replicated*/", ""))
