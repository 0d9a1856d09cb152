"""The rows that are searched, their keys and the order of hits. Pure.

A hit is named by its key: ``(moment, session_id, position, kind, tool_use_id, call_index)``, where ``moment`` is the
session's start in microseconds (None without one), ``position`` the message's ordinal, and ``kind`` 0 for a message and
1 for a tool call. The order of hits is moment descending, None last, session_id descending, and the rest ascending.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentstore.connection.sql import Sql, sql
from agentstore.read.cursor import SearchKey

MESSAGE, TOOL = 0, 1

ORDER = Sql("moment DESC NULLS LAST, session_id DESC, position, kind, tool_use_id, call_index")
COLUMNS = Sql("moment, session_id, position, kind, tool_use_id, call_index")
EVERYTHING = Sql("1")


@dataclass(frozen=True, slots=True)
class Texts:
    """A table whose texts are searched.

    ``key`` are a hit's columns, without its moment; ``row`` those that tell a row, ``row_of_key`` the same in a key.
    """

    name: str
    kind: int
    key: Sql
    row: Sql
    row_of_key: Sql
    columns: tuple[Sql, ...]

    @property
    def table(self) -> Sql:
        """Its name as SQL."""
        return Sql(self.name)


MESSAGES = Texts(
    "messages",
    MESSAGE,
    Sql("session_id, ordinal AS position, 0 AS kind, '' AS tool_use_id, toUInt32(0) AS call_index"),
    Sql("session_id, ordinal"),
    Sql("session_id, position"),
    (Sql("content"),),
)
TOOL_CALLS = Texts(
    "tool_calls",
    TOOL,
    Sql("session_id, message_ordinal AS position, 1 AS kind, tool_use_id, call_index"),
    Sql("session_id, message_ordinal, tool_use_id, call_index"),
    Sql("session_id, position, tool_use_id, call_index"),
    (Sql("input_json"), Sql("result_content")),
)


@dataclass(frozen=True, slots=True)
class Searched:
    """A table with the condition on the rows of it that a search is about."""

    texts: Texts
    rows: Sql = EVERYTHING


def searched(role: str, tool_name: str) -> tuple[Searched, ...]:
    """The tables that a search with these filters looks at; none where no row can satisfy both."""
    if tool_name:
        named = sql("tool_name = {name}", name=tool_name)
        return (Searched(TOOL_CALLS, named),) if role in ("", "tool") else ()
    if role == "tool":
        return (Searched(TOOL_CALLS),)
    if role:
        return (Searched(MESSAGES, sql("role = {role}", role=role)),)
    return (Searched(MESSAGES), Searched(TOOL_CALLS))


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
    return _later(Sql("moment"), moment, later)


def until_key(key: SearchKey | None) -> Sql:
    """The condition on a key's columns that it does not come after this one; None: whatever it is."""
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


def among(session_ids: tuple[str, ...]) -> Sql:
    """The condition on a session's columns that it is one of these."""
    return sql("id IN {ids}", ids=session_ids)


def in_order(keys: Iterable[SearchKey]) -> list[SearchKey]:
    """The keys in the order of hits, as the server sorts them."""
    found = sorted(keys, key=lambda key: key[2:])
    found.sort(key=lambda key: key[1], reverse=True)
    found.sort(key=lambda key: (key[0] is None, -(key[0] or 0)))
    return found


def by_table(keys: Sequence[SearchKey]) -> list[tuple[Texts, tuple[tuple[object, ...], ...]]]:
    """The keys as rows of their tables; a table without any is left out."""
    messages = tuple((key[1], key[2]) for key in keys if key[3] == MESSAGE)
    tools = tuple((key[1], key[2], key[4], key[5]) for key in keys if key[3] == TOOL)
    return [(texts, rows) for texts, rows in ((MESSAGES, messages), (TOOL_CALLS, tools)) if rows]


def _sessions_after(moment: int | None, later: Sql) -> Sql:
    return _later(Sql("toUnixTimestamp64Micro(started_at)"), moment, later)


def _later(column: Sql, moment: int | None, later: Sql) -> Sql:
    if moment is None:
        return sql("({column} IS NULL AND {later})", column=column, later=later)
    return sql(
        "({column} IS NULL OR {column} < {moment} OR ({column} = {moment} AND {later}))",
        column=column,
        moment=moment,
        later=later,
    )
