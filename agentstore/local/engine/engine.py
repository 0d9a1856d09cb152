"""The ClickHouse engine inside this process, at one path: its start, its disk, the statements that run, its end.

Everything here blocks, and chdb releases the interpreter lock meanwhile: call it from a worker thread. One connection
runs one statement at a time; several connections run theirs in parallel.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from agentstore.local.engine import library, write_guard
from agentstore.local.engine.configuration import as_file, configuration
from agentstore.local.engine.connection import TAG_SETTING, EngineConnection
from agentstore.local.engine.disk_space import NoSpaceError, Space, forget_tokens
from agentstore.local.engine.errors import BEGINS_ERROR, EngineError
from agentstore.local.engine.stderr_capture import captured_stderr

logger = logging.getLogger("agentstore.local")

_NO_REASON = "Error initializing EmbeddedServer: ."


@dataclass(frozen=True, slots=True)
class Work:
    """What a running statement has done so far, and the rows it expects to read in all."""

    read_rows: int = 0
    read_bytes: int = 0
    total_rows: int = 0
    written_rows: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    version: tuple[int, int, int]
    timezone: str
    setting_types: dict[str, str] = field(repr=False)


class Engine:
    """The engine at one path. A process can have one path open at a time."""

    def __init__(self, path: str, *, fsync: bool = False) -> None:
        self.path = path
        self.space = Space(path)
        self._fsync = fsync
        self._control: EngineConnection | None = None
        # The control connection does one thing at a time, and is asked from the threads of all clients.
        self._control_lock = threading.Lock()
        self._guarded = False
        self._failed_writes = 0
        self._merges_stopped = False

    def open(self) -> EngineInfo:
        """Open or create the store at the path. Raises EngineError, also where there is no space to start with."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        try:
            # Before the engine: its start needs space, which the reserve file gives up where there is none.
            reserve = self.space.open()
        except NoSpaceError as error:
            raise EngineError.no_space(error) from None
        # Before the engine opens the store: from its first byte on no write may fail unnoticed.
        self._guard(reserve)
        # Read while the first connection is made; all others find the engine open.
        with as_file(configuration(fsync=self._fsync, reserve=self.space.reserve)) as file:
            self._control = self._begin(f"{self.path}?config-file={file}")
        # What failed before the store was open is no reason to end.
        self._failed_writes = 0 if self._guarded else self._count_failed_writes()
        self.tend()
        self._report_detached()
        return self._info(self._control)

    def _begin(self, target: str) -> EngineConnection:
        """The first connection, which starts the engine. Some reasons why it fails stand on stderr only."""
        with captured_stderr() as captured:
            try:
                return self._connect(target)
            except EngineError as error:
                failure = error
        reasons = [line for line in captured.lines() if BEGINS_ERROR.match(line)]
        if _NO_REASON not in str(failure) or not reasons:
            raise failure
        raise EngineError.parse(reasons[-1])

    def _guard(self, reserve: int) -> None:
        path = library.load()
        try:
            write_guard.install(path)
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
        return EngineConnection(library.connect(target))

    # The disk.

    @contextlib.contextmanager
    def writing(self, size: int = 0) -> Iterator[None]:
        """Around a statement that makes the store grow by ``size`` bytes or so.

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
        # Not in a `finally`: a statement that raises has told its client already that it is not done.
        self.check_writes()

    def check_writes(self) -> None:
        """End the process if the engine has failed to write something and goes on as if it had not.

        Where the guard stands, it has ended it before. Here a part may have been committed without its end already; the
        next start finds it, and its source parts are still there; a client sends again what an insert has lost.
        """
        if not self._guarded and self._count_failed_writes() > self._failed_writes:
            # Before the end: else the next start would take the client's repetition for stored, and what is stored may
            # be damaged.
            forget_tokens(self.path)
            logger.critical("the engine could not write to its files at %s, and ends before it does harm", self.path)
            # No exit that runs anything: a destructor of the engine's could still commit what is incomplete.
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
                # Only once it is done: an order that failed is given again when the disk is looked at next.
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
                # ASYNC: waiting for the statement's end here, under the lock, would hold up every other request to end
                # one.
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
            # Taken away under the lock: what comes later finds none, and does not touch a closed engine.
            control, self._control = self._control, None
            if control is not None:
                control.close()
        write_guard.use_reserve(None)
        self.space.close()
