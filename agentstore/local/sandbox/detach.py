"""What is stored and reaches outside, taken away when a server starts: nothing is looked at when it is read."""

from __future__ import annotations

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.sandbox.sandbox import Sandbox
from agentstore.local.sql.quoting import identifier, literal


def detach_outside(sandbox: Sandbox, connection: EngineConnection) -> list[str]:
    """Take away, until the next start, what older statements have stored that reaches outside. Returns its names.

    Views, tables with such engines or defaults, dictionaries, databases; what is needed to be asked for is told.
    """
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
        if row["engine"] == "Dictionary" and row["sql"].startswith("CREATE DICTIONARY"):
            taken += _detach(connection, "DICTIONARY", f"{identifier(row['database'])}.{identifier(row['name'])}")
        elif not sandbox.is_inside(connection, row["sql"]):
            taken += _detach(connection, "TABLE", f"{identifier(row['database'])}.{identifier(row['name'])}")
    return taken


def _leave_out_files(connection: EngineConnection) -> None:
    """chdb's ``default`` is two databases in one: an Atomic one, and all files of the machine as tables by their paths.
    The first is attached alone. What is written of that is ignored at the next start."""
    sql = "SELECT toString(uuid) AS uuid FROM system.databases WHERE name = 'default' AND engine = 'Overlay'"
    for row in connection.describe(sql):
        connection.run("DETACH DATABASE default")
        connection.run(f"ATTACH DATABASE default UUID {literal(row['uuid'])} ENGINE = Atomic")


def _detach(connection: EngineConnection, kind: str, name: str) -> list[str]:
    connection.run(f"DETACH {kind} {name} SYNC" if kind != "DICTIONARY" else f"DETACH DICTIONARY {name}")
    return [name]
