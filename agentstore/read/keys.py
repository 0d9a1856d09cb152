"""The keys of the narrow copies (ddl/0011): hashes in place of ids, so that the server compares and joins numbers. Pure."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql


def session_key(column: Sql) -> Sql:
    """The ``session`` of a narrow copy that belongs to the session with this id."""
    return sql("reinterpretAsUInt128(sipHash128({column}))", column=column)
