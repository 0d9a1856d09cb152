"""The keys of the narrow copies (ddl/0011): hashes in place of ids, so that numbers are compared and joined. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import text
from agentstore.read.sip_hash import sip_hash_128

# The longest id of which the key is computed here.
_SHORT = 200


def session_key(column: Sql) -> Sql:
    """The ``session`` of a narrow copy that belongs to the session with this id."""
    return sql("reinterpretAsUInt128(sipHash128({column}))", column=column)


SESSION_KEY = session_key(sql("session_id"))


def keys_of(ids: Sequence[str]) -> Sql:
    """The keys of sessions, as what follows IN."""
    if len(ids) == 1 and len(ids[0]) <= _SHORT:
        return known_keys([sip_hash_128(ids[0].encode())])
    # One by one they would be computed while the statement is analysed, a tenth of a millisecond each.
    return sql("(SELECT {key})", key=session_key(sql("arrayJoin({ids})", ids=list(ids))))


def known_keys(keys: Iterable[int]) -> Sql:
    """The same where they are known. As text: the server reads a number of that size as a float."""
    return sql("{keys}", keys=tuple(map(str, keys)))


def keys_above_floors(org_id: str, scope: str) -> Sql:
    """``floors.above_floors`` for a narrow copy: its rows are not older than their session's floor."""
    floors = sql(
        "(SELECT (groupArray({key}), groupArray(_version)) FROM session_floors FINAL"
        " WHERE org_id = {org_id} AND scope = {scope})",
        key=SESSION_KEY,
        org_id=text(org_id, "org_id"),
        scope=scope,
    )
    # The subquery is written twice and run once: the server keeps its result for the statement.
    return sql("_version >= transform(session, {floors}.1, {floors}.2, toUInt64(0))", floors=floors)
