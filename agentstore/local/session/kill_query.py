"""KILL QUERY: clients name queries by the ids they gave them, the engine has ids of its own for the same queries."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from agentstore.local.engine.connection import TAG_SETTING, Chunk, EngineConnection
from agentstore.local.engine.syntax_tree import ast_of
from agentstore.local.protocol.blocks import string_block, string_columns
from agentstore.local.sql.quoting import literal
from agentstore.local.sql.tokens import tokens

_COLUMNS = ("kill_status", "query_id", "user", "query")


def is_kill_query(sql: str) -> bool:
    return [token.text.upper() for token in islice(tokens(sql), 2)] == ["KILL", "QUERY"]


def kill(connection: EngineConnection, sql: str, ids: Mapping[str, str]) -> Chunk:
    """Run the statement with the condition applied to the clients' ids: ``ids`` maps the tags of sessions to them.

    The engine first says for which queries the condition holds when each has the id that its client gave it; those
    are ended by the engine's ids. Its own id names a query as well where it is written out. Raises EngineError.
    """
    ast_of(connection, sql)  # what is no KILL QUERY to the engine must not become a part of another statement
    condition, ending = _parts(sql)
    tagged = f"Settings['{TAG_SETTING}'] AS _tag"
    engine_ids = {
        row["query_id"]: ids[row["_tag"]]
        for row in connection.describe(f"SELECT query_id, {tagged} FROM system.processes WHERE _tag != ''")
        if row["_tag"] in ids
    }
    processes = (
        f"SELECT * REPLACE ({_renamed(engine_ids)} AS query_id) FROM (SELECT *, query_id AS _engine_id "
        f"FROM system.processes WHERE Settings['{TAG_SETTING}'] != '')"
    )
    condition = _with_client_ids(condition, engine_ids)
    found = connection.describe(f"SELECT _engine_id FROM ({processes})\nWHERE ({condition}\n)")
    if not found:
        return Chunk(b"", 0)
    listed = ", ".join(literal(row["_engine_id"]) for row in found)
    answer = connection.run(f"KILL QUERY WHERE query_id IN ({listed}) {ending}")
    rows = [row | {"query_id": engine_ids.get(row["query_id"], row["query_id"])} for row in string_columns(answer.data)]
    return Chunk(string_block(_COLUMNS, rows) if rows else b"", len(rows))


def _parts(sql: str) -> tuple[str, str]:
    """The condition, and what follows it: SYNC, ASYNC or TEST."""
    found = list(tokens(sql))
    where = next(index for index, token in enumerate(found) if token.is_word("WHERE"))
    last = found[-1]
    if last.is_word("SYNC", "ASYNC", "TEST") and len(found) > where + 2:
        return sql[found[where].end : last.start], last.text
    return sql[found[where].end :], ""


def _renamed(engine_ids: Mapping[str, str]) -> str:
    if not engine_ids:
        return "_engine_id"
    old = ", ".join(literal(engine_id) for engine_id in engine_ids)
    new = ", ".join(literal(query_id) for query_id in engine_ids.values())
    return f"transform(_engine_id, [{old}], [{new}], _engine_id)"


def _with_client_ids(condition: str, engine_ids: Mapping[str, str]) -> str:
    """The condition with the engine's ids in it, where they stand as a whole literal, as the clients' ids."""
    # From the end: a replacement moves everything behind it.
    for token in reversed(list(tokens(condition))):
        query_id = engine_ids.get(token.text[1:-1]) if token.kind == "string" else None
        if query_id is not None:
            condition = condition[: token.start] + literal(query_id) + condition[token.end :]
    return condition
