"""The keys of hits, and their order. Pure.

A hit is named by its key: ``(moment, session_id, position, kind, tool_use_id, call_index)``, where ``moment`` is the
session's start in microseconds (None without one), ``position`` the message's ordinal, and ``kind`` 0 for a message and
1 for a tool call. The order of hits is moment descending, None last, session_id descending, and the rest ascending.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import EVERYTHING
from agentstore.read.cursor import SearchKey
from agentstore.read.search.searched_tables import MESSAGE, TOOL, SearchedTable

# A whole key, so that no two hits are equal: with ties a page could repeat a hit of the one before, and skip another.
ORDER = sql("moment DESC NULLS LAST, session_id DESC, position, kind, tool_use_id, call_index")
COLUMNS = sql("moment, session_id, position, kind, tool_use_id, call_index")


def after_key(key: SearchKey | None) -> Sql:
    """The condition on a key's columns that it comes after this one; None is before everything."""
    if key is None:
        return EVERYTHING
    moment, session_id, *rest = key
    later = sql(
        "(session_id < {id} OR (session_id = {id} AND (position, kind, tool_use_id, call_index) > {rest}))",
        id=session_id,
        rest=tuple(rest),
    )
    return _later(sql("moment"), moment, later)


def until_key(key: SearchKey | None) -> Sql:
    """The condition on a key's columns that it does not come after this one. None allows every key."""
    return EVERYTHING if key is None else sql("NOT ifNull({after}, 0)", after=after_key(key))


def until_session(key: SearchKey | None) -> Sql:
    """The condition on a session's columns that it does not come after the key's session."""
    if key is None:
        return EVERYTHING
    return sql("NOT ifNull({after}, 0)", after=after_session(key[0], key[1]))


def from_session(key: SearchKey | None) -> Sql:
    """The condition on a session's columns that it is the key's session, or comes after it."""
    if key is None:
        return EVERYTHING
    return _sessions_after(key[0], sql("id <= {id}", id=key[1]))


def after_session(moment: int | None, session_id: str) -> Sql:
    """The condition on a session's columns that it comes after this one."""
    return _sessions_after(moment, sql("id < {id}", id=session_id))


def in_sessions(session_ids: tuple[str, ...]) -> Sql:
    """The condition on a session's columns that it is one of these."""
    return sql("id IN {ids}", ids=session_ids)


def in_order(keys: Iterable[SearchKey]) -> list[SearchKey]:
    """The keys in the order of hits, as the server sorts them."""
    # The last criterion first: each sort is stable, and keeps the order of the one before among equals. The server
    # sorts texts by their bytes, Python by code points: in UTF-8 that is the same.
    found = sorted(keys, key=lambda key: key[2:])
    found.sort(key=lambda key: key[1], reverse=True)
    found.sort(key=lambda key: (key[0] is None, -(key[0] or 0)))
    return found


def by_table(
    tables: Iterable[SearchedTable], keys: Sequence[SearchKey]
) -> list[tuple[SearchedTable, tuple[tuple[object, ...], ...]]]:
    """The keys as rows of their tables; a table without any is left out."""
    rows = {
        MESSAGE: tuple((key[1], key[2]) for key in keys if key[3] == MESSAGE),
        TOOL: tuple((key[1], key[2], key[4], key[5]) for key in keys if key[3] == TOOL),
    }
    return [(table, rows[table.kind]) for table in tables if rows[table.kind]]


def _sessions_after(moment: int | None, later: Sql) -> Sql:
    return _later(sql("toUnixTimestamp64Micro(started_at)"), moment, later)


def _later(column: Sql, moment: int | None, later: Sql) -> Sql:
    # As ORDER sorts: NULL comes after every moment. A comparison with it alone would be NULL, and leave those rows out.
    if moment is None:
        return sql("({column} IS NULL AND {later})", column=column, later=later)
    return sql(
        "({column} IS NULL OR {column} < {moment} OR ({column} = {moment} AND {later}))",
        column=column,
        moment=moment,
        later=later,
    )
