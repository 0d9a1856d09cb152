"""The names of what reaches outside of a store: what the engine knows, less what is listed as inside."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.sandbox.names import DATABASE_ENGINES, ENGINES, OUTSIDE_FUNCTIONS, TABLE_FUNCTIONS


def outside_names(connection: EngineConnection) -> frozenset[str]:
    """Functions, table functions and engines that reach outside, in small letters."""
    outside = frozenset(_outside_names(connection))
    return outside | _outside_user_functions(connection, outside)


def _outside_names(connection: EngineConnection) -> Iterator[str]:
    yield from OUTSIDE_FUNCTIONS
    inside = {"table_functions": TABLE_FUNCTIONS, "table_engines": ENGINES, "database_engines": DATABASE_ENGINES}
    allowed = frozenset[str]().union(*inside.values())
    for table, listed in inside.items():
        for row in connection.describe(f"SELECT lower(name) AS name FROM system.{table}"):
            # There is one set of names for all three kinds. A word that is inside as one of them must not be in it as
            # another: statements that are allowed would be refused.
            if row["name"] not in listed and row["name"] not in allowed:
                yield row["name"]
    for row in connection.describe("SELECT lower(name) AS name FROM system.functions WHERE origin LIKE 'Executable%'"):
        yield row["name"]


def _outside_user_functions(connection: EngineConnection, outside: frozenset[str]) -> set[str]:
    """Functions that users have defined by such functions, or by other functions that are defined so."""
    # By the words of their text, so that one which only mentions such a name is refused, too. Again until nothing is
    # added: a function may call one that comes later in the list.
    rows = connection.describe(
        "SELECT lower(name) AS name, lower(create_query) AS sql FROM system.functions WHERE origin = 'SQLUserDefined'"
    )
    found: set[str] = set()
    while True:
        names = outside | found
        more = {row["name"] for row in rows if names & set(re.findall(r"\w+", row["sql"]))} - found
        if not more:
            return found
        found |= more
