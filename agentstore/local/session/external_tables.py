"""External tables: blocks that a client sends along with a query, for that query alone.

Each becomes a temporary table of the session and is dropped when the query is over, whatever its end.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.errors import EngineError
from agentstore.local.session.spool import Spool
from agentstore.local.sql.quoting import identifier, literal

logger = logging.getLogger("agentstore.local")

# With one query; each may hold a file open.
MAX_TABLES = 100
AS_SENT = (
    # The types are those of a table that exists: whether they are wise is not asked again, and Nested stays one column.
    "allow_suspicious_low_cardinality_types = 1, allow_suspicious_fixed_string_types = 1, flatten_nested = 0, "
    # A column under a name that was not asked for would be left out without a word.
    "input_format_skip_unknown_fields = 0"
)


def rows_of(columns: Sequence[tuple[str, str]], spool: Spool | None) -> str:
    """A SELECT of what the spool holds, with the types of these columns; of no rows without a spool."""
    names = ", ".join(identifier(name) for name, _ in columns)
    structure = literal(", ".join(f"{identifier(name)} {kind}" for name, kind in columns))
    source = f"null({structure})" if spool is None else f"file({literal(spool.path())}, 'Native', {structure})"
    return f"SELECT {names} FROM {source} SETTINGS {AS_SENT}"


@dataclass(slots=True)
class ExternalTable:
    """The columns are those of its first block. A table may have no rows."""

    name: str
    columns: list[tuple[str, str]]
    spool: Spool = field(repr=False)


class ExternalTables:
    """Those of the query that runs. Everything here blocks."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._names)

    def create(self, connection: EngineConnection, tables: Sequence[ExternalTable]) -> None:
        """Raises EngineError, with code 57 where the session has a temporary table of that name."""
        for table in tables:
            name = identifier(table.name)
            empty = rows_of(table.columns, None)
            connection.run(f"CREATE TEMPORARY TABLE {name} ENGINE = Memory AS {empty}")
            self._names.append(table.name)  # it is ours now, and no table that the session had before
            if table.spool.size:
                connection.run(f"INSERT INTO {name} {rows_of(table.columns, table.spool)}")

    def drop(self, connection: EngineConnection) -> None:
        # Forgotten first: what cannot be dropped is not tried again after each further query.
        names, self._names = self._names, []
        for name in names:
            try:
                connection.run(f"DROP TEMPORARY TABLE IF EXISTS {identifier(name)}")
            except EngineError as error:
                logger.warning("an external table stays until its connection ends: %s", error)
