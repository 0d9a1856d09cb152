"""One client's session in the engine: what a connection's worker thread does, one call at a time.

The session's current database, SET values and temporary tables live as long as the connection; the settings sent along
with one query hold for that query only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from agentstore.local.engine.connection import TAG_SETTING, Chunk, EngineConnection, Stream
from agentstore.local.engine.engine import Engine
from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol.blocks import block_columns, with_types
from agentstore.local.protocol.packets import Setting
from agentstore.local.sandbox.sandbox import Sandbox
from agentstore.local.session.external_tables import ExternalTable, ExternalTables
from agentstore.local.session.headers import described, has_hidden_zone, one_per_block, visible_header
from agentstore.local.session.inserts import InsertPlan, commit_insert, plan_insert
from agentstore.local.session.kill_query import is_kill_query, kill
from agentstore.local.session.query_settings import QuerySettings
from agentstore.local.session.spool import Spool
from agentstore.local.session.state import SessionState
from agentstore.local.session.totals import Extras, has_extras, is_suspect, read_extras
from agentstore.local.sql.analysis import needs_space
from agentstore.local.sql.quoting import identifier, literal
from agentstore.local.sql.statement import Kind, Statement

# In a block of a result, unless the client says otherwise. With the engine's own 65,409 rows, one of 1 KB rows is 65
# MB, held three times while it is made: 60 clients that ask at once took 8 GB, and take 0.8.
BLOCK_ROWS = 8192
# A batch is handed over when it is this large, or this old: the first rows of a slow query must not wait.
BATCH_BYTES = 1 << 20
BATCH_SECONDS = 0.02
NOT_STREAMABLE = 36


@dataclass(frozen=True, slots=True)
class Batch:
    """Blocks of a result. ``last``: there are no more."""

    chunks: list[Chunk]
    last: bool
    # Of the result's columns, with the first batch; none for a statement that answers nothing.
    header: Sequence[tuple[str, str]] = ()
    # With the last batch of a query that asked for totals or extremes.
    extras: Extras | None = None


class Session:
    """Everything here blocks and may raise EngineError; the session is usable afterwards."""

    def __init__(self, engine: Engine, tag: str, known_settings: Iterable[str], sandbox: Sandbox | None = None) -> None:
        self.tag = tag
        self._engine = engine
        self._sandbox = sandbox
        # For what the sandbox asks the parser: no setting of the client's holds there.
        self._asked: EngineConnection | None = None
        self._settings = QuerySettings(known_settings)
        self._connection: EngineConnection | None = None
        self._state = SessionState(engine)
        self._external = ExternalTables()
        self._stream: Stream | None = None
        # The statement whose totals and extremes are still to come.
        self._extras_of = ""
        # The session has SET extremes.
        self._always_extremes = False
        # Types of the result being streamed, where the engine's blocks leave out a time zone.
        self._kinds: list[str] = []

    @property
    def _open(self) -> EngineConnection:
        if self._connection is None:
            raise EngineError.make(210, "NETWORK_ERROR", "The session is closed")
        return self._connection

    def open(self, database: str) -> None:
        self._connection = self._engine.connect()
        # A bare expression is a query in chdb; on a server it is a syntax error.
        self._begin_with(f"SET implicit_select = 0, max_block_size = {BLOCK_ROWS}, {TAG_SETTING} = {literal(self.tag)}")
        if database:
            self._begin_with(f"USE {identifier(database)}")

    def _begin_with(self, sql: str) -> None:
        self._open.run(sql)
        self._state.remember(sql)

    def close(self) -> None:
        """End the session. What it was streaming ends too."""
        self.end_stream()
        connection, self._connection = self._connection, None
        asked, self._asked = self._asked, None
        for used in (asked, connection):
            if used is not None:
                used.close()

    def _check(self, statement: Statement, settings: Sequence[Setting]) -> None:
        """Raise EngineError if the statement may reach outside of the store, and must not."""
        if self._sandbox is None:
            return
        self._sandbox.check_settings(settings)
        if statement.structure or not self._sandbox.is_plain(statement.sql):
            if self._asked is None:
                self._asked = self._engine.connect_for_parsing()
            self._sandbox.check(self._asked, statement)

    def prepare(self, statement: Statement, settings: Sequence[Setting], tables: Sequence[ExternalTable] = ()) -> None:
        """What must hold before a statement begins: its settings, and its external tables until ``drop_tables``."""
        # However the statement before ended: a connection does one thing at a time, and ends its stream for the next.
        self.end_stream()
        # Before anything takes effect: a setting may reach outside as well as a statement.
        self._check(statement, settings)
        self._settings.apply(self._open, settings, statement)
        if tables:
            with self._engine.writing():
                self._external.create(self._open, tables)

    def drop_tables(self) -> None:
        self.end_stream()
        self._external.drop(self._open)

    # Statements.

    def start(self, statement: Statement, settings: Sequence[Setting], ids: Mapping[str, str]) -> Batch:
        """Run a prepared statement to the first batch of its result.

        ``ids``: the sessions that run a query, by tag, and what their clients call it.
        """
        if statement.kind is Kind.SELECT:
            wants_extras = self._wants_extras(statement.sql, settings)
            # Once a stream has begun, only a second connection can be asked what is in it.
            header = [] if self._can_ask_later else self._described_ahead(statement.sql)
            try:
                self._stream = self._open.stream(statement.sql)
            except EngineError as error:
                if error.code != NOT_STREAMABLE or "Streaming query is not supported" not in str(error):
                    raise
            else:
                self._extras_of = statement.sql if wants_extras else ""
                return self._first(statement.sql, header)
        elif statement.kind is Kind.ROWS and is_kill_query(statement.sql):
            result = kill(self._open, statement.sql, ids)
            return Batch([result], True, block_columns(result.data) if result.data else [])
        return self._run(statement)

    @property
    def _can_ask_later(self) -> bool:
        return self._state.is_possible and not self._external

    def _wants_extras(self, sql: str, settings: Sequence[Setting]) -> bool:
        by_setting = any(setting.name == "extremes" and setting.value not in ("0", "") for setting in settings)
        return by_setting or self._always_extremes or (is_suspect(sql) and has_extras(self._open, sql))

    def _first(self, sql: str, header: list[tuple[str, str]]) -> Batch:
        """The first batch of a stream with its header, which most clients take the columns from."""
        batch = self._next()
        try:
            header = header or self._header(sql, batch)
        except EngineError:
            # The client hears the error and asks for no more; left open, the query would run on behind it.
            self.end_stream()
            raise
        self._kinds = [kind for _, kind in header] if has_hidden_zone(header) else []
        return replace(self._renamed(batch), header=header)

    def _header(self, sql: str, batch: Batch) -> list[tuple[str, str]]:
        """From the first block, or from the engine where it does not show: no rows, an aggregate state, a DateTime."""
        header = visible_header(batch.chunks[0].data) if batch.chunks else None
        if header is not None and all(kind != "DateTime" for _, kind in header):
            return header
        if self._stream is None:
            return self._described(sql)
        second = self._state.connect(self._settings.current)
        try:
            return described(second, sql)
        finally:
            second.close()

    def _run(self, statement: Statement) -> Batch:
        if needs_space(statement.sql):
            with self._engine.writing():
                result = self._open.run(statement.sql)
        else:
            result = self._open.run(statement.sql)
        # Only what worked: a second connection would fail with the rest.
        self._state.watch(statement)
        if statement.kind is Kind.SET and is_suspect(statement.sql):
            row = self._open.describe("SELECT toString(getSetting('extremes')) AS extremes")[0]
            self._always_extremes = row["extremes"] not in ("0", "false")
        if result.data:
            return Batch(one_per_block(result), True, block_columns(result.data))
        header = self._open.header(statement.sql) if statement.kind is Kind.ROWS else []
        return Batch([result], True, header)

    def _described_ahead(self, sql: str) -> list[tuple[str, str]]:
        try:
            return self._described(sql)
        except EngineError:
            return []  # no SELECT, or one that fails: it says so itself when it runs

    def _described(self, sql: str) -> list[tuple[str, str]]:
        return described(self._open, sql)

    def next(self) -> Batch:
        """The next batch of the result being streamed."""
        return self._renamed(self._next())

    def _renamed(self, batch: Batch) -> Batch:
        kinds = self._kinds
        if not kinds:
            return batch

        def renamed(data: bytes) -> bytes:
            return with_types(data, kinds) if data else data

        chunks = [replace(chunk, data=renamed(chunk.data)) for chunk in batch.chunks]
        extras = batch.extras
        if extras is not None:
            extras = replace(extras, totals=renamed(extras.totals), extremes=renamed(extras.extremes))
        return replace(batch, chunks=chunks, extras=extras)

    def _next(self) -> Batch:
        if self._stream is None:
            return Batch([], True, extras=self._extras())
        chunks: list[Chunk] = []
        size = 0
        deadline = monotonic() + BATCH_SECONDS
        while True:
            try:
                chunk = self._stream.fetch()
            except EngineError:
                # A stream that failed is over: there is nothing left to fetch, or to close.
                self._stream, self._extras_of = None, ""
                raise
            if chunk is None:
                self._stream = None
                # The rows do not wait for the totals.
                return Batch(chunks, not self._extras_of)
            chunks.append(chunk)
            size += len(chunk.data)
            if size >= BATCH_BYTES or monotonic() >= deadline:
                return Batch(chunks, False)

    def _extras(self) -> Extras | None:
        sql, self._extras_of = self._extras_of, ""
        return read_extras(self._open, sql, self._engine.path) if sql else None

    def end_stream(self) -> None:
        """Give up the rest of the result being streamed."""
        self._kinds = []
        self._extras_of = ""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    # Inserts.

    def plan_insert(self, statement: Statement) -> InsertPlan:
        """What the client has to send. Raises if the insert cannot work, or holds a type no client can send."""
        with self._engine.writing():
            pass  # refused on a full disk now, before the client sends the rows
        return plan_insert(self._open, statement)

    def commit_insert(self, plan: InsertPlan, spool: Spool) -> Chunk:
        """Insert everything in the spool. Returns when it is committed."""
        # The engine does not tell of writes that failed: what leaves this block without an error has been looked at.
        with self._engine.writing(spool.size):
            return commit_insert(self._open, plan, spool)
