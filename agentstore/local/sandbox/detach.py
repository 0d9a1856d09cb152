"""Detaches what is stored and reaches outside, when a server starts: reading a view does not show what is in it."""

from __future__ import annotations

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.sandbox.sandbox import Sandbox
from agentstore.local.sql.quoting import identifier, literal


def detach_outside(sandbox: Sandbox, connection: EngineConnection) -> list[str]:
    """Detach what older statements have stored that reaches outside, until the next start. Returns its names.

    That is views, tables with such engines or defaults, dictionaries and databases. Nothing is dropped: a server that
    may reach outside has it again.
    """
    # First of all, and databases before tables: to list the tables of such a database the engine may reach outside.
    _leave_out_files(connection)
    taken: list[str] = []
    for row in connection.describe("SELECT name, lower(engine) AS engine FROM system.databases"):
        if sandbox.is_outside(row["engine"]):
            taken += _detach(connection, "DATABASE", identifier(row["name"]))
    rows = connection.describe(
        "SELECT database, name, engine, create_table_query AS sql FROM system.tables WHERE NOT is_temporary "
        "AND database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')"
    )
    for row in rows:
        # A dictionary always, as CREATE DICTIONARY is always refused. A table over one is judged by its text.
        if row["engine"] == "Dictionary" and row["sql"].startswith("CREATE DICTIONARY"):
            taken += _detach(connection, "DICTIONARY", f"{identifier(row['database'])}.{identifier(row['name'])}")
        elif not sandbox.is_inside(connection, row["sql"]):
            taken += _detach(connection, "TABLE", f"{identifier(row['database'])}.{identifier(row['name'])}")
    return taken


def _leave_out_files(connection: EngineConnection) -> None:
    """chdb's ``default`` is two databases in one: an Atomic one, and all files of the machine as tables by their paths.

    The first is attached alone. What the engine writes down of that it ignores at the next start.
    """
    sql = "SELECT toString(uuid) AS uuid FROM system.databases WHERE name = 'default' AND engine = 'Overlay'"
    for row in connection.describe(sql):
        connection.run("DETACH DATABASE default")
        connection.run(f"ATTACH DATABASE default UUID {literal(row['uuid'])} ENGINE = Atomic")


def _detach(connection: EngineConnection, kind: str, name: str) -> list[str]:
    connection.run(f"DETACH {kind} {name} SYNC" if kind != "DICTIONARY" else f"DETACH DICTIONARY {name}")
    return [name]
