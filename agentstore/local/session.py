"""One client's session in the engine: what a connection's worker thread does, one call at a time.

The session's current database, SET values and temporary tables live as long as the connection; the settings sent along
with one query hold for that query only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from .blocks import block_bounds, block_columns, with_types
from .columns import column_of
from .engine import TAG_SETTING, Chunk, Engine, EngineConnection, EngineError, Stream
from .overlay import PLAIN_DESCRIBE, Overlay, identifier, literal
from .protocol import Setting
from .shapes import UnmeasurableTypeError
from .spool import Spool
from .statements import INPUT_TABLE, Kind, Statement, needs_space
from .totals import Extras, may_have_extras, read_extras
from .wall import Wall

BATCH_BYTES = 1 << 20
BLOCK_ROWS = 8192
"""In a block of a result, unless the client says otherwise. With the engine's own 65,409 rows, one of 1 KB rows is 65
MB, held three times while it is made: 60 clients that ask at once took 8 GB, and take 0.8."""
_AS_SENT = (
    # The types are those of a table that exists: whether they are wise is not asked again, and Nested stays one column.
    "allow_suspicious_low_cardinality_types = 1, allow_suspicious_fixed_string_types = 1, flatten_nested = 0, "
    # A column under a name that was not asked for would be left out without a word.
    "input_format_skip_unknown_fields = 0"
)
BATCH_SECONDS = 0.02
"""A batch is handed over when it is this large, or this old: the first rows of a slow query must not wait."""
NOT_STREAMABLE = 36


@dataclass(frozen=True, slots=True)
class Batch:
    """Blocks of a result. `last`: there are no more."""

    chunks: list[Chunk]
    last: bool
    header: Sequence[tuple[str, str]] = ()
    """Of the result's columns, with the first batch; none for a statement that answers nothing."""
    extras: Extras | None = None
    """With the last batch of a query that asked for totals or extremes."""


@dataclass(frozen=True, slots=True)
class InsertPlan:
    """What an INSERT expects from the client: columns, and the defaults of the table for clients that apply them."""

    sql: str
    columns: list[tuple[str, str]]
    description: str = field(default="", repr=False)
    structure: str = ""
    """Of the table the blocks go to first, where a SELECT reads them from there."""


class Session:
    """Everything here blocks and may raise EngineError; the session is usable afterwards."""

    def __init__(self, engine: Engine, tag: str, known_settings: Iterable[str], wall: Wall | None = None) -> None:
        self.tag = tag
        self._engine = engine
        self._wall = wall
        self._asked: EngineConnection | None = None
        """For what the wall asks the parser: no setting of the client's holds there."""
        self._settings = Overlay(known_settings)
        self._connection: EngineConnection | None = None
        self._stream: Stream | None = None
        self._extras_of = ""
        self._kinds: list[str] = []
        """Types of the result being streamed, where the engine's blocks leave out a time zone."""

    @property
    def _open(self) -> EngineConnection:
        if self._connection is None:
            raise EngineError.make(210, "NETWORK_ERROR", "The session is closed")
        return self._connection

    def open(self, database: str) -> None:
        self._connection = self._engine.connect()
        # A bare expression is a query in chdb; on a server it is a syntax error.
        self._connection.run(
            f"SET implicit_select = 0, max_block_size = {BLOCK_ROWS}, {TAG_SETTING} = {literal(self.tag)}"
        )
        if database:
            self._connection.run(f"USE {identifier(database)}")

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
        if self._wall is None:
            return
        self._wall.check_settings(settings)
        if not self._wall.is_plain(statement.sql):
            if self._asked is None:
                self._asked = self._engine.connect_for_parsing()
            self._wall.check(self._asked, statement)

    # Statements.

    def start(self, statement: Statement, settings: Sequence[Setting]) -> Batch:
        """Run a statement to the first batch of its result."""
        self.end_stream()
        self._check(statement, settings)
        self._settings.apply(self._open, settings, statement)
        if statement.kind is Kind.SELECT:
            try:
                self._stream = self._open.stream(statement.sql)
            except EngineError as error:
                if error.code != NOT_STREAMABLE or "Streaming query is not supported" not in str(error):
                    raise
            else:
                self._extras_of = statement.sql if may_have_extras(statement.sql, settings) else ""
                return self._first(statement.sql)
        return self._run(statement)

    def _first(self, sql: str) -> Batch:
        """The first batch of a stream with its header, which most clients take the columns from."""
        batch = self.next()
        if not batch.chunks:
            return replace(batch, header=self._described(sql))
        header = _visible_header(batch.chunks[0].data)
        if header is not None and all(kind != "DateTime" for _, kind in header):
            return replace(batch, header=header)
        # Where the columns are cannot be seen in the block, or a time zone is not named in it. The engine can be asked
        # only when nothing runs.
        batch = self._more(batch)
        self.end_stream()
        described = self._described(sql)
        if header is not None and described != header:
            self._kinds = [kind for _, kind in described]
        if batch.last:
            return replace(self._renamed(batch), header=described)
        self._stream = self._open.stream(sql)
        return replace(self.next(), header=described)

    def _more(self, batch: Batch) -> Batch:
        """The batch, with the few blocks after it, if the result is a small one that was only slow to begin."""
        while not batch.last and sum(len(chunk.data) for chunk in batch.chunks) < BATCH_BYTES:
            following = self.next()
            batch = Batch([*batch.chunks, *following.chunks], following.last, extras=following.extras)
        return batch

    def _run(self, statement: Statement) -> Batch:
        if needs_space(statement.sql):
            with self._engine.writing():
                result = self._open.run(statement.sql)
        else:
            result = self._open.run(statement.sql)
        if result.data:
            return Batch(_one_per_block(result), True, block_columns(result.data))
        header = self._open.header(statement.sql) if statement.kind is Kind.ROWS else []
        return Batch([result], True, header)

    def _described(self, sql: str) -> list[tuple[str, str]]:
        rows = self._open.describe(f"DESCRIBE TABLE ({sql}\n){PLAIN_DESCRIBE}")
        return [(row["name"], row["type"]) for row in rows]

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
        extras = batch.extras and Extras(renamed(batch.extras.totals), renamed(batch.extras.extremes))
        return replace(batch, chunks=chunks, extras=extras)

    def _next(self) -> Batch:
        chunks: list[Chunk] = []
        size = 0
        deadline = monotonic() + BATCH_SECONDS
        while self._stream is not None:
            try:
                chunk = self._stream.fetch()
            except EngineError:
                self._stream = None
                raise
            if chunk is None:
                self._stream = None
                return Batch(chunks, True, extras=self._extras())
            chunks.append(chunk)
            size += len(chunk.data)
            if size >= BATCH_BYTES or monotonic() >= deadline:
                return Batch(chunks, False)
        return Batch(chunks, True)

    def _extras(self) -> Extras | None:
        sql, self._extras_of = self._extras_of, ""
        return read_extras(self._open, sql) if sql else None

    def end_stream(self) -> None:
        """Give up the rest of the result being streamed."""
        self._kinds = []
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    # Inserts.

    def plan_insert(self, statement: Statement, settings: Sequence[Setting]) -> InsertPlan:
        """What the client has to send. Raises if the insert cannot work, or holds a type no client can send."""
        self.end_stream()
        self._check(statement, settings)
        with self._engine.writing():
            pass  # refused on a full disk now, before the client sends the rows
        self._settings.apply(self._open, settings, statement)
        if statement.structure:
            columns = self._described(f"SELECT * FROM null({statement.structure})")
            return InsertPlan(statement.sql, self._measurable(columns), structure=statement.structure)
        try:
            table = self._open.describe(f"DESCRIBE TABLE {statement.target}{PLAIN_DESCRIBE}")
        except EngineError:
            self._open.check_insert(statement.sql)  # fails with what the engine says of the insert itself
            raise
        found = self._insert_columns(statement, table)
        if found is None:
            self._open.check_insert(statement.sql)
            raise EngineError.make(48, "NOT_IMPLEMENTED", "The column list of this INSERT is not understood")
        return InsertPlan(statement.sql, self._measurable(found), _defaults(table))

    def _insert_columns(self, statement: Statement, table: list[dict[str, str]]) -> list[tuple[str, str]] | None:
        insertable = {row["name"]: row["type"] for row in table if row["default_type"] not in ("MATERIALIZED", "ALIAS")}
        if statement.columns is not None:
            if any(name not in insertable for name in statement.columns):
                return None
            return [(name, insertable[name]) for name in statement.columns]
        if statement.column_list:
            return self._described(f"SELECT {statement.column_list} FROM {statement.target}")
        ephemeral = {row["name"] for row in table if row["default_type"] == "EPHEMERAL"}
        return [(name, kind) for name, kind in insertable.items() if name not in ephemeral]

    def _measurable(self, columns: list[tuple[str, str]]) -> list[tuple[str, str]]:
        for name, kind in columns:
            try:
                column_of(kind)
            except UnmeasurableTypeError:
                raise EngineError.make(
                    48,
                    "NOT_IMPLEMENTED",
                    f"Column {name} has type {kind}, which this server cannot receive in blocks; "
                    "insert it with INSERT … SELECT, or with VALUES in the query",
                ) from None
        return columns

    def commit_insert(self, plan: InsertPlan, spool: Spool) -> Chunk:
        """Insert everything in the spool. Returns when it is committed."""
        with self._engine.writing(spool.size):
            return self._commit_insert(plan, spool)

    def _commit_insert(self, plan: InsertPlan, spool: Spool) -> Chunk:
        try:
            if not plan.structure:
                return self._insert_spooled(plan.sql, plan.columns, spool)
            rows = f"SELECT * FROM null({plan.structure})"
            self._open.run(f"CREATE TEMPORARY TABLE {INPUT_TABLE} ENGINE = Memory AS {rows}")
            try:
                self._insert_spooled(f"INSERT INTO {INPUT_TABLE}", plan.columns, spool)
                return self._open.run(plan.sql)
            finally:
                self._open.run(f"DROP TEMPORARY TABLE {INPUT_TABLE}")
        finally:
            spool.close()

    def _insert_spooled(self, sql: str, columns: list[tuple[str, str]], spool: Spool) -> Chunk:
        """The blocks as a table the engine reads: it converts their types, and says so where anything fails."""
        names = ", ".join(identifier(name) for name, _ in columns)
        structure = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns)
        source = f"file({literal(spool.path())}, 'Native', {literal(structure)})"
        return self._open.run(f"{sql} SELECT {names} FROM {source} SETTINGS {_AS_SENT}")


def _visible_header(block: bytes) -> list[tuple[str, str]] | None:
    """Names and types of the columns; None if there is a column whose end cannot be found."""
    try:
        return block_columns(block)
    except UnmeasurableTypeError:
        return None


def _one_per_block(result: Chunk) -> list[Chunk]:
    """A result that came in one piece, cut into its blocks; what was read counts with the first."""
    bounds = block_bounds(result.data)
    if len(bounds) == 1:
        return [result]
    pieces = [Chunk(result.data[start:end], rows) for start, end, rows in bounds]
    pieces[0] = replace(result, data=pieces[0].data, rows=pieces[0].rows)
    return pieces


def _defaults(table: list[dict[str, str]]) -> str:
    """The columns of a table as text, in the engine's own form; "" for a table without defaults, which needs none."""
    if not any(row["default_type"] for row in table):
        return ""
    lines = [f"columns format version: 1\n{len(table)} columns:\n"]
    for row in table:
        lines.append(f"{identifier(row['name'])} {row['type']}")
        if row["default_type"]:
            expression = row["default_expression"].replace("\\", "\\\\").replace("\t", "\\t")
            lines.append(f"\t{row['default_type']}\t{expression}".replace("\n", "\\n"))
        lines.append("\n")
    return "".join(lines)
