"""An agent with a database in WAL mode: each line that it hears is a prompt that it writes down."""

from __future__ import annotations

import pathlib
import sys

from tests.unit.opencode_files import export, insert, said, user, write_database

connection = write_database(pathlib.Path(sys.argv[1]))
connection.execute("PRAGMA wal_autocheckpoint=0")
for number, line in enumerate(sys.stdin):
    session = export(user(number, said(line.strip())))
    if number:
        for table in ("session", "project"):
            connection.execute(f"DELETE FROM {table}")
    insert(connection, session)
    connection.commit()
    print("written", flush=True)
connection.close()
