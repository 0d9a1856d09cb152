"""INSERT with the rows in blocks: what the client has to send, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentstore.local.engine.connection import Chunk, EngineConnection
from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol.column_shapes import UnmeasurableTypeError
from agentstore.local.protocol.columns import column_of
from agentstore.local.session.external_tables import rows_of
from agentstore.local.session.headers import defaults, described
from agentstore.local.session.query_settings import PLAIN_DESCRIBE
from agentstore.local.session.spool import Spool
from agentstore.local.sql.statement import INPUT_TABLE, Statement


@dataclass(frozen=True, slots=True)
class InsertPlan:
    """What an INSERT expects from the client: columns, and the defaults of the table for clients that apply them."""

    sql: str
    columns: list[tuple[str, str]]
    description: str = field(default="", repr=False)
    # Of the table the blocks go to first, where a SELECT reads them from there.
    structure: str = ""


def plan_insert(connection: EngineConnection, statement: Statement) -> InsertPlan:
    """What the client has to send. Raises if the insert cannot work, or holds a type no client can send."""
    if statement.structure:
        columns = described(connection, f"SELECT * FROM null({statement.structure})")
        return InsertPlan(statement.sql, _measurable(columns), structure=statement.structure)
    try:
        table = connection.describe(f"DESCRIBE TABLE {statement.target}{PLAIN_DESCRIBE}")
    except EngineError:
        connection.check_insert(statement.sql)  # fails with what the engine says of the insert itself
        raise
    found = _insert_columns(connection, statement, table)
    if found is None:
        # The engine's own refusal comes first, where it has one.
        connection.check_insert(statement.sql)
        raise EngineError.make(48, "NOT_IMPLEMENTED", "The column list of this INSERT is not understood")
    return InsertPlan(statement.sql, _measurable(found), defaults(table))


def commit_insert(connection: EngineConnection, plan: InsertPlan, spool: Spool) -> Chunk:
    """Insert everything in the spool, and close it. Returns when it is committed."""
    try:
        if not plan.structure:
            return _insert_spooled(connection, plan.sql, plan.columns, spool)
        rows = f"SELECT * FROM null({plan.structure})"
        connection.run(f"CREATE TEMPORARY TABLE {INPUT_TABLE} ENGINE = Memory AS {rows}")
        try:
            _insert_spooled(connection, f"INSERT INTO {INPUT_TABLE}", plan.columns, spool)
            return connection.run(plan.sql)
        finally:
            connection.run(f"DROP TEMPORARY TABLE {INPUT_TABLE}")
    finally:
        spool.close()


def _insert_columns(
    connection: EngineConnection, statement: Statement, table: list[dict[str, str]]
) -> list[tuple[str, str]] | None:
    insertable = {row["name"]: row["type"] for row in table if row["default_type"] not in ("MATERIALIZED", "ALIAS")}
    if statement.columns is not None:
        if any(name not in insertable for name in statement.columns):
            return None
        return [(name, insertable[name]) for name in statement.columns]
    if statement.column_list:
        return described(connection, f"SELECT {statement.column_list} FROM {statement.target}")
    ephemeral = {row["name"] for row in table if row["default_type"] == "EPHEMERAL"}
    return [(name, kind) for name, kind in insertable.items() if name not in ephemeral]


def _measurable(columns: list[tuple[str, str]]) -> list[tuple[str, str]]:
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


def _insert_spooled(connection: EngineConnection, sql: str, columns: list[tuple[str, str]], spool: Spool) -> Chunk:
    """The blocks as a table the engine reads: it converts their types, and says so where anything fails."""
    return connection.run(f"{sql} {rows_of(columns, spool)}")
