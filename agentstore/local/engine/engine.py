"""The ClickHouse engine inside this process: the only importer of chdb.

Everything here blocks, and chdb releases the interpreter lock meanwhile: call it from a worker thread. One connection
runs one statement at a time; several connections run theirs in parallel.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agentstore.local.engine import write_guard
from agentstore.local.engine.configuration import as_file, configuration
from agentstore.local.engine.disk_space import NoSpaceError, Space, forget_tokens
from agentstore.local.engine.errors import BEGINS_ERROR, chdb_text
from agentstore.local.engine.errors import EngineError as EngineError
from agentstore.local.engine.stderr_capture import overhear
from agentstore.local.protocol.blocks import string_columns

logger = logging.getLogger("agentstore.local")

_FAILURES = (RuntimeError, OSError, UnicodeDecodeError)
_NO_REASON = "Error initializing EmbeddedServer: ."

TAG_SETTING = "cluster_for_parallel_replicas"
"""Marks the statements of one connection in system.processes, so that they can be ended from outside. A setting whose
value means nothing in an engine without a cluster; chdb has no way to name a query."""


def _bytes(sql: str) -> bytes:
    # A query's text may hold any bytes inside its string literals.
    return sql.encode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Around what starts an engine: EngineError with the reason, without the engine's stack."""
    try:
        yield
    except _FAILURES as error:
        _check_temporary_directory()
        raise EngineError.parse(chdb_text(error)) from None


def _check_temporary_directory() -> None:
    """The engine makes a directory there when it starts, and does not say so when it cannot."""
    variables = ("TMPDIR", "TMP", "TEMP", "TEMPDIR")
    variable = next((name for name in variables if os.environ.get(name)), "")
    path = os.environ.get(variable, "") or "/tmp"
    try:
        with tempfile.TemporaryDirectory(dir=path):
            pass
    except OSError as error:
        text = f"The directory for temporary files, {path}{variable and f' ({variable})'}, cannot be written: "
        raise EngineError.make(76, "CANNOT_OPEN_FILE", text + (error.strerror or "")) from None


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
class Work:
    """What a running statement has done so far, and the rows it expects to read in all."""

    read_rows: int
    read_bytes: int
    total_rows: int
    written_rows: int
    written_bytes: int


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
            raise EngineError.parse(chdb_text(error)) from None
        return None if chunk is None else _chunk(chunk)

    def close(self) -> None:
        """End the query where it is. Must not run beside `fetch`."""
        try:
            self._result.close()
        except _FAILURES as error:
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
        except _FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None

    def describe(self, sql: str) -> list[dict[str, str]]:
        """The rows of a statement whose columns are all strings."""
        return string_columns(self.run(sql).data)

    def text(self, sql: str, output_format: str) -> str:
        """The result of a statement in one of the engine's text formats."""
        try:
            data: bytes = self._connection.query(_bytes(sql), output_format).bytes()
        except _FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None
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
            raise EngineError.parse(chdb_text(error)) from None

    def check_insert(self, sql: str) -> None:
        """Begin an INSERT and send no rows: raises EngineError with what the engine has against it.

        Rows never go this way: chdb's insert stream reports success also where the engine fails after it has read them
        (a CHECK constraint, a full disk).
        """
        try:
            with self._connection.send_insert(_bytes(sql), "Native") as inserter:
                inserter.finish()
        except _FAILURES as error:
            raise EngineError.parse(chdb_text(error)) from None

    def close(self) -> None:
        self._connection.close()


class Engine:
    """The engine at one path. A process can have one path open at a time."""

    def __init__(self, path: str, *, fsync: bool = False) -> None:
        self.path = path
        self.space = Space(path)
        self._fsync = fsync
        self._control: EngineConnection | None = None
        self._control_lock = threading.Lock()
        self._guarded = False
        self._failed_writes = 0
        self._merges_stopped = False

    def open(self) -> EngineInfo:
        """Open or create the store at the path. Raises EngineError, also where there is no space to start with."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        try:
            reserve = self.space.open()
        except NoSpaceError as error:
            raise EngineError.no_space(error) from None
        self._guard(reserve)
        with as_file(configuration(fsync=self._fsync, reserve=self.space.reserve)) as file:
            self._control = self._begin(f"{self.path}?config-file={file}")
        self._failed_writes = 0 if self._guarded else self._count_failed_writes()
        self.tend()
        self._report_detached()
        return self._info(self._control)

    def _begin(self, target: str) -> EngineConnection:
        """The first connection, which starts the engine. Some reasons why it fails stand on stderr only."""
        with overhear() as heard:
            try:
                return self._connect(target)
            except EngineError as error:
                failure = error
        reasons = [line for line in heard.lines() if BEGINS_ERROR.match(line)]
        if _NO_REASON not in str(failure) or not reasons:
            raise failure
        raise EngineError.parse(reasons[-1])

    def _guard(self, reserve: int) -> None:
        with _explained():
            import chdb._chdb  # loading it opens an engine in memory

        try:
            write_guard.install(os.path.realpath(chdb._chdb.__file__))
        except write_guard.UnguardedError as error:
            logger.warning("failed writes of the engine are noticed only after the fact: %s", error)
            return
        write_guard.use_reserve(reserve)
        self._guarded = True

    def _info(self, connection: EngineConnection) -> EngineInfo:
        facts = connection.describe("SELECT version() AS version, timezone() AS timezone")[0]
        types = connection.describe("SELECT name, type FROM system.settings")
        major, minor, patch = (int(part) for part in facts["version"].split(".")[:3])
        return EngineInfo((major, minor, patch), facts["timezone"], {row["name"]: row["type"] for row in types})

    def connect(self) -> EngineConnection:
        """One more session of the open engine."""
        return self._connect(self.path)

    def connect_for_parsing(self) -> EngineConnection:
        """A session for questions about statements, however long they are."""
        connection = self._connect(self.path)
        connection.run("SET max_query_size = 0")
        return connection

    def _connect(self, target: str) -> EngineConnection:
        with _explained():
            import chdb  # here, not above: loading the engine takes a while and half a gigabyte of address space

            return EngineConnection(chdb.connect(target))

    # The disk.

    @contextlib.contextmanager
    def writing(self, size: int = 0) -> Iterator[None]:
        """Around a statement that makes the store grow by `size` bytes or so.

        Raises EngineError before it begins where there is too little space. When this ends without an error, the engine
        has not failed to write anything meanwhile: it would not tell.
        """
        with contextlib.ExitStack() as claimed:
            try:
                claimed.enter_context(self.space.claim(size))
            except NoSpaceError as error:
                self.tend()
                raise EngineError.no_space(error) from None
            except OSError as error:
                raise EngineError.make(413, "CANNOT_STATVFS", f"{self.path}: {error.strerror}") from None
            yield
        self.check_writes()

    def check_writes(self) -> None:
        """End the process if the engine has failed to write something and goes on as if it had not.

        Where the guard stands, it has ended it before. Here a part may have been committed without its end already; the
        next start finds it, and its source parts are still there; a client sends again what an insert has lost.
        """
        if not self._guarded and self._count_failed_writes() > self._failed_writes:
            forget_tokens(self.path)
            logger.critical("the engine could not write to its files at %s, and ends before it does harm", self.path)
            os.kill(os.getpid(), signal.SIGKILL)

    def _count_failed_writes(self) -> int:
        sql = "SELECT toString(value) AS n FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"
        with self._control_lock:
            rows = [] if self._control is None else self._control.describe(sql)
        return int(rows[0]["n"]) if rows else 0

    def tend(self) -> None:
        """To be called every now and then: merges stop where space runs out, and go on when it is back."""
        self.check_writes()
        if not self._merges_stopped and self.space.is_low:
            self._merge("STOP")
            logger.warning("space runs out at %s: merges are stopped", self.path)
        elif self._merges_stopped and self.space.is_enough:
            self._merge("START")
            logger.warning("there is space at %s again: merges go on", self.path)
        self.space.refill()

    def _merge(self, order: str) -> None:
        with self._control_lock:
            if self._control is not None:
                self._control.run(f"SYSTEM {order} MERGES")
                self._merges_stopped = order == "STOP"

    def _report_detached(self) -> None:
        """Say in the log which parts the engine has set aside, now or earlier: it does so without a word."""
        sql = "SELECT database, table, name, coalesce(reason, '') AS reason FROM system.detached_parts"
        assert self._control is not None
        for row in self._control.describe(sql):
            logger.warning("%(database)s.%(table)s: part %(name)s is detached (%(reason)s), its rows are not read", row)

    # The statements that run.

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

    def working(self) -> dict[str, Work]:
        """What the statements of the sessions have done, by tag."""
        columns = ("read_rows", "read_bytes", "total_rows_approx", "written_rows", "written_bytes")
        numbers = ", ".join(f"toString({column}) AS {column}" for column in columns)
        sql = f"SELECT Settings['{TAG_SETTING}'] AS tag, {numbers} FROM system.processes WHERE tag != ''"
        with self._control_lock:
            rows = [] if self._control is None else self._control.describe(sql)
        return {row["tag"]: Work(*(int(row[column]) for column in columns)) for row in rows}

    def close(self) -> None:
        """Close the engine. Every other connection must be closed before."""
        with self._control_lock:
            control, self._control = self._control, None
            if control is not None:
                control.close()
        write_guard.use_reserve(None)
        self.space.close()
