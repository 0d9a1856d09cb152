"""The ClickHouse engine inside this process: the only importer of chdb.

Everything here blocks, and chdb releases the interpreter lock meanwhile: call it from a worker thread. One connection
runs one statement at a time; several connections run theirs in parallel.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from .blocks import string_columns

_ERROR = re.compile(r"Code: (\d+)\. (.*)", re.DOTALL)
_FAILURES = (RuntimeError, OSError, UnicodeDecodeError)
_NAME = re.compile(r".*\(([A-Z][A-Z0-9_]+)\)", re.DOTALL)

TAG_SETTING = "cluster_for_parallel_replicas"
"""Marks the statements of one connection in system.processes, so that they can be ended from outside. A setting whose
value means nothing in an engine without a cluster; chdb has no way to name a query."""


class EngineError(Exception):
    """A statement failed. `code` and `name` are ClickHouse's; the text is all the engine said."""

    def __init__(self, message: str, code: int, name: str) -> None:
        super().__init__(message)
        self.code = code
        self.name = name

    @classmethod
    def make(cls, code: int, name: str, text: str) -> EngineError:
        """An error of the server's own, in the form of the engine's."""
        return cls(f"DB::Exception: {text}. ({name})", code, name)

    @classmethod
    def parse(cls, text: str) -> EngineError:
        """From the engine's own text: `Code: 81. DB::Exception: … (UNKNOWN_DATABASE)`."""
        match = _ERROR.search(text)
        if match is None:
            return cls(text, 1002, "UNKNOWN_EXCEPTION")
        name = _NAME.match(match[2])
        return cls(match[2], int(match[1]), name[1] if name else "UNKNOWN_EXCEPTION")


def _text(error: BaseException) -> str:
    """What chdb said. Where it quotes data that is not UTF-8, chdb trips over its own message; the bytes are there,
    and shown as escapes, because clients trip as well."""
    for raised in (error, error.__cause__):
        if isinstance(raised, UnicodeDecodeError):
            return raised.object.decode("utf-8", "backslashreplace")
    return str(error)


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


@dataclass(frozen=True, slots=True)
class EngineInfo:
    version: tuple[int, int, int]
    timezone: str
    setting_types: dict[str, str] = field(repr=False)


class Stream:
    """The blocks of one SELECT, made as they are fetched: the engine works at most a few blocks ahead."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def fetch(self) -> Chunk | None:
        """The next block, None at the end. Raises EngineError."""
        try:
            chunk = self._result.fetch()
        except _FAILURES as error:
            raise EngineError.parse(_text(error)) from None
        return None if chunk is None else _chunk(chunk)

    def close(self) -> None:
        """End the query where it is. Must not run beside `fetch`."""
        try:
            self._result.close()
        except _FAILURES as error:
            raise EngineError.parse(_text(error)) from None


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
        except _FAILURES as error:
            raise EngineError.parse(_text(error)) from None

    def describe(self, sql: str) -> list[dict[str, str]]:
        """The rows of a statement whose columns are all strings."""
        return string_columns(self.run(sql).data)

    def text(self, sql: str, output_format: str) -> str:
        """The result of a statement in one of the engine's text formats."""
        try:
            data: bytes = self._connection.query(_bytes(sql), output_format).bytes()
        except _FAILURES as error:
            raise EngineError.parse(_text(error)) from None
        return data.decode("utf-8", "replace")

    def header(self, sql: str) -> list[tuple[str, str]]:
        """Names and types of the result columns of a statement, by running it once more."""
        answer = json.loads(self.text(sql, "JSONCompact") or '{"meta": []}')
        return [(column["name"], column["type"]) for column in answer["meta"]]

    def stream(self, sql: str) -> Stream:
        """Begin a SELECT. Raises EngineError, with code 36 if the statement cannot be streamed."""
        try:
            return Stream(self._connection.send_query(_bytes(sql), "Native"))
        except _FAILURES as error:
            raise EngineError.parse(_text(error)) from None

    def check_insert(self, sql: str) -> None:
        """Begin an INSERT and send no rows: raises EngineError with what the engine has against it.

        Rows never go this way: chdb's insert stream reports success also where the engine fails after it has read them
        (a CHECK constraint, a full disk).
        """
        try:
            with self._connection.send_insert(_bytes(sql), "Native") as inserter:
                inserter.finish()
        except _FAILURES as error:
            raise EngineError.parse(_text(error)) from None

    def close(self) -> None:
        self._connection.close()


class Engine:
    """The engine at one path. A process can have one path open at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._control: EngineConnection | None = None
        self._control_lock = threading.Lock()

    def open(self) -> EngineInfo:
        """Open or create the store at the path. Raises EngineError."""
        self._control = self.connect()
        facts = self._control.describe("SELECT version() AS version, timezone() AS timezone")[0]
        types = self._control.describe("SELECT name, type FROM system.settings")
        major, minor, patch = (int(part) for part in facts["version"].split(".")[:3])
        return EngineInfo((major, minor, patch), facts["timezone"], {row["name"]: row["type"] for row in types})

    def connect(self) -> EngineConnection:
        import chdb  # here, not above: loading the engine takes a while and half a gigabyte of address space

        try:
            return EngineConnection(chdb.connect(self.path))
        except _FAILURES as error:
            raise EngineError.parse(_text(error)) from None

    def kill(self, tag: str) -> None:
        """Ask the statement now running under this tag to end. It ends soon after, or was not running."""
        with self._control_lock:
            if self._control is not None:
                self._control.run(f"KILL QUERY WHERE Settings['{TAG_SETTING}'] = '{tag}' ASYNC")

    def running(self, tag: str) -> list[str]:
        """The engine's ids of the statements running under this tag."""
        with self._control_lock:
            if self._control is None:
                return []
            sql = f"SELECT query_id FROM system.processes WHERE Settings['{TAG_SETTING}'] = '{tag}'"
            return [row["query_id"] for row in self._control.describe(sql)]

    def close(self) -> None:
        """Close the engine. Every other connection must be closed before."""
        with self._control_lock:
            control, self._control = self._control, None
            if control is not None:
                control.close()
