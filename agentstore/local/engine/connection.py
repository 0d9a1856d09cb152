"""One session of the engine, and what it answers: whole results, or streams of blocks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from agentstore.local.engine.errors import FAILURES, EngineError, chdb_text
from agentstore.local.protocol.blocks import string_columns

# Marks the statements of one connection in system.processes, so that they can be ended from outside. A setting whose
# value means nothing in an engine without a cluster; chdb has no way to name a query.
TAG_SETTING = "cluster_for_parallel_replicas"


def _bytes(sql: str) -> bytes:
    # A query's text may hold any bytes inside its string literals.
    return sql.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows in the Native format, and what the engine read and wrote to make them."""

    data: bytes
    rows: int
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0


class Stream:
    """The blocks of one SELECT, made as they are fetched: the engine works at most a few blocks ahead."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def fetch(self) -> Chunk | None:
        """The next block, None at the end. Raises EngineError."""
        try:
            chunk = self._result.fetch()
        except FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None
        return None if chunk is None else _chunk(chunk)

    def close(self) -> None:
        """End the query where it is. Must not run beside ``fetch``."""
        try:
            self._result.close()
        except FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None


def _chunk(result: Any) -> Chunk:
    return Chunk(
        result.bytes(), result.rows_read(), result.storage_rows_read(), result.storage_bytes_read(),
        result.rows_written(), result.bytes_written(),
    )  # fmt: skip


class EngineConnection:
    """One session of the engine: its current database, settings and temporary tables live as long as it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, sql: str) -> Chunk:
        """Run any statement to its end. Raises EngineError."""
        try:
            return _chunk(self._connection.query(_bytes(sql), "Native"))
        except FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None

    def describe(self, sql: str) -> list[dict[str, str]]:
        """The rows of a statement whose columns are all strings."""
        return string_columns(self.run(sql).data)

    def text(self, sql: str, output_format: str) -> str:
        """The result of a statement in one of the engine's text formats."""
        try:
            data: bytes = self._connection.query(_bytes(sql), output_format).bytes()
        except FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None
        return data.decode("utf-8", "replace")

    def header(self, sql: str) -> list[tuple[str, str]]:
        """Names and types of the result columns of a statement, by running it once more."""
        # Without rows a Native result has no header either; a JSON one has, and an empty text says that nothing is
        # answered.
        answer = json.loads(self.text(sql, "JSONCompact") or '{"meta": []}')
        return [(column["name"], column["type"]) for column in answer["meta"]]

    def stream(self, sql: str) -> Stream:
        """Begin a SELECT. Raises EngineError, with code 36 if the statement cannot be streamed."""
        try:
            return Stream(self._connection.send_query(_bytes(sql), "Native"))
        except FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None

    def check_insert(self, sql: str) -> None:
        """Begin an INSERT and send no rows: raises EngineError with what the engine has against it.

        Rows never go this way: chdb's insert stream reports success also where the engine fails after it has read them
        (a CHECK constraint, a full disk).
        """
        try:
            with self._connection.send_insert(_bytes(sql), "Native") as inserter:
                inserter.finish()
        except FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None

    def close(self) -> None:
        self._connection.close()
